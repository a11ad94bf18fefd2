# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The data for the templates: plain, complete and checked, with all defaults filled in and all references resolved."""

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
    """A server of an upstream; ``parameters`` has the complete parameters of the server directive.

    ``inventory_path`` is set for a name that nginx looks up when it loads its configuration, for the error message.
    """

    address: str
    parameters: list[str]
    inventory_path: str | None = field(default=None, compare=False)


@dataclass(frozen=True)
class StickyRoute:
    """The replacement for nginx's own ``sticky``: nginx hashes the value of a cookie to keep a client at its server."""

    cookie: str
    key: str
    new_cookie: str
    value: str


@dataclass(frozen=True)
class Share:
    """A source address, and its share of all connections: a percentage, or ``*`` for the rest."""

    percentage: str
    address: str


@dataclass(frozen=True)
class Sources:
    """The source addresses of connections to servers; ``variable`` names one of them."""

    variable: str
    shares: list[Share]


@dataclass(frozen=True)
class UpstreamTls:
    """TLS to servers; nginx requests ``name`` in the handshake, and their certificate must contain it."""

    verify: bool
    ca: str
    name: str | None
    certificate: str | None
    certificate_key: str | None


@dataclass(frozen=True)
class Upstream:
    """An upstream; ``name`` is its name in nginx, and ``label`` its name in the inventory.

    ``load_balancing`` is a complete directive as a list of words, empty for round robin. ``keepalive`` is None if
    nginx's default is right, and 0 if it has to be switched off. ``cookie`` and ``cookie_path`` are those of a sticky
    upstream. Without ``servers``, its requests get 503. With a ``variable``, which names the only server, each request
    looks that name up.
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
    """The settings that proxied locations share, in a FILE that each includes; with HTTP2, clients may use HTTP/2.

    ``directives`` are complete, each as a list of words.
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
    """The settings that live connections share, in a FILE that each includes: the ProxyParams, and more DIRECTIVES."""

    file: str
    proxy_params: ProxyParams
    directives: list[list[str]]


@dataclass(frozen=True)
class Proxy:
    """The forwarding of requests to an upstream.

    ``prefix`` is a regular expression for the request as the client wrote it; it captures the part that is passed on.
    ``params`` is the file with the settings that other locations have as well. The headers and the ``directives``,
    which are complete, are those that the file lacks.
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
    """Files on the host."""

    root: str
    try_files: list[str] | None
    disable_symlinks: str = "if_not_owner"


@dataclass(frozen=True)
class FastCgi:
    """A program that a FastCGI server runs; ``root`` is the folder of its files.

    ``path`` and ``behind`` are regular expressions: for the program's own path, and for longer paths that begin with
    it. ``directives`` are complete, each as a list of words. Those that all such locations share are in the file
    fastcgi_params.
    """

    server: str
    root: str
    path: str
    behind: str
    directives: list[list[str]]


@dataclass(frozen=True)
class Answer:
    """An answer of nginx itself; ``text`` is the target of a redirect, or a body in which nginx replaces variables."""

    status: int
    text: str
    content_type: str | None


@dataclass(frozen=True)
class ExtraConfig:
    """Lines in nginx's own language, with their inventory path."""

    inventory_path: str
    lines: list[str]


@dataclass(frozen=True)
class ProbeSettings:
    """The probe of a location; with ``required``, it must open a WebSocket. OPTIONS are those of websocket_probe."""

    inventory_path: str
    enabled: bool
    required: bool
    path: str | None
    options: dict[str, Any]


