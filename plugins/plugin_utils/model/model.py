# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the templates see: plain, complete, checked data, every default filled in and every reference resolved."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.origin_values import Origins


@dataclass(frozen=True)
class Header:
    """A request header for the backend; an empty value removes it (nginx: proxy_set_header)."""

    name: str
    value: str


@dataclass(frozen=True)
class Server:
    """A server of an upstream; ``parameters`` are complete ones of the server directive.

    ``inventory_path`` is that of an address that nginx looks up when it loads its configuration, for its error.
    """

    address: str
    parameters: list[str]
    inventory_path: str | None = field(default=None, compare=False)


@dataclass(frozen=True)
class StickyRoute:
    """How a client without nginx's own ``sticky`` is kept at its server: by a cookie that holds what is hashed."""

    cookie: str
    key: str
    new_cookie: str
    value: str


@dataclass(frozen=True)
class Share:
    """A source address, and how many of all connections it takes: a percentage, or ``*`` for the rest."""

    percentage: str
    address: str


@dataclass(frozen=True)
class Sources:
    """The addresses from which connections to servers are opened; ``variable`` names one of them."""

    variable: str
    shares: list[Share]


@dataclass(frozen=True)
class UpstreamTls:
    """TLS to servers; ``name`` is what they are asked for and what their certificate has to have."""

    verify: bool
    ca: str
    name: str | None
    certificate: str | None
    certificate_key: str | None


@dataclass(frozen=True)
class Upstream:
    """``name`` is nginx's, ``label`` the inventory's.

    ``load_balancing`` is a complete directive in words, empty for round robin. ``keepalive`` is None where nginx's
    default does, and 0 where it has to be switched off. ``cookie`` and ``cookie_path`` are those of a sticky upstream.
    Without ``servers``, what goes there is answered with 503. With a ``variable``, which names the only server, each
    request looks that up.
    """

    name: str
    label: str
    variable: str | None
    zone: list[str]
    load_balancing: list[str]
    servers: list[Server]
    keepalive: int | None
    keepalive_requests: int
    keepalive_timeout: str
    keepalive_time: str | None
    resolver: list[str]
    proxy_bind: str | None
    cookie: str | None
    cookie_path: str | None
    new_cookie: str | None
    tls: UpstreamTls | None


@dataclass(frozen=True)
class ProxyParams:
    """What proxied locations have in common, in a FILE that each includes; with HTTP2, clients may speak that.

    ``directives`` are complete ones, in words.
    """

    file: str
    request_headers: list[Header]
    hidden_headers: list[str]
    headers_hash_bucket_size: int | None
    headers_hash_max_size: int | None
    http2: bool
    directives: list[list[str]]


@dataclass(frozen=True)
class LiveParams:
    """What live connections have in common, in a FILE that each includes: the ProxyParams, and DIRECTIVES besides."""

    file: str
    proxy_params: ProxyParams
    directives: list[list[str]]


@dataclass(frozen=True)
class Proxy:
    """How requests go on to an upstream.

    ``prefix`` is a regular expression that takes from a request as the client wrote it what is passed on. ``params`` is
    the file with what other locations have as well; headers and ``directives``, which are complete, are those that it
    lacks.
    """

    proxy_pass: str
    prefix: str | None
    request_headers: list[Header]
    hidden_headers: list[str]
    redirects: list[list[str]]
    cookie_path: list[str] | None
    directives: list[list[str]]
    params: str


@dataclass(frozen=True)
class Files:
    """Files of the host's."""

    root: str
    try_files: list[str] | None
    disable_symlinks: str = "if_not_owner"


@dataclass(frozen=True)
class FastCgi:
    """A program that a FastCGI server runs; ``root`` is the folder of its files.

    ``path`` and ``behind`` are regular expressions: the program's own path, and what begins with that and goes on.
    ``directives`` are complete ones, in words. Those that all such locations have are in the file fastcgi_params.
    """

    server: str
    root: str
    path: str
    behind: str
    directives: list[list[str]]


@dataclass(frozen=True)
class Answer:
    """An answer of nginx's own; ``text`` is a redirect's target, or a body in which nginx's variables are replaced."""

    status: int
    text: str
    content_type: str | None


@dataclass(frozen=True)
class ExtraConfig:
    """Lines of nginx's own language with the inventory path that they are from."""

    inventory_path: str
    lines: list[str]


@dataclass(frozen=True)
class ProbeSettings:
    """How a location is tried; with ``required`` it has to open a WebSocket. OPTIONS are those of websocket_probe."""

    inventory_path: str
    enabled: bool
    required: bool
    path: str | None
    options: dict[str, Any]


