# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Sites: their server names, sockets and locations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.wsedge.nginx.plugins.plugin_utils.model import guards, headers
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.forwarded import Hosts
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.guards import Passwords, SiteGuards
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.host import Host
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.limits import CLIENT, Zones
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.locations import LIVE, Locations, extra_config
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.model import (
    DefaultServer,
    Location,
    Redirect,
    Site,
    Trusted,
    Upstream,
)
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.origins import OriginRules
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.proxy_params import CommonParams
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.tls import (
    IDENTITY,
    REJECT_HANDSHAKE,
    Certificates,
    SiteTls,
    hsts_header,
    listen_words,
    read_tls,
)
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec import address_values, config_values
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.inventory_path import InventoryPath, shown
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.schema import (
    LISTEN,
    OWN,
    SERVER_NAME,
    SITE,
    SOCKET_OPTIONS,
    TCP_OPTIONS,
    read_keys,
)

# Since this version, nginx itself answers 400 to a space or a control character in a request's target.
_CLEAN_TARGETS = (1, 21, 1)
# nginx's default of 1m refuses uploads that applications accept: 200 MB is the largest default among those that were
# tried (Streamlit). nginx keeps a body on the host's disk until it is complete.
_BODY = "256m"
# Since this version, the variable of a header contains all its lines.
_ALL_LINES = (1, 23, 0)


@dataclass
class _Socket:
    """A socket on which sites listen: the inventory path that set it first, and its options, each with its path.

    ``identities`` is true if a site on it asks clients for certificates. ``words`` are those of its first listen
    directive.
    """

    at: InventoryPath
    words: list[str]
    proxy_protocol: bool
    tls: SiteTls | None
    default_server: InventoryPath | None = None
    identities: bool = False
    options: dict[str, tuple[Any, InventoryPath]] = field(default_factory=dict)


@dataclass(frozen=True)
class _Given:
    """The keys of a site: its OWN keys, and the VALUES of these merged with the defaults.

    LAYERS has each mapping with its inventory path, the defaults first.
    """

    at: InventoryPath
    own: Mapping[str, Any]
    values: Mapping[str, Any]
    layers: list[tuple[InventoryPath, Mapping[str, Any]]]

    def holder(self, name: str) -> InventoryPath:
        """Return the path of the mapping that sets a key: the site's, unless only the defaults set it."""
        return next((at for at, values in reversed(self.layers) if name in values), self.at)

    def path_of(self, name: str) -> InventoryPath:
        """Return the inventory path at which a key is set."""
        return self.holder(name)[name]


