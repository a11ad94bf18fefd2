# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From the inventory's variables to the model, or to the list of everything that is wrong with them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ansible_collections.wsedge.nginx.plugins.plugin_utils import kinds
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model import Header, Location, Model, Site, Upstream
from ansible_collections.wsedge.nginx.plugins.plugin_utils.places import Place, nearest, shown
from ansible_collections.wsedge.nginx.plugins.plugin_utils.schema import (
    LOCATION,
    MAIN_CONTEXT,
    ROLE,
    SITE,
    TIMES,
    UPSTREAM,
    Key,
)

PREFIX = "websocket_proxy_"

# Written by the templates themselves: a second value would break the handshake or the framing of the request.
_RESERVED_HEADERS = ("upgrade", "connection", "host", "content-length", "transfer-encoding")

# An edge sees the client itself, so what a client says about who it is or how it came is replaced, not appended to.
_EDGE_HEADERS = {"X-Real-IP": "$remote_addr", "X-Forwarded-For": "$remote_addr", "X-Forwarded-Proto": "$scheme"}


class InventoryError(ValueError):
    """The inventory cannot be compiled; ``problems`` lists everything that is wrong with it."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def compile_model(variables: Mapping[str, Any], ipv6: bool) -> Model:
    """Compile the role's VARIABLES, all that begin with ``websocket_proxy_``, for a host with or without IPv6.

    :raises InventoryError: with every problem found, each with its full path in the inventory
    """
    problems: list[str] = []
    for name in sorted(set(variables) - set(ROLE)):
        problems.append(f"{name}: not a variable of this role; {_nearest_variable(name)}")
    role = {name: _value(Place(name, problems), key, variables.get(name)) for name, key in ROLE.items()}

    connections, files = (role[PREFIX + "worker_connections"], role[PREFIX + "worker_rlimit_nofile"])
    if connections and files and files < connections:
        Place(PREFIX + "worker_rlimit_nofile", problems).refuse(
            f"{files} is less than {PREFIX}worker_connections, {connections}: each connection needs a file descriptor")

    drop_in = role[PREFIX + "nginx_conf"] == "drop_in"
    for name in MAIN_CONTEXT if drop_in else ():
        if role[name] not in (None, _value(Place(name, problems), ROLE[name], None)):
            Place(name, problems).refuse(f"with {PREFIX}nginx_conf: drop_in, nginx.conf is somebody else's, and this "
                                         "can be set nowhere but there")

    upstreams = list(_upstreams(Place(PREFIX + "upstreams", problems), role[PREFIX + "upstreams"]))
    known = {upstream.label: upstream.name for upstream in upstreams if upstream.label}
    sites = _Sites(Place(PREFIX + "sites", problems), known, role[PREFIX + "other_upgrades"], ipv6, drop_in)
    compiled = sites.compile(role[PREFIX + "sites"])
    if problems:
        raise InventoryError(problems)

    names = {name for site in compiled for name in site.server_names}
    scalars = {name.removeprefix(PREFIX): value for name, value in role.items() if ROLE[name].kind}
    del scalars["other_upgrades"]
    return Model(**scalars, server_names_hash_bucket_size=_bucket_size(names),
                 server_names_hash_max_size=_max_size(len(names)), upstreams=upstreams, sites=compiled)


def _nearest_variable(name: str) -> str:
    meant = nearest(name, ROLE)
    return meant if meant.startswith("did you mean") else "its variables are listed in the role's README"


def _value(place: Place, key: Key, given: Any) -> Any:
    """Return what GIVEN stands for under KEY: its default where it is absent, None where it is refused."""
    value = key.default if given is None else given
    return place.read(key.kind, value) if key.kind and value is not None else value


def _keys(place: Place, keys: Mapping[str, Key], raw: object) -> dict[str, Any] | None:
    """Return the given keys of the mapping RAW, each value of its kind; a refused value is left out."""
    given = place.mapping(raw, keys, [name for name, key in keys.items() if key.required])
    if given is None:
        return None
    checked = {name: _value(place[name], keys[name], value) for name, value in given.items()}
    return {name: value for name, value in checked.items() if value is not None}


def _upstreams(place: Place, raw: object) -> Iterable[Upstream]:
    first: dict[str, Place] = {}
    for where, item in place.items(raw, "upstreams"):
        given = _keys(where, UPSTREAM, item)
        if given is None:
            continue
        label = given.get("name", "")
        if label:
            _once(first, label.lower(), where["name"], f"{shown(label)} is already the name of")
        servers = []
        if "servers" in given:
            seen: dict[str, Place] = {}
            for at, server in where["servers"].items(given["servers"], "servers"):
                address = at.read(kinds.server_address, server)
                if address:
                    _once(seen, address, at, f"{shown(server)} is already")
                    servers.append(address)
            if given["servers"] == []:
                where["servers"].refuse("the list is empty; an upstream needs at least one server")
        yield Upstream(name=f"websocket_proxy_{label}", label=label, servers=servers,
                       keepalive=given.get("keepalive", UPSTREAM["keepalive"].default))


def _once(first: dict[str, Place], what: str, place: Place, refusal: str) -> None:
    """Note PLACE as the first of WHAT, or refuse it with the place that was."""
    if what in first:
        place.refuse(f"{refusal} {first[what].path}")
    else:
        first[what] = place


class _Sites:
    """Compiles the sites in their order; knows what earlier ones have taken."""

    def __init__(self, place: Place, upstreams: Mapping[str, str], other_upgrades: str | None, ipv6: bool,
                 drop_in: bool) -> None:
        self._place = place
        self._upstream = kinds.one_name_of(upstreams, "an upstream")
        self._other_upgrades = other_upgrades
        self._ipv6 = ipv6
        self._drop_in = drop_in
        self._names: dict[str, Place] = {}
        self._served: dict[str, Place] = {}

    def compile(self, raw: object) -> list[Site]:
        sites = (self._site(where, item) for where, item in self._place.items(raw, "sites"))
        return [site for site in sites if site]

    def _site(self, place: Place, raw: object) -> Site | None:
        given = _keys(place, SITE, raw)
        if given is None:
            return None
        if "upstream" not in given and given.get("locations", []) == [] \
                and not {"upstream", "locations"} & place.misspelt(raw, SITE):
            place.refuse('"upstream" or "locations" is missing')
        server_names = self._server_names(place["server_names"], given.get("server_names"))
        sockets = self._sockets(place["listen"], given.get("listen", SITE["listen"].default))
        for name, at in server_names.items():
            for socket in sockets:
                _once(self._served, f"{socket} {name}", at, f"{shown(name)} on {socket} is already")
        name = given.get("name") or self._default_name(place, list(server_names))
        hint = "" if "name" in given else 'give the site a "name", because '
        _once(self._names, name.lower(), place["name"], f"{hint}{shown(name)} is already the name of")
        locations = self._locations(place, given)
        return Site(name=name, server_names=list(server_names), listen=sockets, server_tokens_off=self._drop_in,
                    reject_other_upgrades=given.get("other_upgrades", self._other_upgrades) == "reject",
                    refuse_other_paths=all(location.path != "/" for location in locations), locations=locations)

    @staticmethod
    def _default_name(place: Place, server_names: list[str]) -> str:
        """Name a site after its first server name, as far as a file's name can hold that."""
        if not server_names:
            return place.path
        first = server_names[0].replace("*", "_").translate({ord("["): None, ord("]"): None, ord(":"): "_"})
        return first[:200]

    @staticmethod
    def _server_names(place: Place, raw: object) -> dict[str, Place]:
        """Return each server name with the place where it stands."""
        names: dict[str, Place] = {}
        for where, item in place.items(raw, "server names"):
            name = where.read(kinds.server_name, item)
            if name:
                _once(names, name, where, f"{shown(item)} is already")
        if raw == []:
            place.refuse("the list is empty; a site needs at least one server name")
        return names

    def _sockets(self, place: Place, raw: object) -> list[str]:
        """Return the parameters of the listen directives; a bare port is every address, of IPv6 where there is any."""
        sockets: dict[str, Place] = {}
        for where, item in place.items(raw, "ports and addresses"):
            listen = where.read(kinds.listen, item)
            if not listen:
                continue
            address, port = listen
            if address.startswith("[") and not self._ipv6:
                where.refuse(f"{shown(item)}: the host can open no IPv6 socket")
            addresses = [address] if address else ["0.0.0.0", "[::]"] if self._ipv6 else ["0.0.0.0"]
            for one in addresses:
                socket = f"{port}" if one == "0.0.0.0" else f"{one}:{port}"
                _once(sockets, socket, where, f"{shown(item)} listens where already does")
        if raw == []:
            place.refuse("the list is empty; leave it out to listen on port 80")
        return list(sockets)

    def _locations(self, place: Place, site: Mapping[str, Any]) -> list[Location]:
        first: dict[str, Place] = {}
        locations = []
        times = {name: site.get(name, _value(place, LOCATION[name], None)) for name in TIMES}
        headers = _merged(_EDGE_HEADERS, _headers(place["request_headers"], site.get("request_headers")))
        if "upstream" in site:
            first["/"] = place["upstream"]
            locations.append(self._location(place, {"path": "/", "upstream": site["upstream"]}, times, headers))
        for where, item in place["locations"].items(site.get("locations"), "locations"):
            given = _keys(where, LOCATION, item)
            if given is None:
                continue
            if "path" in given:
                _once(first, given["path"], where["path"], f"{shown(given['path'])} is already the path of")
            locations.append(self._location(where, given, times, headers))
        return locations

    def _location(self, place: Place, given: Mapping[str, Any], times: Mapping[str, str],
                  headers: Mapping[str, str]) -> Location:
        upstream = place["upstream"].read(self._upstream, given["upstream"]) if "upstream" in given else None
        headers = _merged(headers, _headers(place["request_headers"], given.get("request_headers")))
        return Location(path=given.get("path", ""), proxy_pass=f"http://{upstream}",
                        **{name: given.get(name, times[name]) for name in TIMES},
                        request_headers=[Header(name, value) for name, value in headers.items()],
                        headers_hash_bucket_size=_bucket_size(headers), headers_hash_max_size=_max_size(len(headers)))