@dataclass(frozen=True)
class AuthRequest:
    """A location of nginx's at ``path`` that asks a server whether a request may pass.

    ``directives`` are complete ones. ``answers`` has variables by which its answer is known, each with that of nginx,
    and ``identity`` the headers that a backend gets of them. ``cookie`` is the variable of a cookie, and ``login`` is
    where pages are redirected to.
    """

    path: str
    proxy_pass: str
    request_headers: list[Header]
    directives: list[list[str]]
    answers: dict[str, str]
    identity: dict[str, str | None]
    cookie: str
    login: str | None


@dataclass(frozen=True)
class Guard:
    """Who may use a location: complete ``directives``, and a file of ``users`` in the generation.

    ``cookie`` is a variable with what the client is given, and ``login`` is where pages are redirected to.
    """

    directives: list[list[str]]
    users: str | None = None
    cookie: str | None = None
    login: str | None = None


@dataclass(frozen=True)
class Location:
    """A location, in which just one of ``proxy``, ``files``, ``fastcgi`` and ``answer`` is there.

    ``match`` holds the parameters of the location directive. ``maintenance`` comes before all else. ``live`` is the
    named location of its live connections, and ``is_live`` the variable that tells them. ``program`` is the named
    location of what its files do not have. A ``health_check`` fails first when the edge is taken out.
    ``limits`` are complete directives, which count in a ``scope`` of this name.
    ``origin`` is a variable that is not empty where a page of another origin than ``origins`` opens a live connection.
    """

    match: list[str]
    maintenance: bool
    websocket_only: bool
    proxy: Proxy | None
    files: Files | None
    answer: Answer | None
    response_headers: list[Header]
    new_cookie: str | None = None
    expires: str | None = None
    client_max_body_size: str | None = None
    client_body_timeout: str | None = None
    client_send_timeout: str | None = None
    keepalive_timeout: str | None = None
    gzip: bool | None = None
    access_log: list[str] | None = None
    extra_config: ExtraConfig | None = None
    is_live: str | None = None
    live: Location | None = None
    fastcgi: FastCgi | None = None
    program: Location | None = None
    health_check: bool = False
    guard: Guard | None = None
    limits: list[list[str]] = field(default_factory=list)
    scope: str = ""
    origin: str | None = None
    origins: Origins | None = None
    probe: ProbeSettings | None = None


@dataclass(frozen=True)
class Masking:
    """How arguments are kept out of logs: regular expressions of the part of a request and a referer that is shown.

    With ``usual``, each server writes nginx's usual log so.
    """

    request: str
    referer: str
    usual: bool


@dataclass(frozen=True)
class Trusted:
    """Trusted proxies; ``variable`` is 1 for them, and ``scheme`` is the scheme of their clients.

    ``forwarded`` has the variable for each other header that only they may set.
    """

    networks: list[str]
    variable: str
    scheme: str
    forwarded: dict[str, str]


@dataclass(frozen=True)
class Forwarded:
    """How maps find what trusted proxies say: a value for each regular expression.

    ``positions`` are those of the client's address in X-Forwarded-For, ``schemes`` those of X-Forwarded-Proto.
    """

    positions: dict[str, str]
    schemes: dict[str, str]


@dataclass(frozen=True)
class OwnOrigin:
    """A variable that is empty where the two parts of what is COMPARED are the same, and else 1."""

    variable: str
    compared: str


@dataclass(frozen=True)
class OriginRule:
    """A ``variable`` that is not empty where a connection is ``live`` and its origin is another than those allowed.

    Of an origin that is not among those ``allowed``, strings and regular expressions of a map, ``others`` tells.
    ``judged`` is the variable in between. Without an origin, a WebSocket is refused where one is ``required``.
    """

    variable: str
    judged: str
    live: str
    allowed: list[str]
    others: str
    required: bool


@dataclass(frozen=True)
class Exemption:
    """A variable that is 1 for clients of some networks, and else 0."""

    variable: str
    networks: list[str]


@dataclass(frozen=True)
class LimitKey:
    """A variable by which clients are counted: one of VALUES by that of SOURCE, and else the DEFAULT."""

    variable: str
    source: str
    values: dict[str, str]
    default: str