@dataclass(frozen=True)
class AuthRequest:
    """A location of nginx at ``path`` that asks a server whether a request may pass.

    ``directives`` are complete. ``answers`` has variables with parts of the server's response, each with the variable
    of nginx that it copies. ``identity`` has the headers that a backend gets from them. ``cookie`` is the variable with
    the server's cookie. ``login`` is the target to which pages are redirected.
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
    """The access control of a location: complete ``directives``, and a file of ``users`` in the generation.

    ``cookie`` is the variable with a cookie for the client. ``login`` is the target to which pages are redirected.
    """

    directives: list[list[str]]
    users: str | None = None
    cookie: str | None = None
    login: str | None = None


@dataclass(frozen=True)
class Location:
    """A location; exactly one of ``proxy``, ``files``, ``fastcgi`` and ``answer`` is set.

    ``match`` has the parameters of the location directive. ``maintenance`` takes precedence over everything else.
    ``live`` is the named location for its live connections, and ``is_live`` is the variable that identifies them.
    ``program`` is the named location for paths that its files do not have. A location with ``health_check`` fails first
    when the edge is drained. ``limits`` are complete directives, which count in a ``scope`` of this name. ``origin`` is
    a variable that is not empty if a page of another origin than ``origins`` opens a live connection.
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
    """The masking of arguments in logs: regular expressions for the visible part of a request and of a referer.

    With ``usual``, each server also masks them in nginx's usual log.
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
    """The maps for the headers of trusted proxies: a value for each regular expression.

    ``positions`` finds the position of the client's address in X-Forwarded-For, ``schemes`` the scheme in
    X-Forwarded-Proto.
    """

    positions: dict[str, str]
    schemes: dict[str, str]


@dataclass(frozen=True)
class OwnOrigin:
    """A variable that is empty if the two parts of COMPARED are the same, and 1 otherwise."""

    variable: str
    compared: str


@dataclass(frozen=True)
class OriginRule:
    """A ``variable`` that is not empty if a connection is live and its origin is not allowed.

    ``live`` is the variable that identifies live connections. ``allowed`` has the strings and regular expressions of a
    map. For every other origin, the value of ``others`` decides. ``judged`` is the variable with the result of the map.
    With ``required``, a WebSocket without an origin is refused.
    """

    variable: str
    judged: str
    live: str
    allowed: list[str]
    others: str
    required: bool


@dataclass(frozen=True)
class Exemption:
    """A variable that is 1 for clients of some networks, and 0 otherwise."""

    variable: str
    networks: list[str]


@dataclass(frozen=True)
class LimitKey:
    """A variable by which clients are counted: the entry of VALUES for the value of SOURCE, or the DEFAULT."""

    variable: str
    source: str
    values: dict[str, str]
    default: str


@dataclass(frozen=True)
class Certificate:
    """The certificate that a site needs; that of a default server has no site.

    ``source`` is one of schema.CERTIFICATES. ``lineage`` is certbot's name for it. ``content`` has the texts of both
    files if the inventory contains them.
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
    """The TLS settings from a version of Mozilla's guidelines; ``resumed`` is true if clients can resume sessions."""

    name: str
    resumed: bool
    guidelines: str
    protocols: list[str]
    ciphers: str
    groups: str


@dataclass(frozen=True)
class ClientCertificate:
    """The requirements for clients' certificates; ``verify`` is a value of nginx's ssl_verify_client."""

    ca: str
    verify: str
    depth: int
    crl: str | None


@dataclass(frozen=True)
class Tls:
    """TLS of a server; ``misdirected`` is a variable.

    With ``http2_directive``, the directive http2 switches HTTP/2 on, instead of a parameter of listen.
    """

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
    """The server that redirects clients to TLS; ``port`` is empty for the default port of https."""

    listen: list[list[str]]
    status: int
    port: str
    acme: bool


@dataclass(frozen=True)
class DefaultServer:
    """The role's default server on some sockets, for names that no site has; with TLS, it has a profile.

    Without a ``certificate``, nginx itself rejects the handshake.
    """

    listen: list[list[str]]
    profile: Profile | None
    certificate: Certificate | None
    client_header_timeout: str | None = None


@dataclass(frozen=True)
class Site:
    """A server in nginx; ``listen`` has the complete parameters of each listen directive, as a list of words.

    ``refused`` is a variable that is not empty for a request that no location may get. ``early`` has the variables that
    are evaluated before a location is chosen. ``client_max_body_size`` is the role's own default.
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
    """The repository of nginx's package, as the fields of a deb822 source; ``key`` is the text of its public key."""

    url: str
    host: str
    suite: str
    components: list[str]
    key: str


@dataclass(frozen=True)
class Settings:
    """The settings for commits, reloads and the host program, which do not depend on the sites."""

    nginx_conf: str
    keep_generations: int
    max_draining_generations: int
    allow_restart: bool
    certificate_warn_days: int


@dataclass(frozen=True)
class Model(Settings):
    """The whole edge of one host; ``warnings`` are for the person who runs the role, each with its path.

    ``drained`` is the stage to which the host is drained, empty if it is in service. ``secrets`` are texts from a
    vault. ``logs`` is true if a log has the role's own format. ``rotated_logs`` are the logs that logrotate rotates for
    the role. ``user_files`` are the password files of a generation by name, and ``readable`` those on the host, which
    nginx's workers read.
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
