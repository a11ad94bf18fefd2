# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Access control of a location: networks, passwords, and authentication servers.

nginx answers ``return`` before it checks any of these, so they protect only backends and files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.wsedge.nginx.plugins.plugin_utils.model import headers
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.model import AuthRequest, Guard, Header
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec import auth_values, header_values
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.config_values import outer_directives
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.inventory_path import InventoryPath, listed
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.schema import (
    AUTH,
    AUTH_BASIC,
    AUTH_REQUEST,
    read_keys,
    with_defaults,
)

KEYS = ("allow", "deny", "auth")
# The request headers for an authentication server, as Authelia, authentik, oauth2-proxy and Traefik name them.
_TOLD = {
    "X-Original-URI": "$request_uri", "X-Original-Method": "$request_method",
    "X-Forwarded-Method": "$request_method", "X-Forwarded-Uri": "$request_uri"}
# The request to an authentication server is plain HTTP without a body.
_CLEARED = ("Upgrade", "Connection", "Content-Length", "Sec-WebSocket-Key", "Sec-WebSocket-Version",
            "Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions")


@dataclass(frozen=True)
class Auth:
    """The key ``auth``: the REALM and file of passwords, and the authentication server."""

    realm: str = ""
    file: str | None = None
    users: str | None = None
    request: AuthRequest | None = None
    any: bool = False

    def told(self) -> dict[str, str | None]:
        """Return the headers that tell a backend the user.

        With ``satisfy: any``, Remote-User is removed: the client may have passed without a password.
        """
        found: dict[str, str | None] = {}
        if self.realm:
            # A backend would mistake the edge's password for one of its own.
            found["Authorization"] = None
            found["Remote-User"] = None if self.any else "$remote_user"
        if self.request:
            found.update(self.request.identity)
        return found

    def directives(self) -> list[list[str]]:
        """Return nginx's directives."""
        found = [["satisfy", "any"]] if self.any else []
        if self.realm:
            found.append(["auth_basic", self.realm])
        if self.file:
            found.append(["auth_basic_user_file", self.file])
        if self.request:
            found.append(["auth_request", self.request.path])
            found += [["auth_request_set", variable, source] for variable, source in self.request.answers.items()]
        return found

    @property
    def cookie(self) -> str | None:
        """The variable with a cookie that the authentication server sets."""
        return self.request.cookie if self.request else None


@dataclass
class Passwords:
    """Password files: the names of those from the inventory by their text, and the paths of those on the host."""

    names: dict[str, str] = field(default_factory=dict)
    of_the_host: set[str] = field(default_factory=set)

    def name(self, text: str) -> str:
        """Return the name of the file with this TEXT in a generation."""
        return self.names.setdefault(text, f"users-{len(self.names) + 1}")