@dataclass(frozen=True)
class Certificate:
    """A certificate of a site's, and what it is to be; that of a default server has no site.

    ``source`` is one of schema.CERTIFICATES. ``lineage`` is certbot's name for it. ``content`` has the texts of both
    files where the inventory holds them.
    """

    inventory_path: str
    site: str
    source: str
    certificate: str
    certificate_key: str
    names: list[str]
    key_type: str
    lineage: str | None = None
    email: str | None = None
    directory_url: str | None = None
    content: tuple[str, str] | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Profile:
    """How TLS is spoken, after Mozilla's guidelines of a version; ``resumed`` tells whether sessions are kept."""

    name: str
    resumed: bool
    guidelines: str
    protocols: list[str]
    ciphers: str
    groups: str


@dataclass(frozen=True)
class ClientCertificate:
    """What clients have to show; ``verify`` is a value of nginx's ssl_verify_client."""

    ca: str
    verify: str
    depth: int
    crl: str | None


@dataclass(frozen=True)
class Tls:
    """TLS of a server; with ``http2_directive`` it is not listen that says HTTP/2. ``misdirected`` is a variable."""

    certificate: str
    certificate_key: str
    profile: Profile
    http2: bool
    http2_directive: bool
    buffer_size: str
    client_certificate: ClientCertificate | None
    misdirected: str


@dataclass(frozen=True)
class Redirect:
    """The server that sends clients to TLS; ``port`` is empty for that of https itself."""

    listen: list[list[str]]
    status: int
    port: str
    acme: bool


@dataclass(frozen=True)
class DefaultServer:
    """The role's default server on some sockets, which answers no name; with TLS, it has a profile.

    Without a ``certificate``, nginx ends a handshake by itself.
    """

    listen: list[list[str]]
    profile: Profile | None
    certificate: Certificate | None
    client_header_timeout: str | None = None


@dataclass(frozen=True)
class Site:
    """A server of nginx's; ``listen`` holds complete parameters of the listen directive, in words.

    ``refused`` is a variable that is not empty where a request is not for any location. ``early`` has the variables
    that are evaluated before a location is chosen. ``client_max_body_size`` is the role's own default.
    """

    name: str
    server_tokens_off: bool
    server_names: list[str]
    listen: list[list[str]]
    tls: Tls | None
    redirect: Redirect | None
    trusted_proxies: list[str]
    real_ip_header: str
    early: str
    client_max_body_size: str | None
    client_header_timeout: str | None
    reject_other_upgrades: bool
    refused: str | None
    extra_config: ExtraConfig | None
    auth_requests: list[AuthRequest]
    locations: list[Location]


@dataclass(frozen=True)
class AptRepository:
    """Where nginx's package comes from, as the fields of a deb822 source; ``key`` is the text of its public key."""

    url: str
    host: str
    suite: str
    components: list[str]
    key: str


@dataclass(frozen=True)
class Settings:
    """What a change of the configuration, its reload and the host program go by, whatever the sites are."""

    nginx_conf: str
    keep_generations: int
    max_draining_generations: int
    allow_restart: bool
    certificate_warn_days: int


@dataclass(frozen=True)
class Model(Settings):
    """The whole edge of one host; ``warnings`` are for the person who runs the role, each with its path.

    ``drained`` is the stage at which the host was taken out, empty where it is in. ``secrets`` are texts that came out
    of a vault. ``logs`` tells that something is logged in the role's own format. ``rotated_logs`` are those that the
    role has logrotate rotate. ``user_files`` are those of a generation with users, by their names, and ``readable``
    those of the host that nginx's workers read.
    """

    state: str
    drained: str
    verify: str
    seamless_upgrades: bool
    replace_nginx_conf: bool
    package: str
    apt_repository: AptRepository | None
    worker_processes: str
    worker_connections: int
    worker_rlimit_nofile: int
    worker_shutdown_timeout: str
    large_client_header_buffers: list[str]
    masking: Masking | None
    server_names_hash_bucket_size: int | None
    server_names_hash_max_size: int | None
    variables_hash_max_size: int | None
    routes: list[StickyRoute]
    sources: list[Sources]
    upstreams: list[Upstream]
    trusted: list[Trusted]
    forwarded: Forwarded
    tls: bool
    logs: bool
    hosts: dict[str, str]
    exempt: list[Exemption]
    limit_keys: list[LimitKey]
    limit_zones: list[list[str]]
    own_origins: list[OwnOrigin]
    origins: list[OriginRule]
    https: dict[str, str]
    fastcgi_params: list[list[str]]
    proxy_params: list[ProxyParams]
    live_params: list[LiveParams]
    default_servers: list[DefaultServer]
    extra: ExtraConfig | None
    sites: list[Site]
    user_files: dict[str, str]
    readable: list[str]
    certificates: list[Certificate]
    rotated_logs: list[str]
    references: list[str]
    packages: list[str]
    secrets: set[str]
    warnings: list[str]
