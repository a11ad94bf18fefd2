# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Upstreams: their servers, the choice of a server for a client, and the source addresses of connections."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ansible.errors import AnsibleError
from jinja2 import TemplateError

from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.host import Host
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.model import (
    Server,
    Share,
    Sources,
    StickyRoute,
    Upstream,
    UpstreamTls,
)
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec import address_values, time_values
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.inventory_path import (
    InventoryPath,
    listed,
    nearest,
    shown,
)
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.schema import (
    METHODS,
    SERVER,
    UPSTREAM,
    UPSTREAM_TLS,
    read_keys,
    with_defaults,
)
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.secrets import marked

# The versions of open-source nginx that introduced features that some hosts lack. Source: https://nginx.org/en/CHANGES
_KEEPALIVE_TIME = (1, 19, 10)
_RESOLVE = (1, 27, 3)
_KEEPALIVE_BY_DEFAULT = (1, 29, 7)

# One zone for all upstreams: with a zone for each of 1,000 upstreams, nginx -t takes half as long again, and a reload
# needs 22 MB more.
_ZONE = "websocket_proxy"
# A server needs up to 1.2 KiB of the zone, whatever the version.
_SERVERS_IN_64K = 40

_PLAIN = [name for name, method in METHODS.items() if method.plain]
_WITH_KEYS = [name for name, method in METHODS.items() if method.keys]
_WITH_BACKUP = [name for name, method in METHODS.items() if method.with_backup]


@dataclass(frozen=True)
class Inventory:
    """The hosts that can be servers of an upstream: all hosts of the inventory, whatever a run is limited to."""

    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    hostvars: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class _Member:
    """A server: its inventory path, its address with the inventory path of the address, and its options."""

    at: InventoryPath
    address_at: InventoryPath
    address: str
    options: Mapping[str, Any]