class SiteGuards:
    """The access control of one site, and the nginx locations that ask authentication servers."""

    def __init__(self, passwords: Passwords) -> None:
        self.requests: list[AuthRequest] = []
        self._passwords = passwords

    def read(self, at: InventoryPath, raw: object,
             ask: Callable[[InventoryPath, Mapping[str, Any]], AuthRequest | None]) -> Auth:
        """Read ``auth``; ASK turns the keys of ``request`` into a request to an authentication server."""
        if raw in (None, {}) or raw is False:
            return Auth()
        given = read_keys(at, AUTH, raw)
        if given is None:
            return Auth()
        if not at.intended(raw, AUTH) & {"basic", "request"}:
            at.refuse('set "basic", "request" or both')
        if "basic" in given and given.get("satisfy") != "any" and isinstance(given.get("request"), Mapping) \
                and given["request"].get("login"):
            at["request"]["login"].refuse("with basic, 401 asks for the password, so login needs satisfy: any")
        basic = self._basic(at["basic"], given["basic"]) if "basic" in given else Auth()
        asked = read_keys(at["request"], AUTH_REQUEST, given["request"]) if "request" in given else None
        request = ask(at["request"], asked) if asked and {"upstream", "path"} <= asked.keys() else None
        return replace(basic, request=request, any=given.get("satisfy") == "any")

    def _basic(self, at: InventoryPath, raw: object) -> Auth:
        given = read_keys(at, AUTH_BASIC, raw)
        if given is None:
            return Auth()
        intended = at.intended(raw, AUTH_BASIC)
        if ("users" in intended) == ("file" in intended):
            at.refuse('set either "users" or "file"')
        if given.get("file"):
            self._passwords.of_the_host.add(given["file"])
        users = self._users(at["users"], given["users"]) if "users" in given else None
        return Auth(realm=given.get("realm", AUTH_BASIC["realm"].default), file=given.get("file"), users=users)

    def _users(self, at: InventoryPath, raw: object) -> str | None:
        if not isinstance(raw, Mapping) or not raw:
            at.refuse("expected a mapping of user names to password hashes")
            return None
        lines = []
        for key, value in raw.items():
            where = at[str(key)]
            name, hashed = where.read(auth_values.user, key), where.read(auth_values.password_hash, value)
            if hashed and auth_values.is_slow(hashed):
                where.warn("nginx computes this hash for every request, and all other connections of the worker wait; "
                           "use fewer rounds, such as those of: openssl passwd -6")
            lines.append(f"{name}:{hashed}\n")
        return self._passwords.name("".join(lines))

    def asking(self, at: InventoryPath, given: Mapping[str, Any], upstream: str, connections: list[list[str]], own: str,
               told: Mapping[str, str | None]) -> AuthRequest:
        """Return the request to an authentication server for the keys of ``request``.

        UPSTREAM is the address of the server with the scheme, and CONNECTIONS has the directives for connections to it.
        OWN is the address that a client requested. TOLD has the headers for backends.
        """
        values = with_defaults(AUTH_REQUEST, given)
        variable = f"$websocket_proxy_auth_{len(self.requests) + 1}"
        names = [name for where, item in at["response_headers"].items(given.get("response_headers"), "headers")
                 if (name := where.read(header_values.header_name, item))]
        for index, name in enumerate(names):
            if name.lower() in headers.REQUEST:
                at["response_headers"][index].refuse(headers.REQUEST[name.lower()])
        identity: dict[str, str | None] = {name: f"{variable}_header_{_word(name)}" for name in names}
        answers = {f"{variable}_header_{_word(name)}": f"$upstream_http_{_word(name)}" for name in names}
        answers[f"{variable}_cookie"] = "$upstream_http_set_cookie"
        login = values["login"]
        if login == auth_values.ANSWER:
            login = f"{variable}_location"
            answers[login] = "$upstream_http_location"
        request = headers.merged(
            {**told, **_TOLD, "X-Original-URL": f"{own}$request_uri", "X-Forwarded-Host": own.partition("://")[2]},
            headers.read_headers(at["request_headers"], given.get("request_headers"), headers.REQUEST),
            dict.fromkeys(_CLEARED))
        times = [[f"proxy_{name}_timeout", values["timeout"]] for name in ("connect", "send", "read")]
        found = AuthRequest(
            f"/websocket_proxy_auth_{len(self.requests) + 1}", f"{upstream}{values['path']}",
            [Header(name, value or "") for name, value in request.items()], [*connections, *times], answers, identity,
            f"{variable}_cookie", login)
        self.requests.append(found)
        return found


def identities(given: Iterable[object]) -> list[str]:
    """Return the identity headers from the authentication servers of sites and their locations."""
    found: dict[str, str] = {}
    for one in given:
        if not isinstance(one, Mapping):
            continue
        auth = one.get("auth")
        request = auth.get("request") if isinstance(auth, Mapping) else None
        names = request.get("response_headers") if isinstance(request, Mapping) else None
        found.update((name.lower(), name) for name in (names if isinstance(names, list) else ())
                     if isinstance(name, str) and header_values.is_header_name(name))
        inside = one.get("locations")
        found.update((name.lower(), name) for name in identities(inside if isinstance(inside, list) else ()))
    return list(found.values())


def networks(values: Mapping[str, Any]) -> list[list[str]]:
    """Return nginx's directives for ``allow`` and ``deny``."""
    allow, deny = values["allow"] or [], values["deny"] or []
    # A denied address stays denied even if its network is allowed. With allow, all other addresses are denied.
    found = [["deny", one] for one in deny] + [["allow", one] for one in allow]
    return found + ([["deny", "all"]] if allow and "all" not in allow + deny else [])


def check_texts(at: InventoryPath, guard: Guard, texts: Mapping[str, str]) -> None:
    """Refuse directives in free TEXTS that clash with the directives of a GUARD, or that these would override.

    TEXTS are by inventory path.
    """
    names = {words[0] for words in guard.directives}
    for alike in ({"allow", "deny"}, {"auth_basic", "auth_basic_user_file", "auth_request", "satisfy"}):
        for where, text in texts.items() if names & alike else ():
            found = {words[0] for words in outer_directives(text)} & alike
            if found:
                at.elsewhere(where).refuse(
                    f"{listed(found)} would have no effect: nginx uses those of one level only, and {at.path} sets "
                    "allow, deny or auth; set all of it with these keys")


def check_limits(at: InventoryPath, texts: Mapping[str, str]) -> None:
    """Refuse limits in free TEXTS of a site or of http: nginx ignores them if a location has limits of its own."""
    for where, text in texts.items():
        found = {words[0] for words in outer_directives(text)} & {"limit_conn", "limit_req"}
        if found:
            at.elsewhere(where).refuse(
                f"{listed(found)} would have no effect: nginx uses the limits of one level only, and {at.path} sets "
                "limits; set all of it with the key limits")


def _word(header: str) -> str:
    return header.lower().replace("-", "_").replace(".", "_")
