# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Locations: the backends, files and answers behind the paths of a site."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from ansible_collections.wsedge.nginx.plugins.plugin_utils.model import fastcgi, guards, headers
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.forwarded import Hosts
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.limits import Limits, Zones
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.model import (
    Answer,
    AuthRequest,
    ExtraConfig,
    FastCgi,
    Files,
    Guard,
    Header,
    Location,
    ProbeSettings,
    Proxy,
    Upstream,
)
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.origins import OriginRules
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec import (
    address_values,
    config_values,
    header_values,
    path_values,
    text_values,
)
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.inventory_path import InventoryPath, Refused, shown
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.schema import (
    FASTCGI,
    INHERITED,
    LOCATION,
    PROBE,
    REDIRECT,
    RESPOND,
    read_keys,
    with_defaults,
)

# An edge sees the client itself, so headers about the client are replaced, not appended to.
_EDGE_HEADERS: dict[str, str | None] = {
    "X-Real-IP": "$remote_addr", "X-Forwarded-For": "$remote_addr"}

# A named group of a regular expression: nginx would encode the value of $1 a second time.
_REST = "websocket_proxy_rest"
# The target of a redirect that already has the prefix, or names another host.
_OWN_ADDRESS = "websocket_proxy_own_address"
# A path must be plain for its prefix to be removed: it must not contain /./ either.
_NO_DOT = r"(?![^?]*(?:/|%2[fF])(?:\.|%2[eE])(?:/|%2[fF]|\?|$))"
# Keys that are not only for an upstream: those for every purpose, and those for the other purposes.
_FOR_ANY = {field.name for field in fields(Location)} - {"websocket_only", "probe"} | {
    "path", "access_log_format", "upstream", "root", "fastcgi", "redirect", "respond", "try_files",
    "disable_symlinks", *guards.KEYS}
# The purposes of a location, each with the keys that only some purposes have.
PURPOSES: dict[str, set[str]] = {
    "upstream": set(LOCATION) - _FOR_ANY,
    "root": {"try_files", "disable_symlinks"},
    "fastcgi": fastcgi.KEYS | {"disable_symlinks"},
    "redirect": set(),
    "respond": set(),
}
# Keys for live connections, and keys that a location with websocket_only refuses, each with its replacement, if any.
_FOR_LIVE = [name for name in LOCATION if name.startswith("live_")] + ["event_streams"]
_NOT_FOR_WEBSOCKETS = {"read_timeout": "live_read_timeout", "buffer_size": "live_buffer_size",
                       "buffers": "live_buffer_size", "buffering": None, "event_streams": None, "separate_live": None}
# The variables that identify live connections: with event streams, and only WebSockets.
LIVE = "$websocket_proxy_live"
WEBSOCKET = "$websocket_proxy_live_socket"
# nginx accepts each of these directives only with fitting values of the others.
_BUFFERS = {"proxy_buffer_size", "proxy_buffers", "proxy_busy_buffers_size"}
_LIVE_BUFFER = "4k"
# Directives that nginx does not allow in a named location.
_NOT_IN_NAMED = ("location", "alias")
_PREFIX = "x-forwarded-prefix"
_LOG = "/var/log/nginx/access.log"
LOG_FORMAT = "websocket_proxy_websocket"
_LOG_FORMATS = {"combined": "combined", "websocket": LOG_FORMAT}


def extra_config(at: InventoryPath, given: Mapping[str, Any]) -> ExtraConfig | None:
    """Return the free text of a site or location; None if it has none."""
    text = given.get("extra_config")
    return ExtraConfig(at["extra_config"].path, text.split("\n")) if text else None


