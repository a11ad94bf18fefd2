# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From the inventory's variables to the model, or to the list of everything that is wrong with them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ansible_collections.wsedge.nginx.plugins.plugin_utils import kinds
from ansible_collections.wsedge.nginx.plugins.plugin_utils.host import Host
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model import Header, Location, Model, Site, Upstream
from ansible_collections.wsedge.nginx.plugins.plugin_utils.places import Place, nearest, shown
from ansible_collections.wsedge.nginx.plugins.plugin_utils.schema import (
    INHERITED,
    LOCATION,
    MAIN_CONTEXT,
    ROLE,
    SITE,
    read_keys,
    with_defaults,
)
from ansible_collections.wsedge.nginx.plugins.plugin_utils.upstreams import Inventory, Upstreams

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


def compile_model(variables: Mapping[str, Any], host: Host, inventory: Inventory | None = None) -> Model:
    """Compile the role's VARIABLES, all that begin with ``websocket_proxy_``, for a host.

    :raises InventoryError: with every problem found, each with its full path in the inventory
    """
    problems: list[str] = []
    for name in sorted(set(variables) - set(ROLE)):
        problems.append(f"{name}: not a variable of this role; {_nearest_variable(name)}")
    role = {name: key.read(Place(name, problems), variables.get(name)) for name, key in ROLE.items()}

    connections, files = (role[PREFIX + "worker_connections"], role[PREFIX + "worker_rlimit_nofile"])
    if connections and files and files < connections:
        Place(PREFIX + "worker_rlimit_nofile", problems).refuse(
            f"{files} is less than {PREFIX}worker_connections, {connections}: each connection needs a file descriptor")

    drop_in = role[PREFIX + "nginx_conf"] == "drop_in"
    for name in MAIN_CONTEXT if drop_in else ():
        if role[name] not in (None, ROLE[name].read(Place(name, problems), None)):
            Place(name, problems).refuse(f"with {PREFIX}nginx_conf: drop_in, nginx.conf is somebody else's, and this "
                                         "can be set nowhere but there")

    resolver = [server for where, item in Place(PREFIX + "resolver", problems).items(
        role[PREFIX + "resolver"], "addresses") if (server := where.read(kinds.dns_server, item))]
    upstreams = Upstreams(Place(PREFIX + "upstreams", problems), host, inventory or Inventory(),
                          resolver if resolver or not role[PREFIX + "resolver"] else None)
    groups = upstreams.compile(role[PREFIX + "upstreams"])
    sites = _Sites(Place(PREFIX + "sites", problems), {group.label: group for group in groups if group.label},
                   role[PREFIX + "other_upgrades"], host.ipv6, drop_in)
    compiled = sites.compile(role[PREFIX + "sites"])
    if problems:
        # Two upstreams of one group of hosts find the same problems.
        raise InventoryError(list(dict.fromkeys(problems)))

    names = {name for site in compiled for name in site.server_names}
    scalars = {name.removeprefix(PREFIX): value for name, value in role.items() if ROLE[name].kind}
    del scalars["other_upgrades"]
    return Model(**scalars, server_names_hash_bucket_size=_bucket_size(names),
                 server_names_hash_max_size=_max_size(len(names)),
                 variables_hash_max_size=_variables_size(2 * len(upstreams.routes) + len(upstreams.sources)),
                 routes=upstreams.routes, sources=upstreams.sources, upstreams=groups, sites=compiled)


def _nearest_variable(name: str) -> str:
    meant = nearest(name, ROLE)
    return meant if meant.startswith("did you mean") else "its variables are listed in the role's README"