class Upstreams:
    """The compiler of the upstreams in their order. It remembers what previous upstreams use.

    The upstreams refer to ``routes`` and ``sources``. ``looked_up`` counts the upstreams whose server each request
    looks up. The resolver is None if its value in the inventory is refused.
    """

    def __init__(self, at: InventoryPath, host: Host, inventory: Inventory, resolver: list[str] | None) -> None:
        self.routes: list[StickyRoute] = []
        self.sources: list[Sources] = []
        self.looked_up = 0
        self._at = at
        self._host = host
        self._inventory = inventory
        self._resolver = resolver
        self._names: dict[str, InventoryPath] = {}
        self._asked: dict[tuple[str, frozenset[str]], int] = {}

    def compile(self, raw: object) -> list[Upstream]:
        """Return the upstreams; those with servers share one zone, which the first of them defines.

        If each request looks up the name of a server, its upstream does not exist in nginx.
        """
        compiled = [self._upstream(where, given, item) for where, item in self._at.items(raw, "upstreams")
                    if (given := read_keys(where, UPSTREAM, item)) is not None]
        zoned = [index for index, upstream in enumerate(compiled) if upstream.servers and not upstream.variable]
        servers = [server.address for index in zoned for server in compiled[index].servers]
        # A name may resolve to many addresses, each of which counts as a server.
        names = sum(_is_name(address) for address in servers)
        zone = [_ZONE, f"{64 * (-(-len(servers) // _SERVERS_IN_64K) + names)}k"]
        for index in zoned:
            compiled[index] = replace(compiled[index], zone=zone)
            zone = [_ZONE]
        return compiled

    def _upstream(self, at: InventoryPath, given: Mapping[str, Any], raw: object) -> Upstream:
        values = with_defaults(UPSTREAM, given)
        intended = at.intended(raw, UPSTREAM)
        label = given.get("name", "")
        if label:
            at["name"].once(self._names, label.lower(), f"{shown(label)} is already the name of")
        members = list(self._members(at, given, intended))
        method, options = self._method(at["load_balancing"], values["load_balancing"])
        bind = self._bind(at["proxy_bind"], values["proxy_bind"])
        self._check_connections(at, given, intended, members, bind)
        looked_up = bool(given.get("resolve")) and self._check_resolve(at["resolve"], values, members)
        self._check_backups(at, method, members)
        by_hash = method == "sticky" and not self._host.has(*METHODS[method].since)
        route = self._sticky_route(options) if by_hash else None
        directive = METHODS[method].directive(options) if method else []
        return Upstream(**{
            **{name: values[name] for name in ("keepalive_requests", "keepalive_timeout", "keepalive_time")},
            "name": f"websocket_proxy_{label}", "label": label, "zone": [], "variable": self._variable(looked_up),
            "load_balancing": ["hash", route.key, "consistent"] if route else directive,
            "servers": [_server(member, values["resolve"]) for member in members],
            "keepalive": values["keepalive"] or (0 if self._host.has(*_KEEPALIVE_BY_DEFAULT) else None),
            "resolver": self._asks() if values["resolve"] else [],
            "proxy_bind": self._source(bind), "new_cookie": route.new_cookie if route else None,
            "cookie": options.get("cookie"), "cookie_path": options.get("path"),
            "tls": self._tls(at["tls"], given.get("tls"), members)})

    def _check_connections(self, at: InventoryPath, given: Mapping[str, Any], intended: Collection[str],
                           members: Sequence[_Member], bind: Sequence[str]) -> None:
        """Refuse settings that connections to the servers do not allow, whatever the load balancing method."""
        if bind:
            self._check_families(members, bind)
        self._check_ports(members, bind)
        self._check_keepalive(at, given, intended)

    def _asks(self) -> list[str]:
        """Return the parameters of the directive resolver."""
        return [*(self._resolver or []), *([] if self._host.ipv6 else ["ipv6=off"])]

    def _tls(self, at: InventoryPath, raw: object, members: list[_Member]) -> UpstreamTls | None:
        given = None if raw is None else read_keys(at, UPSTREAM_TLS, raw)
        if given is None:
            return None
        options = with_defaults(UPSTREAM_TLS, given)
        for one, other in (("certificate", "certificate_key"), ("certificate_key", "certificate")):
            if one in given and other not in at.intended(raw, UPSTREAM_TLS):
                at.refuse(f'"{other}" is missing')
        hosts = {member.address.rpartition(":")[0] for member in members}
        names = [host for host in hosts if _is_name(f"{host}:1")]
        name = options["server_name"] or (names[0] if len(names) == len(hosts) == 1 else None)
        if options["verify"] and not name and members and "server_name" not in at.intended(raw, UPSTREAM_TLS):
            at.refuse('"server_name" is missing: the servers are not all one host name, so set the name that is in '
                      "their certificates")
        return UpstreamTls(options["verify"], options["ca"], name, options["certificate"], options["certificate_key"])

    # --- the servers

    def _members(self, at: InventoryPath, given: Mapping[str, Any], intended: Collection[str]) -> Iterator[_Member]:
        first: dict[str, InventoryPath] = {}
        may_be_empty = given.get("allow_empty", "allow_empty" in intended)
        for member in (*self._servers(at, given), *self._group(at, given, intended, may_be_empty)):
            member.at.once(first, member.address, f"{shown(member.address)} is already")
            yield member
        if "port" in given and "group" not in intended:
            at["port"].refuse('this is the port of the hosts of "group", which is not set')
        if may_be_empty or "group" in intended:
            return
        if given.get("servers") == []:
            at["servers"].refuse("the list is empty; an upstream needs at least one server")
        elif "servers" not in intended:
            at.refuse('"servers" or "group" is missing')

    @staticmethod
    def _servers(at: InventoryPath, given: Mapping[str, Any]) -> Iterator[_Member]:
        for where, item in at["servers"].items(given.get("servers"), "servers"):
            if isinstance(item, Mapping):
                options, address_at = read_keys(where, SERVER, item), where["address"]
            else:
                options, address_at = {"address": item}, where
            if options is None:
                continue
            if "address" in options:
                address = address_at.read(address_values.server_address, options["address"])
                if address:
                    yield _Member(where, address_at, address, with_defaults(SERVER, options))
            elif "address" not in where.misspelt(item, SERVER):
                where.refuse('"address" is missing')

    def _group(self, at: InventoryPath, given: Mapping[str, Any], intended: Collection[str],
               may_be_empty: bool) -> Iterator[_Member]:
        """Give all hosts of an inventory group in the order of their names, whatever a run is limited to."""
        if "group" not in given:
            return
        name, groups = given["group"], self._inventory.groups
        hosts = groups.get(name, [])
        if not hosts:
            if not may_be_empty:
                others = [other for other in groups if groups[other] and other not in ("all", "ungrouped")]
                state = "is a group without hosts" if name in groups else "is not a group of the inventory"
                at["group"].refuse(f"{shown(name)} {state}; {nearest(name, others)}")
            return
        without_port = False
        for host in sorted(hosts):
            where = at.elsewhere(f"hostvars[{shown(host)}].websocket_proxy_server")
            try:
                told = self._inventory.hostvars.get(host, {})
                own = marked(told.get("websocket_proxy_server"))
                options = read_keys(where, SERVER, {} if own is None else own)
                if options is None:
                    continue
                address_at, address = where["address"], options.get("address")
                if address is None:
                    address_at = at.elsewhere(f"hostvars[{shown(host)}].ansible_host")
                    address = marked(told.get("ansible_host"))
                if address is None:
                    address_at, address = at["group"], host
                read = address_at.read(address_values.address_with(given.get("port")), address)
            except (AnsibleError, TemplateError) as error:
                where.refuse(f"this variable or ansible_host cannot be templated: {' '.join(str(error).split())}")
                continue
            without_port = without_port or read == ""
            if read:
                yield _Member(where, address_at, read, with_defaults(SERVER, options))
        if without_port and "port" not in intended:
            at.refuse(f'"port" is missing: the port on which the hosts of {shown(name)} listen')

    # --- the choice of a server for a client

    @staticmethod
    def _method(at: InventoryPath, raw: object) -> tuple[str, dict[str, Any]]:
        """Return the name of the load balancing method and its options; an empty name if it is refused."""
        if isinstance(raw, str):
            if raw in METHODS and raw not in _PLAIN:
                keys = ", ".join(f"{name}: …" for name, key in METHODS[raw].keys.items() if key.required)
                at.refuse(f"{shown(raw)} needs keys; expected {{{raw}: {{{keys}}}}}")
            elif raw not in _PLAIN:
                at.refuse(f"{shown(raw)} is not a load balancing method; {nearest(raw, METHODS)}")
            else:
                return raw, {}
            return "", {}
        if not isinstance(raw, Mapping):
            at.refuse(f"{shown(raw)} is not a load balancing method; expected {', '.join(_PLAIN)}, or a mapping with "
                      f"one of {', '.join(_WITH_KEYS)}")
            return "", {}
        if len(raw) == 1:
            at.mapping(raw, _WITH_KEYS)
        else:
            at.refuse(f"expected one load balancing method, found {len(raw)}")
            return "", {}
        ((method, item),) = raw.items()
        options = read_keys(at[method], METHODS[method].keys, item) if method in _WITH_KEYS else None
        if options is None:
            return "", {}
        if options.get("samesite") == "none" and not options.get("secure"):
            at[method]["samesite"].refuse("browsers drop a cookie with SameSite=None that is not secure; set secure: "
                                          "true")
        return method, with_defaults(METHODS[method].keys, options)

    @staticmethod
    def _check_backups(at: InventoryPath, method: str, members: Sequence[_Member]) -> None:
        backups = [member for member in members if member.options["backup"]]
        if method in _WITH_BACKUP and backups and len(backups) == len(members):
            at.refuse("all servers are backups, and nginx needs at least one that is not")
        for member in backups if method and method not in _WITH_BACKUP else ():
            before = " before 1.29.6" if method == "sticky" else ""
            member.at["backup"].refuse(f"nginx{before} does not support backup servers with load_balancing: {method}; "
                                       f"use {' or '.join(_WITH_BACKUP)}")

    def _sticky_route(self, options: Mapping[str, Any]) -> StickyRoute:
        """Return the variables that replace nginx's own ``sticky`` with a cookie and a hash."""
        attributes = [f"Path={options['path']}"]
        if options["domain"]:
            attributes.append(f"Domain={options['domain']}")
        if options["expires"]:
            attributes.append(f"Max-Age={time_values.in_seconds(options['expires'])}")
        attributes += [name for name in ("HttpOnly", "Secure") if options[name.lower()]]
        attributes.append(f"SameSite={options['samesite'].capitalize()}")
        value = "; ".join([f"{options['cookie']}=$request_id", *attributes])
        for route in self.routes:
            if route.value == value:
                return route
        number = len(self.routes) + 1
        route = StickyRoute(cookie=f"$cookie_{options['cookie']}", value=value, key=f"$websocket_proxy_route_{number}",
                            new_cookie=f"$websocket_proxy_new_route_{number}")
        self.routes.append(route)
        return route

    # --- the source addresses of connections

    def _bind(self, at: InventoryPath, raw: object) -> list[str]:
        first: dict[str, InventoryPath] = {}
        addresses = []
        for where, item in at.items(raw, "addresses"):
            address = where.read(address_values.address, item)
            if not address:
                continue
            where.once(first, address, f"{shown(item)} is already")
            if not self._host.addresses.get(str(item), True):
                where.refuse(f"the host has no address {shown(item)}")
            addresses.append(address)
        if len({":" in address for address in addresses}) > 1:
            at.refuse("these mix IPv4 and IPv6; use only the family of the servers' addresses")
            return []
        return addresses

    @staticmethod
    def _check_families(members: Sequence[_Member], bind: Sequence[str]) -> None:
        is_ipv6 = ":" in bind[0]
        family = "IPv6" if is_ipv6 else "IPv4"
        for member in members:
            address = member.address
            if _is_name(address) or _is_path(address) or address.startswith("[") != is_ipv6:
                member.at.refuse(f"with proxy_bind, this has to be an {family} address, not {shown(address)}")

    def _check_ports(self, members: Sequence[_Member], bind: Sequence[str]) -> None:
        """Refuse max_conns if there are not enough local ports; each connection to an address needs one."""
        ports = self._host.local_ports
        available = ports
        if len(bind) > 1:
            # A hash spreads connections over the addresses. The address with the largest share runs out of ports
            # slightly before the others.
            available = ports * 9800 // _hundredths(len(bind))[0]
        for member in members:
            key = (member.address, frozenset(bind))
            asked = self._asked[key] = self._asked.get(key, 0) + member.options["max_conns"]
            if not _is_path(member.address) and member.options["max_conns"] and asked > available:
                sources = f"{len(bind)} addresses" if len(bind) > 1 else "one address"
                member.at["max_conns"].refuse(
                    f"{asked} connections to {member.address} need as many local ports, but only {available} are "
                    f"available, {ports} for each of {sources}; add addresses to proxy_bind, or let the server listen "
                    "on more ports or on a unix socket")

    def _source(self, bind: Sequence[str]) -> str | None:
        """Return the value of proxy_bind: the only address, or the variable that spreads connections over several."""
        if len(bind) < 2:
            return bind[0] if bind else None
        percentages = [f"{part / 100:.2f}%" for part in _hundredths(len(bind))[:-1]]
        shares = [Share(*share) for share in zip((*percentages, "*"), bind, strict=True)]
        for sources in self.sources:
            if sources.shares == shares:
                return sources.variable
        self.sources.append(Sources(f"$websocket_proxy_source_{len(self.sources) + 1}", shares))
        return self.sources[-1].variable

    # --- features that some versions of nginx lack

    def _check_keepalive(self, at: InventoryPath, given: Mapping[str, Any], intended: Collection[str]) -> None:
        for name in ("keepalive_requests", "keepalive_timeout", "keepalive_time"):
            if name in given and not given.get("keepalive", "keepalive" in intended):
                at[name].refuse("this is for idle connections, and keepalive, their number, is 0")
        if "keepalive_time" in given and self._host.has(*_KEEPALIVE_TIME) is False:
            at["keepalive_time"].refuse(self._needs(_KEEPALIVE_TIME))

    def _check_resolve(self, at: InventoryPath, values: Mapping[str, Any], members: Sequence[_Member]) -> bool:
        """Return whether each request has to look up the name, because this nginx cannot follow its changes."""
        if self._resolver == []:
            at.refuse("this needs a DNS server; set websocket_proxy_resolver")
        if self._host.has(*_RESOLVE) is not False:
            return False
        more = [name for name in ("load_balancing", "keepalive") if values[name] != UPSTREAM[name].default]
        more += [name for one in members for name in SERVER
                 if name != "address" and one.options[name] != SERVER[name].default]
        if len(members) != 1 or not _is_name(members[0].address) or more:
            also = f" without {listed(more)}" if more else ""
            at.refuse(f"{self._needs(_RESOLVE)}; older versions support it for an upstream with one name{also}. "
                      "Without resolve, names are looked up at each reload")
        return True

    def _variable(self, looked_up: bool) -> str | None:
        """Return the variable for the only server of an upstream, if each request looks that server up."""
        self.looked_up += looked_up
        return f"$websocket_proxy_server_{self.looked_up}" if looked_up else None

    def _needs(self, version: tuple[int, ...]) -> str:
        has = ".".join(str(part) for part in self._host.nginx_version or ())
        return f"this needs nginx {'.'.join(str(part) for part in version)} or newer, and the host has {has}"


def _hundredths(count: int) -> list[int]:
    """Return COUNT parts of 10,000 that are as equal as whole numbers can be, the largest first."""
    part, rest = divmod(10000, count)
    return [part + (position < rest) for position in range(count)]


def _is_path(address: str) -> bool:
    return address.startswith("unix:")


def _is_name(address: str) -> bool:
    return not (_is_path(address) or address.startswith("[") or address.replace(".", "").replace(":", "").isdigit())


def _server(member: _Member, resolve: bool) -> Server:
    parameters = [f"{name}={member.options[name]}" for name in ("weight", "max_conns", "max_fails", "fail_timeout")
                  if member.options[name] != SERVER[name].default]
    parameters += [name for name in ("backup", "down") if member.options[name]]
    if not _is_name(member.address):
        return Server(member.address, parameters)
    return Server(member.address, [*parameters, "resolve"]) if resolve else Server(
        member.address, parameters, member.address_at.path)