class Sites:
    """The compiler of the sites in their order. It remembers what previous sites use.

    FREE_TEXT is that of the http context. The sites refer to ``trusted``, ``hosts``, ``proxy_params`` and
    ``certificates``. ``used`` has the names of the upstreams that the sites use.
    """

    def __init__(self, at: InventoryPath, upstreams: Mapping[str, Upstream], other_upgrades: str | None, host: Host,
                 drop_in: bool, free_text: str) -> None:
        self.trusted: list[Trusted] = []
        self.hosts = Hosts()
        self.origins = OriginRules(self.hosts)
        self.passwords = Passwords()
        self.zones = Zones()
        self.proxy_params = CommonParams()
        self.used: set[str] = set()
        self.certificates = Certificates(host)
        self._at = at
        self._upstreams = upstreams
        self._other_upgrades = other_upgrades
        self._host = host
        self._drop_in = drop_in
        self._free_text = free_text
        self._names: dict[str, InventoryPath] = {}
        self._timeouts: set[str | None] = set()
        self._served: dict[str, InventoryPath] = {}
        self._sockets: dict[str, _Socket] = {}

    def compile(self, raw: object, defaults_at: InventoryPath, defaults: object) -> list[Site]:
        """Return the sites; each of the DEFAULTS applies to the sites that do not set the same key."""
        keys = {name: key for name, key in SITE.items() if name not in OWN}
        given = read_keys(defaults_at, keys, defaults) or {}
        for name, reserved in (("request_headers", headers.REQUEST), ("response_headers", headers.RESPONSE)):
            headers.read_headers(defaults_at[name], given.get(name), reserved)
        listen = given.get("listen")
        for where, item in defaults_at["listen"].items(listen if isinstance(listen, list) else None, "sockets"):
            if isinstance(item, Mapping) and item.get("default_server"):
                where["default_server"].refuse("each socket has only one, so set this on the site itself")
                del given["listen"]
                break
        self._defaults = defaults_at, given
        # nginx may read headers with the settings of another site on the same socket.
        texts = [self._free_text, *(one.get("extra_config") for one in (raw if isinstance(raw, list) else [])
                                    if isinstance(one, Mapping))]
        self._underscores = self._host.underscores or any(map(config_values.takes_underscores, texts))
        self._dots = any(map(config_values.takes_dots, texts))
        self._identities = any(isinstance(one, Mapping) and isinstance(one.get("tls"), Mapping)
                               and one["tls"].get("client_certificate")
                               for one in [given, *(raw if isinstance(raw, list) else [])])
        self.certificates.resumed = not self._identities
        self._named = guards.identities([given, *(raw if isinstance(raw, list) else [])])
        sites = [self._site(where, item) for where, item in self._at.items(raw, "sites")]
        for name, socket in self._sockets.items():
            self._complete_options(name, socket)
        return [site for site in sites if site]

    def _complete_options(self, name: str, socket: _Socket) -> None:
        """Let a socket detect vanished clients; refuse options that nginx could not set when it starts.

        With an option, nginx binds a socket separately. This fails if another socket listens on all addresses. nginx
        refuses duplicate options of a socket, so if another file sets options for it, none can be set here.
        """
        default = f"so_keepalive={LISTEN['so_keepalive'].default}"
        theirs = self._host.listen_options.get(name, "")
        if theirs.startswith("/etc/nginx/nginx.conf:") and not self._drop_in:
            theirs = ""  # the role replaces this file
        whole = _for_all_addresses(name)
        options = {key: at for key, (value, at) in socket.options.items() if value != address_values.NO_OPTION}
        if theirs and options:
            for key, at in options.items():
                at[key].refuse(f"{theirs} already sets options of this socket, and nginx accepts them only once; set "
                               "this there")
        elif whole == name and theirs and "so_keepalive" not in theirs and "so_keepalive" not in socket.options:
            socket.at.warn(f"{theirs} sets options of the socket {name}, so the role cannot; add {default} there to "
                           "detect vanished clients")
        elif whole == name and not theirs and "so_keepalive" not in socket.options:
            socket.words.append(default)
        elif whole and whole != name and whole in self._sockets:
            every = self._sockets[whole]
            # With reuseport on both sockets, the kernel accepts both.
            if "reuseport" in options and "reuseport" in every.options:
                return
            for key, at in options.items():
                at[key].refuse(f"{every.at.path} listens on this port on every address; set this option there")

    def default_servers(self) -> list[DefaultServer]:
        """Return the default servers for sockets on which no site is the default server, one for each TLS profile."""
        kinds_of: dict[str, list[list[str]]] = {}
        for name, socket in self._sockets.items():
            if not socket.default_server:
                # The default server decides whether sessions are resumed. If a site asks clients for certificates, a
                # default server in another file must not decide this: nginx does not ask for the certificate when a
                # session is resumed.
                words = [name, *(["default_server"] if socket.identities else []),
                         *(["proxy_protocol"] if socket.proxy_protocol else []),
                         *(listen_words(socket.tls.values["http2"], self._host) if socket.tls else [])]
                kinds_of.setdefault(socket.tls.values["profile"] if socket.tls else "", []).append(words)
        needs_one = self._host.has(*REJECT_HANDSHAKE) is False
        # The value that all sites share; otherwise that of the defaults.
        timeout = next(iter(self._timeouts)) if len(self._timeouts) == 1 else self._header_timeout(self._defaults[1])
        return [DefaultServer(listen, self.certificates.profile(profile) if profile else None,
                              self.certificates.unknown() if profile and needs_one else None,
                              timeout)
                for profile, listen in kinds_of.items()]

    def _site(self, at: InventoryPath, raw: object) -> Site | None:
        given = self._given(at, raw)
        if given is None:
            return None
        server_names = self._server_names(at["server_names"], given.values.get("server_names"))
        tls = read_tls(given.layers)
        listen, protocols = self._listen(given.path_of("listen"), given.values.get("listen"), tls)
        is_default = any("default_server" in words for words in listen)
        if tls and not is_default:
            self._check_reachable(server_names)
        name = self._take_names(given, server_names, listen)
        networks = self._networks(given.path_of("trusted_proxies"), given.values.get("trusted_proxies"))
        self._check_protocols(given, protocols)
        # A load balancer that uses the PROXY protocol passes on a client's own headers, so they are not trusted.
        forwarded = self._forwarded([] if True in protocols else networks)
        site_guards = SiteGuards(self.passwords)
        compiled = self._locations(given, forwarded, tls, site_guards, name)
        self._warn_of_origins(given, compiled, tls)
        self._warn_of_text(given, compiled)
        timeout = self._header_timeout(given.values)
        self._timeouts.add(timeout)
        locations = self.proxy_params.take(compiled, bool(tls and tls.values["http2"]))
        return Site(name=name, server_names=list(server_names), listen=listen, server_tokens_off=self._drop_in,
                    tls=self.certificates.compile(tls, name, list(server_names), is_default) if tls else None,
                    redirect=self._redirect(tls, server_names, listen) if tls else None,
                    trusted_proxies=networks, extra_config=extra_config(at, given.own),
                    real_ip_header="proxy_protocol" if True in protocols else "X-Forwarded-For",
                    reject_other_upgrades=given.values.get("other_upgrades", self._other_upgrades) == "reject",
                    refused=self._refused(given.values, locations, bool(site_guards.requests)),
                    client_max_body_size=self._body_size(given.values),
                    client_header_timeout=timeout,
                    early="".join(self._early(forwarded["X-Forwarded-Proto"], compiled)),
                    auth_requests=site_guards.requests, locations=locations)

    def _given(self, at: InventoryPath, raw: object) -> _Given | None:
        """Read the keys of a site, and the defaults for it."""
        own = read_keys(at, SITE, raw)
        if own is None:
            return None
        elsewhere, defaults = self._defaults
        if own.get("locations"):
            # A site with locations of its own does not inherit the upstream for all paths.
            defaults = {name: value for name, value in defaults.items() if name != "upstream"}
        given = _Given(at, own, {**defaults, **own}, [(elsewhere, defaults), (at, own)])
        if "upstream" not in given.values and given.values.get("locations", []) == [] \
                and not {"upstream", "locations"} & at.misspelt(raw, SITE):
            at.refuse('"upstream" or "locations" is missing')
        return given

    @staticmethod
    def _check_reachable(server_names: Mapping[str, InventoryPath]) -> None:
        for one, at in server_names.items():
            if address_values.is_address(one):
                at.refuse(f"{shown(one)}: TLS clients send no IP address as the server name, so only a site with "
                          "default_server: true can be reached by address")

    def _take_names(self, given: _Given, server_names: Mapping[str, InventoryPath], listen: list[list[str]]) -> str:
        """Return the site's name; refuse names that another site has."""
        # all() stops at the first socket on which the name is taken, so each mistake is reported once.
        free = [all(at.once(self._served, f"{words[0]} {name}", f"{shown(name)} on {words[0]} is already used by")
                    for words in listen) for name, at in server_names.items()]
        name: str = given.values.get("name") or self._default_name(given.at, list(server_names))
        if "name" in given.values or all(free):
            hint = "" if "name" in given.values else 'give the site a "name", because '
            given.at["name"].once(self._names, name.lower(), f"{hint}{shown(name)} is already the name of")
        return name

    @staticmethod
    def _check_protocols(given: _Given, protocols: set[bool]) -> None:
        if True in protocols and not given.values.get("trusted_proxies"):
            given.at.refuse("with proxy_protocol, set trusted_proxies to the proxies that may report a client's "
                            "address")
        if len(protocols) > 1:
            given.at.refuse("the site listens both with and without proxy_protocol, and nginx takes a client's address "
                            "from one of them only; split it into two sites")

    def _refused(self, given: Mapping[str, Any], locations: list[Location], asked: bool) -> str | None:
        """Return the variable that is not empty for a request that nginx and a backend may interpret differently.

        If all paths go to one backend and no authentication server is ASKED, they can only disagree on the end of the
        request line.
        """
        texts = [self._free_text, given.get("extra_config"), *(one.extra_config for one in locations)]
        free_text = any(texts)
        if not free_text and not any(one.proxy or one.program for one in locations):
            return None
        rules = free_text or asked or [one.match for one in locations] != [["/"]]
        if rules and given.get("dot_segments") != "pass":
            return "$websocket_proxy_ambiguous_path"
        return None if self._host.has(*_CLEAN_TARGETS) else "$websocket_proxy_broken_line"

    def _body_size(self, given: Mapping[str, Any]) -> str | None:
        """Return the largest body if no key sets one; in drop-in mode, nginx.conf decides."""
        is_set = "client_max_body_size" in given or "client_max_body_size" in self._texts(given)
        return None if self._drop_in or is_set else _BODY

    def _header_timeout(self, given: Mapping[str, Any]) -> str | None:
        """Return the timeout for the headers of a request; None if a free text sets it."""
        if "client_header_timeout" not in given and "client_header_timeout" in self._texts(given):
            return None
        return str(given.get("client_header_timeout", SITE["client_header_timeout"].default))

    def _texts(self, given: Mapping[str, Any]) -> str:
        """Return the free texts of the http context and of a site."""
        return "\n".join([self._free_text, given.get("extra_config") or ""])

    def _places_of_texts(self, given: _Given) -> dict[str, str]:
        """Return the free texts of the http context and of a site by their inventory paths."""
        own = given.own.get("extra_config")
        return {**({"websocket_proxy_extra_config": self._free_text} if self._free_text else {}),
                **({given.at["extra_config"].path: own} if own else {})}

    def _early(self, scheme: str | None, locations: list[Location]) -> list[str]:
        """Return the variables of the LOCATIONS whose maps have regular expressions that match allowed requests."""
        told = {header.value for one in locations if one.proxy for header in one.proxy.request_headers
                if header.name == "Host"}
        told |= {words[2] for one in locations if one.program and one.program.fastcgi
                 for words in one.program.fastcgi.directives if words[:2] == ["fastcgi_param", "HTTP_HOST"]}
        hosts = told.intersection(self.hosts.all.values())
        live = [LIVE] if any(one.is_live == LIVE for one in locations) else []
        origins = sorted({one.origin for one in locations if one.origin})
        client = [CLIENT, *self.zones.matched] if any(one.scope for one in locations) else []
        return [*([scheme] if scheme and scheme != "$scheme" else []), *sorted(hosts), *live, *origins, *client]

    @staticmethod
    def _warn_of_origins(given: _Given, locations: list[Location], tls: SiteTls | None) -> None:
        """Warn if any page on the internet could open a WebSocket in the name of an authenticated visitor."""
        client = tls and tls.values["client_certificate"]
        for one in locations:
            asked = one.guard and any(words[0].startswith("auth") for words in one.guard.directives)
            if (asked or client) and (one.live or one.websocket_only) and one.origins is None:
                given.at.warn("visitors are authenticated here, but allowed_origins is not set: any page on the "
                              "internet can open a WebSocket in their name; set allowed_origins: same_host, or any if "
                              "that is intended")
                return

    @staticmethod
    def _warn_of_text(given: _Given, locations: list[Location]) -> None:
        """Warn of free text without the access control of its site, or that the site's locations override."""
        text, at = given.own.get("extra_config") or "", given.at["extra_config"]
        if any(one.guard or one.scope for one in locations) and any(
                words[0] == "location" for words in config_values.outer_blocks(text)):
            at.warn("a location block in it gets none of the site's allow, deny, auth and limits; restrict access "
                    "inside it, or move it to the key locations")
        names = {words[0] for words in config_values.outer_directives(text)}
        every = [way for one in locations for way in (one, one.live, one.program) if way]
        if "add_header" in names and any(one.response_headers or one.new_cookie or one.limits
                                         or (one.guard and one.guard.cookie) for one in every):
            at.warn("add_header has no effect in locations with headers of their own, and this site has such "
                    "locations; use response_headers")
        if "error_page" in names and any(one.guard and one.guard.login for one in every):
            at.warn("error_page has no effect in locations with auth and login, which set their own; set it in the "
                    "extra_config of those locations")

    def _locations(self, given: _Given, forwarded: Mapping[str, str | None], tls: SiteTls | None,
                   site_guards: SiteGuards, name: str) -> list[Location]:
        """Compile the locations of a site."""
        listed = given.values.get("locations")
        exact = [item.get("path") for item in (listed if isinstance(listed, list) else [])
                 if isinstance(item, Mapping) and item.get("match") == "exact"]
        # No site passes on these headers as a client itself sends them.
        identity: dict[str, str | None] = dict.fromkeys(self._named)
        if self._identities:
            identity |= IDENTITY if tls and tls.values["client_certificate"] else dict.fromkeys(IDENTITY)
        compiler = Locations(self._upstreams, given.values, given.layers, forwarded, exact, self.hosts, self.origins,
                             site_guards, name, self.zones, self._places_of_texts(given),
                             (identity, hsts_header(tls) if tls else {}), self._underscores,
                             self._drop_in or "proxy_buffer" in self._texts(given.values))
        compiled = []
        if "upstream" in given.values:
            compiled += compiler.for_all_paths(given.holder("upstream"), given.values["upstream"])
        for where, item in given.at["locations"].items(listed, "locations"):
            compiled += compiler.location(where, item)
        self.used |= compiler.used
        if self._dots and any(one.program for one in compiled):
            given.at.refuse("with ignore_invalid_headers off in an extra_config, a client can send X.Forwarded.For, "
                            "which PHP reads as X-Forwarded-For; remove it, or do not use fastcgi")
        return compiled + compiler.for_other_paths(given.at)

    @staticmethod
    def _default_name(at: InventoryPath, server_names: list[str]) -> str:
        """Return a name for a site from its first server name, in a form that is allowed in a file name."""
        if not server_names:
            return at.path
        if server_names[0].startswith("~"):
            at.refuse('"name" is missing; a regular expression cannot provide one')
            return at.path
        first = server_names[0].replace("*", "_").translate({ord("["): None, ord("]"): None, ord(":"): "_"})
        return first[:200]

    @staticmethod
    def _server_names(at: InventoryPath, raw: object) -> dict[str, InventoryPath]:
        """Return each server name with its inventory path."""
        names: dict[str, InventoryPath] = {}
        for where, item in at.items(raw, "server names"):
            if isinstance(item, Mapping):
                expression = (read_keys(where, SERVER_NAME, item) or {}).get("regex")
                name = f"~{expression}" if expression else None
            else:
                name = where.read(address_values.server_name, item)
            if name:
                where.once(names, name, f"{shown(item)} is already")
        if raw == []:
            at.refuse("the list is empty; a site needs at least one server name")
        return names

    def _redirect(self, tls: SiteTls, server_names: Mapping[str, InventoryPath],
                  listen: list[list[str]]) -> Redirect | None:
        if not tls.values["redirect"]:
            return None
        at = tls["redirect_listen"]
        sockets, _protocols = self._listen(
            at, tls.values["redirect_listen"] if "redirect_listen" in tls.paths else None, None)
        for name, where in server_names.items():
            for words in sockets:
                redirect = f"the redirect of {where.path} to TLS"
                taken = self._served.setdefault(f"{words[0]} {name}", where.elsewhere(redirect))
                # If this site itself listens there with TLS, that has already been refused.
                if taken is not where and taken.path != redirect:
                    at.refuse(f"{shown(name)} on {words[0]} is already used by {taken.path}, and this site's redirect "
                              "to TLS needs it; redirect: false leaves the redirect out")
                    break
        ports = [words[0].rpartition(":")[2] for words in listen if not words[0].startswith("unix:")]
        port = ports[0] if ports else "443"
        return Redirect(listen=sockets, status=tls.values["redirect"], port="" if port == "443" else f":{port}",
                        acme=tls.values["acme"] is not None)

    def _listen(self, at: InventoryPath, raw: object, tls: SiteTls | None) -> tuple[list[list[str]], set[bool]]:
        """Return the parameters of the listen directives, and whether they use the PROXY protocol.

        A port without an address means all addresses, with IPv6 if the host supports it. Without RAW, it is the port of
        http or https.
        """
        own: dict[str, InventoryPath] = {}
        directives, protocols = [], set()
        default = 443 if tls else 80
        for where, item in [(at, default)] if raw is None else at.items(raw, "ports and addresses"):
            if isinstance(item, Mapping):
                options = read_keys(where, LISTEN, item)
                if options is None or not self._complete(where, item, options):
                    continue
                address, port = options.get("address", ""), options.get("port")
            else:
                listen = where.read(address_values.listen, item)
                if not listen:
                    continue
                (address, port), options = listen, {}
            if tls and port == 80:
                where.refuse("port 80 is for clients without TLS; remove it from listen, and use redirect and "
                             "redirect_listen of tls")
                continue
            if port == 443 and not tls:
                where.warn("clients expect TLS on port 443, and this socket has none; set the site's key tls")
            if address.startswith("[") and not self._host.ipv6:
                where.refuse(f"{shown(item)}: the host cannot open IPv6 sockets")
            addresses = [address] if address else ["0.0.0.0", "[::]"] if self._host.ipv6 else ["0.0.0.0"]
            for one in addresses:
                socket = one if port is None else f"{port}" if one == "0.0.0.0" else f"{one}:{port}"
                if socket not in own:
                    directives.append(self._words(where, socket, options, tls))
                where.once(own, socket, f"{shown(item)} is the same socket as")
            protocols.add(options.get("proxy_protocol", False))
        if raw == []:
            at.refuse(f"the list is empty; leave it out to listen on port {default}")
        return directives, protocols

    @staticmethod
    def _complete(at: InventoryPath, item: Mapping[str, Any], options: Mapping[str, Any]) -> bool:
        """Return whether the OPTIONS identify a socket; refuse those that a unix socket does not have."""
        if str(item.get("address")).startswith("unix:"):
            for key in TCP_OPTIONS:
                if options.get(key):
                    at[key].refuse("this is an option of TCP, and a unix socket does not have it")
            return "address" in options and "port" not in options
        if "port" not in at.intended(item, LISTEN):
            at.refuse('"port" is missing')
        return "port" in options

    def _words(self, at: InventoryPath, name: str, options: Mapping[str, Any], tls: SiteTls | None) -> list[str]:
        """Return a socket with its new options; refuse those that contradict previous ones."""
        protocol = options.get("proxy_protocol", False)
        words = [name]
        socket = self._sockets.setdefault(name, _Socket(at, words, protocol, tls))
        if socket.proxy_protocol != protocol:
            at.refuse(f"all sites on a port need the same proxy_protocol, and {socket.at.path} "
                      f"{'sets it' if socket.proxy_protocol else 'does not set it'}")
        self._check_tls(at, name, socket, tls)
        socket.identities |= bool(tls and tls.values["client_certificate"])
        if options.get("default_server"):
            if socket.default_server:
                at["default_server"].refuse(f"{socket.default_server.path} is already the default server of this "
                                            "socket")
            socket.default_server = socket.default_server or at
            words.append("default_server")
        if protocol:
            words.append("proxy_protocol")
        if tls:
            words += listen_words(tls.values["http2"], self._host)
        for key in SOCKET_OPTIONS:
            value = options.get(key)
            if value is None or value is False:
                continue
            if value == address_values.NO_OPTION:
                socket.options.setdefault(key, (value, at))
                continue
            first = socket.options.setdefault(key, (value, at))
            if first[0] != value:
                at[key].refuse(f"{first[1].path} sets {shown(first[0])} for the same socket")
            elif first[1] is at:
                words.append(key if value is True else f"{key}={value}")
        return words

    @staticmethod
    def _check_tls(at: InventoryPath, name: str, socket: _Socket, tls: SiteTls | None) -> None:
        """Refuse different settings on one socket if nginx applies them before it knows a client's site."""
        first = socket.tls
        if (first is None) != (tls is None):
            ways = ("without", "with") if first is None else ("with", "without")
            at.refuse(f"{socket.at.path} listens on {name} {ways[0]} TLS, and this site {ways[1]}; a socket has either "
                      "TLS or none")
            return
        for key in ("profile", "http2"):
            if tls and first and tls.values[key] != first.values[key]:
                tls[key].refuse(f"{shown(tls.values[key])}, but {first.at.path} has {shown(first.values[key])} on the "
                                "same socket, and nginx applies one value before it knows the site; set it in "
                                "websocket_proxy_site_defaults")

    @staticmethod
    def _networks(at: InventoryPath, raw: object) -> list[str]:
        first: dict[str, InventoryPath] = {}
        networks = []
        for where, item in at.items(raw, "addresses"):
            network = where.read(address_values.network, item)
            if network:
                where.once(first, network, f"{shown(item)} is already")
                networks.append(network)
                if network.endswith("/0"):
                    where.warn("this trusts every client to report its own address, so any client can forge it; list "
                               "only your proxies")
        return networks

    def _forwarded(self, networks: list[str]) -> Mapping[str, str | None]:
        """Return the headers about the client for the backend; only the proxies in NETWORKS may set them."""
        if not networks:
            return {"X-Forwarded-Proto": "$scheme", **dict.fromkeys(headers.FORWARDED)}
        # geo takes a peer without an address, such as that of a unix socket, for this address (ngx_http_geo_module.c).
        networks = ["255.255.255.255" if network == "unix:" else network for network in networks]
        for trusted in self.trusted:
            if trusted.networks == networks:
                break
        else:
            number = len(self.trusted) + 1
            # If a header has several lines, older versions see only the first, which may be the client's own.
            known = headers.FORWARDED if self._host.has(*_ALL_LINES) is not False else headers.FORWARDED[1:]
            trusted = Trusted(networks, f"$websocket_proxy_trusted_{number}", f"$websocket_proxy_scheme_{number}", {
                name: f"$websocket_proxy_{name.lower().replace('-', '_')}_{number}" for name in known})
            self.trusted.append(trusted)
        return {"X-Forwarded-Proto": trusted.scheme, **dict.fromkeys(headers.FORWARDED), **trusted.forwarded}


def _for_all_addresses(socket: str) -> str | None:
    """Return the socket for all addresses with the family and port of SOCKET; None for a unix socket."""
    if socket.startswith("unix:"):
        return None
    port = socket.rpartition(":")[2]
    return f"[::]:{port}" if socket.startswith("[") else port