def _upstream_of(known: Mapping[str, Upstream]) -> Callable[[object], Upstream]:
    """Make a validator of the names of upstreams; for an address, the error shows how to define one."""
    by_name = text_values.one_name_of(known, "an upstream")

    def validator(value: object) -> Upstream:
        try:
            return by_name(value)
        except Refused as reason:
            try:
                given = re.sub("^https?://|/+$", "", value) if isinstance(value, str) else value
                address = address_values.server_address(given)
            except Refused:
                raise reason from None
        raise Refused(f"{shown(value)} is an address, not the name of an upstream; add one to "
                      f"websocket_proxy_upstreams, such as {{name: app, servers: [{shown(address)}]}}, and set "
                      "upstream: app here")

    return validator


@dataclass(frozen=True)
class _Prefix:
    """A prefix that the backend does not get: PATH, and what the backend gets INSTEAD, both without their last "/".

    REST is a regular expression that captures the rest of a request's path; None if there is no rest.
    """

    path: str
    instead: str
    rest: str | None = None

    def passed(self) -> str:
        """Return the path and the arguments for the backend."""
        return f"{self.instead}${_REST}" if self.rest else f"{self.instead}/$is_args$args"

    def redirects(self, host: str) -> list[list[str]]:
        """Return the replacements in redirects of a backend that gets HOST, whether or not it knows the prefix."""
        if self.path == self.instead:
            return []
        moved = [[f"{start}{self.instead}/", f"{self.path}/"] for start in ("", f"http://{host}", f"https://{host}")]
        if self.instead:
            return moved
        known = f"~^(?<{_OWN_ADDRESS}>//.*|(https?://[^/]+)?{re.escape(self.path)}([/?#].*)?)$"
        return [[known, f"${_OWN_ADDRESS}"], *moved]

    def cookie_path(self) -> list[str] | None:
        """Return the replacement in the path of the backend's cookies; None if there is none."""
        return [self.instead, self.path or "/"] if self.instead else None