class _Sites:
    """Compiles the sites in their order; knows what earlier ones have taken."""

    def __init__(self, place: Place, upstreams: Mapping[str, Upstream], other_upgrades: str | None, ipv6: bool,
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
        given = read_keys(place, SITE, raw)
        if given is None:
            return None
        if "upstream" not in given and given.get("locations", []) == [] \
                and not {"upstream", "locations"} & place.misspelt(raw, SITE):
            place.refuse('"upstream" or "locations" is missing')
        server_names = self._server_names(place["server_names"], given.get("server_names"))
        sockets = self._sockets(place["listen"], given.get("listen", SITE["listen"].default))
        for name, at in server_names.items():
            for socket in sockets:
                at.once(self._served, f"{socket} {name}", f"{shown(name)} on {socket} is already")
        name = given.get("name") or self._default_name(place, list(server_names))
        hint = "" if "name" in given else 'give the site a "name", because '
        place["name"].once(self._names, name.lower(), f"{hint}{shown(name)} is already the name of")
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
                where.once(names, name, f"{shown(item)} is already")
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
                where.once(sockets, socket, f"{shown(item)} listens where already does")
        if raw == []:
            place.refuse("the list is empty; leave it out to listen on port 80")
        return list(sockets)

    def _locations(self, place: Place, site: Mapping[str, Any]) -> list[Location]:
        first: dict[str, Place] = {}
        sticky: list[tuple[Upstream, Place]] = []
        locations = []
        inherited = with_defaults(INHERITED, {name: site[name] for name in INHERITED if name in site})
        headers = _merged(_EDGE_HEADERS, _headers(place["request_headers"], site.get("request_headers")))
        if "upstream" in site:
            first["/"] = place["upstream"]
            locations.append(self._location(place, {"path": "/", "upstream": site["upstream"]}, inherited, headers,
                                            sticky))
        for where, item in place["locations"].items(site.get("locations"), "locations"):
            given = read_keys(where, LOCATION, item)
            if given is None:
                continue
            if "path" in given:
                where["path"].once(first, given["path"], f"{shown(given['path'])} is already the path of")
            locations.append(self._location(where, given, inherited, headers, sticky))
        return locations

    def _location(self, place: Place, given: Mapping[str, Any], inherited: Mapping[str, Any],
                  headers: Mapping[str, str], sticky: list[tuple[Upstream, Place]]) -> Location:
        upstream = place["upstream"].read(self._upstream, given["upstream"]) if "upstream" in given else None
        if upstream and upstream.cookie:
            self._check_cookie(upstream, place["upstream"], sticky)
        headers = _merged(headers, _headers(place["request_headers"], given.get("request_headers")))
        values = {name: given.get(name, inherited[name]) for name in INHERITED}
        values["next_upstream"] = values["next_upstream"] or ["off"]
        return Location(path=given.get("path", ""),
                        proxy_pass=f"http://{upstream.name}" if upstream and upstream.servers else None,
                        proxy_bind=upstream.proxy_bind if upstream else None,
                        new_cookie=upstream.new_cookie if upstream else None, **values,
                        request_headers=[Header(name, value) for name, value in headers.items()],
                        headers_hash_bucket_size=_bucket_size(headers), headers_hash_max_size=_max_size(len(headers)))

    @staticmethod
    def _check_cookie(upstream: Upstream, place: Place, sticky: list[tuple[Upstream, Place]]) -> None:
        """Refuse the cookie of another sticky upstream of the same site; nginx reads its name in any case."""
        for other, at in sticky:
            paths = sorted([upstream.cookie_path or "", other.cookie_path or ""], key=len)
            if other.label != upstream.label and (other.cookie or "").lower() == (upstream.cookie or "").lower() \
                    and paths[1].startswith(paths[0]):
                place.refuse(f"{shown(upstream.label)} is sticky with the cookie {upstream.cookie}, and so is "
                             f"{shown(other.label)} at {at.path}; a browser sends the same one to both, so give each "
                             "its own")
                return
        sticky.append((upstream, place))


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
        where.once(first, name.lower(), "header names ignore case; this one is already")
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


def _variables_size(own: int) -> int | None:
    """Return the number of buckets for nginx's variables with our OWN, None where nginx's default of 1,024 does.

    nginx itself has some 150, and complains when 15 more or so are there.
    """
    return None if own <= 8 else 1 << (4 * (150 + own) - 1).bit_length()


def _max_size(count: int) -> int | None:
    """Return the number of hash buckets that spreads COUNT names well, None where nginx's default of 512 does."""
    return None if count <= 128 else 1 << (4 * count - 1).bit_length()