def _headers(place: Place, raw: object) -> dict[str, str]:
    """Return the headers of one mapping of the inventory; null, which removes a header, becomes nginx's empty value."""
    if raw is None:
        return {}
    if not isinstance(raw, Mapping):
        place.refuse(f"{shown(raw)} is not a mapping of header names to values")
        return {}
    first: dict[str, Place] = {}
    headers = {}
    for key, item in raw.items():
        where = place[str(key)]
        name = where.read(kinds.header_name, key)
        if not name:
            continue
        if name.lower() in _RESERVED_HEADERS:
            where.refuse("the role itself sets this header; "
                         + ("see the key other_upgrades" if name.lower() in ("upgrade", "connection")
                            else "it cannot be set here"))
            continue
        _once(first, name.lower(), where, "header names ignore case; this one is already")
        value = "" if item is None else where.read(kinds.header_value, item)
        if value is not None:
            headers[name] = value
    return headers


def _merged(below: Mapping[str, str], above: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of both, by name without regard to case; those ABOVE win."""
    replaced = {name.lower() for name in above}
    return {name: value for name, value in below.items() if name.lower() not in replaced} | dict(above)


def _bucket_size(names: Collection[str]) -> int | None:
    """Return the hash bucket size that NAMES need, None where nginx's default of 64 does.

    A few names find a number of buckets without collisions; of many, up to six meet in one bucket.
    Source: NGX_HASH_ELT_SIZE in ngx_hash.c: a pointer and the name with its length, rounded up; a null pointer ends
    the bucket.
    """
    longest = max((len(name) for name in names), default=0)
    together = 1 if len(names) <= 32 else 6
    needed = 8 + together * (8 + (longest + 2 + 7) // 8 * 8)
    return None if needed <= 64 else 1 << (needed - 1).bit_length()


def _max_size(count: int) -> int | None:
    """Return the number of hash buckets that spreads COUNT names well, None where nginx's default of 512 does."""
    return None if count <= 128 else 1 << (4 * count - 1).bit_length()