class Locations:
    """The compiler of the locations of one site. It remembers what previous locations use.

    OWN has the headers for the backend and for the client that the site itself sets. ``used`` has the names of the
    upstreams that locations use.

    HOSTS has the variables with the name and port of a client's request. ORIGINS has the variables for pages that may
    not connect. UNDERSCORES is true if nginx may accept underscores in the names of headers. OWN_BUFFERS is true if a
    server or nginx.conf may set sizes of buffers.

    NAME is the site's. SITE_GUARDS collects requests to authentication servers, and ZONES the counters of limits. TEXTS
    are the free texts of http and of the site by inventory path.

    SITE has the values of the site merged with the defaults. LAYERS has the keys of the defaults, then of the site,
    each with its inventory path. FORWARDED has the headers about the client's own connection. EXACT has the paths of
    locations with match: exact.
    """

    def __init__(self, upstreams: Mapping[str, Upstream], site: Mapping[str, Any],
                 layers: list[tuple[InventoryPath, Mapping[str, Any]]], forwarded: Mapping[str, str | None],
                 exact: Collection[object], hosts: Hosts, origins: OriginRules,
                 site_guards: guards.SiteGuards, name: str, zones: Zones, texts: Mapping[str, str],
                 own: tuple[Mapping[str, str | None], Mapping[str, str | None]], underscores: bool,
                 own_buffers: bool) -> None:
        self.used: set[str] = set()
        self._upstream = _upstream_of(upstreams)
        self._inherited = with_defaults(INHERITED, {name: site[name] for name in INHERITED if name in site})
        self._layers = layers
        self._request = [{**_EDGE_HEADERS, **forwarded, **own[0]}, *(headers.read_headers(
            at["request_headers"], given.get("request_headers"), headers.REQUEST) for at, given in layers)]
        self._response = [own[1], *(headers.read_headers(
            at["response_headers"], given.get("response_headers"), headers.RESPONSE) for at, given in layers)]
        self._plain = "" if site.get("dot_segments") == "pass" else _NO_DOT
        self._exact = exact
        self._hosts = hosts
        self._origins = origins
        self._underscores = underscores
        self._own_buffers = own_buffers
        self._guards = site_guards
        self._texts = texts
        # A location's own proxy_ignore_headers would replace these.
        self._ignored = sorted({word for text in texts.values() for words in config_values.outer_directives(text)
                                if words[0] == "proxy_ignore_headers" for word in words[1:]} - {"X-Accel-Redirect"})
        at = next((where for where, given in reversed(layers) if "auth" in given), layers[-1][0])
        self._name, self._zones = name, zones
        limited = next((where for where, given in reversed(layers) if "limits" in given), layers[-1][0])
        self._site_limits = zones.read(limited["limits"], site.get("limits"), name)
        self._site_auth = self._auth(at["auth"], site.get("auth"))
        self._paths: dict[str, InventoryPath] = {}
        self._sticky: list[tuple[Upstream, InventoryPath]] = []
        self._named = 0

    def for_all_paths(self, at: InventoryPath, upstream: object) -> list[Location]:
        """Compile the UPSTREAM of a site, a short form of one location; its inventory path is that of the site."""
        self._paths["prefix /"] = at["upstream"]
        return self._compile(at, {"path": "/", "upstream": upstream}, ["/"])

    def for_other_paths(self, at: InventoryPath) -> list[Location]:
        """Compile the answer for paths that no location has."""
        if "prefix /" in self._paths:
            return []
        return self._compile(at, {}, ["/"])

    def location(self, at: InventoryPath, raw: object) -> list[Location]:
        """Compile one location of the inventory, which may become two."""
        given = read_keys(at, LOCATION, raw)
        if given is None:
            return []
        intended = at.intended(raw, LOCATION)
        match, path = self._matched(at, given, intended)
        self._check_purpose(at, given, intended)
        self._check_ways(at, given)
        sized = given.get("buffer_size", self._inherited["buffer_size"] or "buffer_size" in intended)
        if "buffers" in given and not sized and not given.get("websocket_only"):
            at["buffers"].refuse("this is the number of buffers; buffer_size, their size, is missing")
        words = {"prefix": [path], "exact": ["=", path], "regex": ["~", path]}[match]
        key = "replace_prefix" if "replace_prefix" in given else "strip_prefix" if given.get("strip_prefix") else ""
        if not key:
            return self._compile(at, given, words)
        if match != "prefix" or (path and not path.endswith("/")):
            meant = f"{path}/" if match == "prefix" else "/app/"
            at[key].refuse(f'this needs a prefix that ends with "/", such as {meant}')
            return []
        return self._moved(at, given, path)

    def _matched(self, at: InventoryPath, given: Mapping[str, Any], intended: Collection[str]) -> tuple[str, str]:
        """Return how a location's path is matched, and the path, which is empty if it is refused."""
        # With an invalid match, the path cannot be checked.
        match = given.get("match", "regex" if "match" in intended else LOCATION["match"].default)
        validator = config_values.regular_expression if match == "regex" else path_values.path
        path = at["path"].read(validator, given["path"]) if "path" in given else None
        if path:
            at["path"].once(self._paths, f"{match} {path}", f"{shown(path)} is already the path of")
        return match, path or ""

    def _moved(self, at: InventoryPath, given: Mapping[str, Any], path: str) -> list[Location]:
        """Compile a location whose prefix the backend does not get, and one for the prefix without its "/"."""
        prefix = _Prefix(path.rstrip("/"), given.get("replace_prefix", "").rstrip("/"))
        rest = f"^{re.escape(prefix.path)}(?<{_REST}>{self._plain}/.*)$"
        compiled = self._compile(at, given, [path], replace(prefix, rest=rest))
        if not prefix.path or prefix.path in self._exact:
            return compiled
        # A page needs the "/" for its relative links. nginx would also redirect a handshake, which does not follow
        # redirects.
        (bare,) = self._compile(at, given, ["=", prefix.path], prefix)
        redirect = Answer(308, f"{prefix.path}/$is_args$args", None)
        bare = replace(bare, probe=None)
        return [*compiled, replace(bare, proxy=None, answer=redirect) if bare.live else bare]

    @staticmethod
    def _check_purpose(at: InventoryPath, given: Mapping[str, Any], intended: set[str]) -> None:
        purposes = [purpose for purpose in PURPOSES if purpose in intended]
        if len(purposes) != 1:
            listed = f"found {' and '.join(purposes)}" if purposes else "found none"
            at.refuse(f"a location needs exactly one of {', '.join(PURPOSES)}; {listed}")
            return
        for key in sorted(given):
            owners = [purpose for purpose, keys in PURPOSES.items() if key in keys]
            if owners and purposes[0] not in owners:
                at[key].refuse(f"this needs {' or '.join(owners)}, and the location has {purposes[0]}")
        for key in (*guards.KEYS, "limits") if purposes[0] in ("redirect", "respond") else ():
            if given.get(key):
                at[key].refuse(f"nginx answers with {purposes[0]} before it checks this; remove it, or use upstream "
                               "or root")
        ways = [key for key in ("strip_prefix", "replace_prefix", "rewrite_to") if given.get(key)]
        for key in ways[1:]:
            at[key].refuse(f"{ways[0]} already sets the backend's path")
        if not given.get("replace_prefix", "/").endswith("/"):
            at["replace_prefix"].refuse(f'{shown(given["replace_prefix"])} does not end with "/"')

    def _check_ways(self, at: InventoryPath, given: Mapping[str, Any]) -> None:
        """Refuse keys for connections that the location does not have, or does not separate from others."""
        if given.get("websocket_only"):
            for key, other in _NOT_FOR_WEBSOCKETS.items():
                if key in given:
                    at[key].refuse("with websocket_only, this location has only WebSockets" + (
                        f"; see {other}" if other else ""))
            return
        if "upstream" in given and not given.get("separate_live", self._inherited["separate_live"]):
            for key in _FOR_LIVE:
                if key in given:
                    see = f"; see {key.removeprefix('live_')}" if key.startswith("live_") else ""
                    at[key].refuse("with separate_live: false, live connections use the settings of plain "
                                   f"requests{see}")
            return
        what = "live connections have" if "upstream" in given else "the program has" if "fastcgi" in given else ""
        for directive in config_values.all_directives(given.get("extra_config") or "") if what else ():
            if directive[0] in _NOT_IN_NAMED:
                at["extra_config"].refuse(
                    f"nginx does not allow {directive[0]} in a named location, and {what} one with this text" + (
                        "; separate_live: false makes one location for both" if "upstream" in given else ""))

    def _compile(self, at: InventoryPath, given: Mapping[str, Any], match: list[str],
                 prefix: _Prefix | None = None) -> list[Location]:
        values = {name: given.get(name, self._inherited[name]) for name in INHERITED}
        values["ignored"] = [] if values["accel_redirect"] else ["X-Accel-Redirect", *self._ignored]
        upstream = at["upstream"].read(self._upstream, given["upstream"]) if "upstream" in given else None
        if upstream:
            self.used.add(upstream.label)
        if upstream and upstream.cookie:
            self._check_cookie(upstream, at["upstream"])
        auth = self._auth(at["auth"], given["auth"]) if "auth" in given else self._site_auth
        response = headers.merged(*self._response, headers.read_headers(
            at["response_headers"], given.get("response_headers"), headers.RESPONSE))
        proxy = files = program = answer = origin = None
        if upstream and upstream.servers:
            proxy = self._proxy(at, upstream, given, values, prefix, list(response), auth)
            origin = self._origin(values, proxy)
        elif "root" in given:
            files = Files(given["root"].rstrip("/"), given.get("try_files"), self._symlinks(given))
        elif "fastcgi" in given:
            program = self._program(at, given, values, list(response), auth)
        else:
            answer = self._answer(at, given)
        websocket_only = given.get("websocket_only", False)
        limits = self._limits(at, given, values) if proxy or files or program else Limits()
        location = Location(**{
            **_fields_of_location(values), **({"gzip": None} if websocket_only else {}),
            "access_log": _log(_live(values, given) if websocket_only else values),
            "match": match, "websocket_only": websocket_only, "expires": given.get("expires"),
            "health_check": given.get("health_check", False), "origin": origin,
            "scope": limits.scope, "limits": limits.live if websocket_only else limits.plain,
            "guard": self._guard(at, given, auth, bool(websocket_only)) if proxy or files or program else None,
            "origins": values["allowed_origins"],
            "proxy": proxy, "files": files, "answer": answer,
            "response_headers": [Header(name, value) for name, value in response.items() if value is not None],
            "new_cookie": upstream.new_cookie if upstream else None, "extra_config": extra_config(at, given),
            "probe": _probe(at, given.get("probe")) if upstream else None})
        if program:
            self._named += 1
            name = f"@websocket_proxy_program_{self._named}"
            return [replace(location, files=Files(program.root, [fastcgi.FILE, name], self._symlinks(given)),
                            program=replace(location, match=[name], fastcgi=program, expires=None))]
        if not proxy or not upstream or websocket_only or values["maintenance"] or not values["separate_live"]:
            return [location]
        self._named += 1
        way = replace(proxy, prefix=None, directives=[*_connections(upstream), *self._live_directives(values, given)])
        guard = location.guard and replace(location.guard, login=None)
        live = replace(location, guard=guard, limits=limits.live, origin=None, gzip=None,
                       match=[f"@websocket_proxy_live_{self._named}"], access_log=_log(_live(values, {})), proxy=way)
        return [replace(location, is_live=LIVE if values["event_streams"] else WEBSOCKET, live=live)]

    def _limits(self, at: InventoryPath, given: Mapping[str, Any], values: Mapping[str, Any]) -> Limits:
        """Read the ``limits`` of a location, or those of its site if it has none."""
        scope = f"{self._name} {given.get('path', '/')}"
        found = self._zones.read(at["limits"], given["limits"], scope) if "limits" in given else self._site_limits
        for key in ("max_connections", "max_connections_total", "handshakes_per_second"):
            if isinstance(given.get("limits"), Mapping) and key in given["limits"] and "upstream" not in given:
                at["limits"][key].refuse("this is for WebSockets and event streams, which need an upstream")
        if found.scope:
            guards.check_limits(at, self._texts)
            if "upstream" in given and not given.get("websocket_only") and not values["separate_live"]:
                at["limits"].refuse("with separate_live: false, nginx cannot tell live connections from plain requests")
        return found

    def _auth(self, at: InventoryPath, raw: object) -> guards.Auth:
        """Read ``auth`` of the site or of a location."""
        return self._guards.read(at, raw, self._asking)

    def _asking(self, at: InventoryPath, given: Mapping[str, Any]) -> AuthRequest | None:
        """Return the request to an authentication server; None if its upstream is refused."""
        upstream = at["upstream"].read(self._upstream, given["upstream"])
        if not upstream:
            return None
        self.used.add(upstream.label)
        if not upstream.servers:
            at["upstream"].refuse("this upstream has no servers, so every request would be refused")
        told = headers.merged(*self._request)
        scheme = _scheme(told) or "$scheme"
        host = self._hosts.told(scheme)
        return self._guards.asking(at, given, _address(upstream), _connections(upstream), f"{scheme}://{host}",
                                   {"Host": host, **told})

    def _guard(self, at: InventoryPath, given: Mapping[str, Any], auth: guards.Auth,
               websocket_only: bool) -> Guard | None:
        """Return the access control of a location; None if there is none."""
        directives = [*guards.networks({name: given.get(name, self._inherited[name]) for name in ("allow", "deny")}),
                      *auth.directives()]
        if not directives:
            return None
        login = auth.request.login if auth.request and not websocket_only else None
        guard = Guard(directives, auth.users, auth.cookie, login)
        text = given.get("extra_config") or ""
        guards.check_texts(at, guard, {**self._texts, **({at["extra_config"].path: text} if text else {})})
        return guard

    def _origin(self, values: Mapping[str, Any], proxy: Proxy) -> str | None:
        """Return the variable that is not empty for a page that may not connect; None if every page may."""
        origins = values["allowed_origins"]
        if origins is None or origins.any:
            return None
        scheme = next(header.value for header in proxy.request_headers if header.name.lower() == "x-forwarded-proto")
        return self._origins.variable(origins, LIVE if values["event_streams"] else WEBSOCKET, scheme or "$scheme")

    def _live_directives(self, values: Mapping[str, Any], given: Mapping[str, Any]) -> list[list[str]]:
        """Return nginx's directives for live connections, without those that only the free text sets."""
        written = {words[0] for words in config_values.outer_directives(given.get("extra_config") or "")}
        sized = values["live_buffer_size"] or values["buffer_size"]
        if not sized and (written & _BUFFERS or self._own_buffers):
            written |= _BUFFERS
        written -= {words[0] for words in _directives(values)}
        return [words for words in [*_directives(_live(values, {})), ["gzip", "off"]] if words[0] not in written]

    @staticmethod
    def _symlinks(given: Mapping[str, Any]) -> str:
        return str(given.get("disable_symlinks", LOCATION["disable_symlinks"].default))

    @staticmethod
    def _answer(at: InventoryPath, given: Mapping[str, Any]) -> Answer:
        """Return the answer that nginx itself sends."""
        if "redirect" in given:
            options = with_defaults(REDIRECT, read_keys(at["redirect"], REDIRECT, given["redirect"]) or {})
            return Answer(options["status"], options["to"] or "", None)
        if "respond" in given:
            options = with_defaults(RESPOND, read_keys(at["respond"], RESPOND, given["respond"]) or {})
            return Answer(options["status"], options["body"], options["content_type"])
        # 503 is for an upstream without servers, and 404 for paths without a location.
        return Answer(503 if "upstream" in given else 404, "", None)

    def _check_cookie(self, upstream: Upstream, at: InventoryPath) -> None:
        """Refuse the cookie of another sticky upstream of the same site; nginx ignores case in its name."""
        for other, first in self._sticky:
            paths = sorted([upstream.cookie_path or "", other.cookie_path or ""], key=len)
            if other.label != upstream.label and (other.cookie or "").lower() == (upstream.cookie or "").lower() \
                    and paths[1].startswith(paths[0]):
                at.refuse(f"{shown(upstream.label)} is sticky with the cookie {upstream.cookie}, and so is "
                          f"{shown(other.label)} at {first.path}; a browser sends one cookie to both, so give each "
                          "another name")
                return
        self._sticky.append((upstream, at))

    @staticmethod
    def _check_sent(at: InventoryPath, text: str, request: Mapping[str, str | None]) -> None:
        """Refuse headers in the free TEXT of a location that nginx would send besides the same header of the role.

        An empty header is never sent.
        """
        if not text:
            return
        own = {**{name.lower(): "use request_headers" for name, value in request.items() if value},
               **headers.REQUEST}
        # In an inner block, such as a nested location, a header replaces the role's.
        for directive, *words in config_values.outer_directives(text):
            sent = directive == "proxy_set_header" and words and words[1:] != [""]
            remedy = own.get(words[0].lower()) if sent else None
            if remedy:
                at.refuse(f"nginx would send {words[0]} twice; {remedy}")

    def _told(self, at: InventoryPath, given: Mapping[str, Any],
              more: Mapping[str, str | None] | None = None) -> dict[str, str | None]:
        """Return the headers for a backend, with MORE of the role's own."""
        own, *layers = self._request
        origins = given.get("allowed_origins", self._inherited["allowed_origins"])
        if origins and not origins.any:
            # If Origin has several lines, nginx before 1.23 checks the first. The backend must get the same line.
            own = {**own, "Origin": "$http_origin"}
        return headers.merged({**own, **(more or {})}, *layers, headers.read_headers(
            at["request_headers"], given.get("request_headers"), headers.REQUEST))

    def _host(self, values: Mapping[str, Any], request: Mapping[str, str | None]) -> str:
        """Return the Host header for a backend; its default port depends on the scheme in REQUEST."""
        return self._hosts.told(_scheme(request)) if values["host"] == header_values.HOST else str(values["host"])

    def _proxy(self, at: InventoryPath, upstream: Upstream, given: Mapping[str, Any], values: Mapping[str, Any],
               prefix: _Prefix | None, hidden: list[str], auth: guards.Auth) -> Proxy:
        text = given.get("extra_config") or ""
        told = auth.told()
        if prefix and prefix.path and not prefix.instead and _PREFIX not in text.lower():
            told |= {"X-Forwarded-Prefix": f"{self._request[0]['X-Forwarded-Prefix'] or ''}{prefix.path}"}
        request = self._told(at, given, told)
        self._check_sent(at["extra_config"], text, request)
        host = self._host(values, request)
        if self._underscores:
            request |= dict.fromkeys(headers.other_spellings(request))
        passed = prefix.passed() if prefix else f"{given['rewrite_to']}$is_args$args" if "rewrite_to" in given else ""
        only = given.get("websocket_only")
        directives = self._live_directives(values, given) if only else _directives(values)
        redirects = values["proxy_redirect"] or (prefix.redirects(host) if prefix else [["off"]] if passed else [])
        return Proxy(
            proxy_pass=f"{_address(upstream)}{passed}",
            prefix=prefix.rest if prefix else None,
            request_headers=[Header("Host", host), *(Header(name, value or "") for name, value in request.items())],
            hidden_headers=hidden, redirects=redirects, cookie_path=prefix.cookie_path() if prefix else None,
            directives=[*_connections(upstream), *directives], params="")

    def _program(self, at: InventoryPath, given: Mapping[str, Any], values: Mapping[str, Any],
                 hidden: list[str], auth: guards.Auth) -> FastCgi | None:
        options = read_keys(at["fastcgi"], FASTCGI, given["fastcgi"])
        if not options or not {"server", "root"} <= options.keys():
            return None
        request = self._told(at, given, auth.told())
        for name in request:
            if len(name) > fastcgi.LONGEST_HEADER:
                holder = next((one for one, layer in reversed([*self._layers, (at, given)])
                               if name in (layer.get("request_headers") or {})), at)
                holder["request_headers"].refuse(
                    f"{shown(name)} is longer than {fastcgi.LONGEST_HEADER} characters, the limit for FastCGI in "
                    "nginx; set it only on locations with an upstream")
        scheme = _scheme(request) or "$scheme"
        found = fastcgi.program(with_defaults(FASTCGI, options), (scheme, self._hosts.secure(scheme)),
                                {"Host": self._host(values, request), **request}, hidden, _directives(values))
        for reason in fastcgi.conflicts(given.get("extra_config") or "", found):
            at["extra_config"].refuse(reason)
        return found


def _address(upstream: Upstream) -> str:
    """Return the URL for requests to an upstream, without a path."""
    return f"{'https' if upstream.tls else 'http'}://{upstream.variable or upstream.name}"


def _scheme(request: Mapping[str, str | None]) -> str | None:
    """Return the scheme in the headers of a REQUEST."""
    return next(value for name, value in request.items() if name.lower() == "x-forwarded-proto")


def _probe(at: InventoryPath, raw: object) -> ProbeSettings:
    """Return the probe of a location; by default, an ordinary page is accepted instead of a WebSocket."""
    if raw is None or isinstance(raw, bool):
        return ProbeSettings(at.path, raw is not False, raw is True, None, {})
    given = read_keys(at["probe"], PROBE, raw) or {}
    subprotocols = [where.read(header_values.header_name, item) for where, item in at["probe"]["subprotocols"].items(
        given.get("subprotocols"), "subprotocols")]
    return ProbeSettings(at.path, True, True, given.get("path"), {
        **{name: value for name, value in given.items() if name != "path"},
        **({"subprotocols": subprotocols} if subprotocols else {})})


def _fields_of_location(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the VALUES that are fields of a Location by the same name."""
    names = {field.name for field in fields(Location)}
    return {name: value for name, value in values.items() if name in names}


def _connections(upstream: Upstream) -> list[list[str]]:
    """Return nginx's directives for the connections to an upstream's servers."""
    found = [["proxy_bind", upstream.proxy_bind]] if upstream.proxy_bind else []
    if upstream.variable:
        found += [["resolver", *upstream.resolver], ["resolver_timeout", "5s"]]
    tls = upstream.tls
    if not tls:
        return found
    found.append(["proxy_ssl_protocols", "TLSv1.2", "TLSv1.3"])
    if tls.name:
        found += [["proxy_ssl_server_name", "on"], ["proxy_ssl_name", tls.name]]
    if tls.verify:
        # The default depth of 1 allows no intermediate CA.
        found += [["proxy_ssl_verify", "on"], ["proxy_ssl_verify_depth", "4"],
                  ["proxy_ssl_trusted_certificate", tls.ca]]
    else:
        found.append(["proxy_ssl_verify", "off"])
    if tls.certificate and tls.certificate_key:
        found += [["proxy_ssl_certificate", tls.certificate], ["proxy_ssl_certificate_key", tls.certificate_key]]
    return found


def _directives(values: Mapping[str, Any]) -> list[list[str]]:
    """Return nginx's directives for timeouts, tries and buffers."""
    size, buffering = values["buffer_size"], values["buffering"]
    found = [["proxy_read_timeout", values["read_timeout"]], ["proxy_send_timeout", values["send_timeout"]],
             ["proxy_connect_timeout", values["connect_timeout"]],
             ["proxy_next_upstream", *(values["next_upstream"] or ["off"])]]
    if values["ignored"]:
        found.append(["proxy_ignore_headers", *values["ignored"]])
    if values["next_upstream_tries"]:
        found.append(["proxy_next_upstream_tries", str(values["next_upstream_tries"])])
    if values["next_upstream_timeout"] != "0":
        found.append(["proxy_next_upstream_timeout", values["next_upstream_timeout"]])
    if buffering is not None:
        found.append(["proxy_buffering", "on" if buffering else "off"])
    if size:
        found += [["proxy_buffer_size", size], ["proxy_buffers", str(values["buffers"] or 8), size],
                  ["proxy_busy_buffers_size", _twice(size)]]
    return found


def _live(values: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the VALUES for live connections: nginx passes on at once what the backend sends.

    If a location with websocket_only has a GIVEN log of its own, that takes precedence over the site's live_access_log.
    """
    log = values["live_access_log"] if "access_log" not in given or "live_access_log" in given else None
    log_format = "websocket" if log else values["access_log_format"]
    return {**values, "read_timeout": values["live_read_timeout"], "buffering": False,
            "buffer_size": values["live_buffer_size"] or values["buffer_size"] or _LIVE_BUFFER, "buffers": None,
            "access_log": log or values["access_log"],
            "access_log_format": values["live_access_log_format"] or log_format}


def _log(values: Mapping[str, Any]) -> list[str] | None:
    """Return the parameters of access_log; None for nginx's default log."""
    log, log_format = values["access_log"], values["access_log_format"]
    if log == "off":
        return ["off"]
    if not log and log_format == INHERITED["access_log_format"].default:
        return None
    return [log or _LOG, _LOG_FORMATS[log_format]]


def _twice(size: str) -> str:
    """Return the size of two buffers: how much of a response nginx wants to hold while it is still sending it."""
    number = size.rstrip("km")
    return f"{2 * int(number)}{size[len(number):]}"
