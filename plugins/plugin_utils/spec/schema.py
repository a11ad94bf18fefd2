# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The keys of the inventory: what may stand where, of which kind, and what holds when it is left out.

``meta/argument_specs.yml`` documents the same keys and ``defaults/main.yml`` sets the same defaults; a unit test
proves that the three agree.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec import (
    address_values,
    certificate_values,
    config_values,
    header_values,
    number_values,
    package_values,
    path_values,
    text_values,
    time_values,
)
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.places import Place


@dataclass(frozen=True)
class Key:
    """One key.

    ``kind`` is None where the value is a list or mapping that the compiler goes through itself.
    ``type``, ``elements`` and ``choices`` are those of Ansible's argument specification.
    """

    type: str
    kind: Callable[[object], Any] | None = None
    default: Any = None
    elements: str | None = None
    choices: tuple[str | int, ...] | None = None
    required: bool = False

    def read(self, place: Place, given: Any) -> Any:
        """Return what GIVEN stands for: the default where it is absent, None where it is refused."""
        value = self.default if given is None else given
        return place.read(self.kind, value) if self.kind and value is not None else value


def read_keys(place: Place, keys: Mapping[str, Key], raw: object) -> dict[str, Any] | None:
    """Return the given keys of the mapping RAW, each value of its kind; a refused value is left out."""
    given = place.mapping(raw, keys, [name for name, key in keys.items() if key.required], _elsewhere(keys))
    if given is None:
        return None
    checked = {name: keys[name].read(place[name], value) for name, value in given.items()}
    return {name: value for name, value in checked.items() if value is not None}


def _elsewhere(keys: Mapping[str, Key]) -> dict[str, str]:
    """Return for each key of other levels the level that it belongs to."""
    return {name: level for level, known in reversed(LEVELS) for name in known if name not in keys}


def with_defaults(keys: Mapping[str, Key], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return GIVEN with every key that it lacks at its default."""
    return {name: given.get(name, key.kind(key.default) if key.kind and key.default is not None else key.default)
            for name, key in keys.items()}


OTHER_UPGRADES = ("ignore", "reject")
DOT_SEGMENTS = ("refuse", "pass")

STATES = ("present", "absent")
PLACES = ("own", "drop_in")

ROLE = {
    "websocket_proxy_state": Key("str", text_values.one_of(*STATES), "present", choices=STATES),
    "websocket_proxy_nginx_conf": Key("str", text_values.one_of(*PLACES), "own", choices=PLACES),
    "websocket_proxy_replace_nginx_conf": Key("bool", text_values.boolean, False),
    "websocket_proxy_package": Key("str", package_values.package, "nginx"),
    "websocket_proxy_apt_repository": Key("dict", default={}),
    "websocket_proxy_worker_processes": Key("str", number_values.worker_processes, "auto"),
    # Two connections for each proxied socket, some 0.4 KiB each whether used or not: 8,192 sockets for 7 MB a worker.
    "websocket_proxy_worker_connections": Key("int", number_values.whole(16, 1048576), 16384),
    "websocket_proxy_worker_rlimit_nofile": Key("int", number_values.whole(64, 1073741816), 32768),
    "websocket_proxy_worker_shutdown_timeout": Key("str", time_values.duration_or_never, "1d"),
    "websocket_proxy_keep_generations": Key("int", number_values.whole(1, 1000), 5),
    "websocket_proxy_max_draining_generations": Key("int", number_values.whole(1, 1000), 24),
    "websocket_proxy_allow_restart": Key("bool", text_values.boolean, False),
    "websocket_proxy_other_upgrades": Key("str", text_values.one_of(*OTHER_UPGRADES), "ignore", choices=OTHER_UPGRADES),
    "websocket_proxy_resolver": Key("list", default=[], elements="str"),
    "websocket_proxy_certificate_warn_days": Key("int", number_values.whole(0, 1000), 21),
    "websocket_proxy_server": Key("dict", default={}),
    "websocket_proxy_site_defaults": Key("dict", default={}),
    "websocket_proxy_extra_config": Key("str", config_values.free_text, ""),
    "websocket_proxy_upstreams": Key("list", default=[], elements="dict"),
    "websocket_proxy_sites": Key("list", default=[], elements="dict"),
    "websocket_proxy_allow_no_sites": Key("bool", text_values.boolean, False),
}

# These belong to the main or events context, where a file included by somebody else's nginx.conf has no say.
MAIN_CONTEXT = ("websocket_proxy_worker_processes", "websocket_proxy_worker_connections",
                "websocket_proxy_worker_rlimit_nofile", "websocket_proxy_worker_shutdown_timeout")

APT_REPOSITORY = {
    "url": Key("str", package_values.repository_url, required=True),
    "suite": Key("str", package_values.suite, required=True),
    "components": Key("list", default=["nginx"], elements="str"),
    "key": Key("str", package_values.public_key, required=True),
}

# TLS to an upstream's servers.
UPSTREAM_TLS = {
    "verify": Key("bool", text_values.boolean, True),
    "ca": Key("str", path_values.file, "/etc/ssl/certs/ca-certificates.crt"),
    "server_name": Key("str", certificate_values.tls_name),
    "certificate": Key("str", path_values.file),
    "certificate_key": Key("str", path_values.file),
}

UPSTREAM = {
    "name": Key("str", text_values.name, required=True),
    "servers": Key("list", default=[], elements="raw"),
    "group": Key("str", text_values.text),
    "port": Key("int", number_values.port),
    "allow_empty": Key("bool", text_values.boolean, False),
    "load_balancing": Key("raw", default="round_robin"),
    "keepalive": Key("int", number_values.whole(0, 100000), 0),
    "keepalive_requests": Key("int", number_values.whole(1, 1000000000), 1000),
    "keepalive_timeout": Key("str", time_values.duration, "60s"),
    "keepalive_time": Key("str", time_values.duration),
    "resolve": Key("bool", text_values.boolean, False),
    "proxy_bind": Key("list", default=[], elements="str"),
    "tls": Key("dict"),
}

# An element of an upstream's servers, and what a backend's own variable says of it.
SERVER = {
    "address": Key("str"),
    # A consistent hash takes some 3 KiB a server for each unit of weight, in every worker.
    "weight": Key("int", number_values.whole(1, 256), 1),
    "max_conns": Key("int", number_values.whole(0, 10000000), 0),
    "max_fails": Key("int", number_values.whole(0, 1000000), 1),
    "fail_timeout": Key("str", time_values.seconds, "10s"),
    "backup": Key("bool", text_values.boolean, False),
    "down": Key("bool", text_values.boolean, False),
}

PLAIN_METHODS = ("round_robin", "least_conn", "ip_hash", "random")

# Ways of balancing that have keys of their own.
METHODS = {
    "hash": {
        "key": Key("str", header_values.hash_key, required=True),
        "consistent": Key("bool", text_values.boolean, True),
    },
    "sticky": {
        "cookie": Key("str", header_values.cookie_name, required=True),
        "expires": Key("str", time_values.seconds),
        "domain": Key("str", header_values.cookie_domain),
        "path": Key("str", path_values.path, "/"),
        "httponly": Key("bool", text_values.boolean, True),
        "secure": Key("bool", text_values.boolean, False),
        "samesite": Key("str", text_values.one_of("strict", "lax", "none"), "lax", choices=("strict", "lax", "none")),
    },
    "random": {
        "two": Key("str", text_values.one_of("least_conn"), required=True, choices=("least_conn",)),
    },
}

NEXT_UPSTREAM = ("error", "timeout", "invalid_header", "http_403", "http_404", "http_429", "http_500", "http_502",
                 "http_503", "http_504", "non_idempotent")

# What a site may say for all its locations; a location's own word wins.
INHERITED = {
    # An hour: nginx has one time for an answer to the handshake and for silence in the tunnel. docs/upstreams.md says
    # more.
    "read_timeout": Key("str", time_values.duration, "1h"),
    "send_timeout": Key("str", time_values.duration, "60s"),
    # Short enough for a client to wait until the next server has been tried; a lost SYN is sent twice more by then.
    "connect_timeout": Key("str", time_values.duration, "5s"),
    "next_upstream": Key("list", text_values.some_of(*NEXT_UPSTREAM), ["error", "timeout"], elements="str",
                         choices=NEXT_UPSTREAM),
    "next_upstream_tries": Key("int", number_values.whole(0, 1000), 0),
    "next_upstream_timeout": Key("str", time_values.duration_or_never, "0"),
    "host": Key("str", header_values.host_header, header_values.HOST),
    "buffering": Key("bool", text_values.boolean),
    "buffer_size": Key("str", time_values.buffer_size),
    "buffers": Key("int", number_values.whole(3, 100000)),
    "proxy_redirect": Key("raw", header_values.proxy_redirect, "default"),
    # These hold for answers of nginx's own as well.
    "client_max_body_size": Key("str", time_values.body_size),
    "client_body_timeout": Key("str", time_values.duration),
    "client_send_timeout": Key("str", time_values.duration),
    "keepalive_timeout": Key("str", time_values.duration_or_never),
    "gzip": Key("bool", text_values.boolean),
    "access_log": Key("str", path_values.log_file),
    "access_log_format": Key("str", text_values.one_of("combined", "websocket"), "combined",
                             choices=("combined", "websocket")),
    "maintenance": Key("bool", text_values.boolean, False),
}

# Lists and mappings of a site's that its locations share in another way: headers are merged by name.
_HEADERS = {
    "request_headers": Key("dict", default={}),
    "response_headers": Key("dict", default={}),
}

MATCHES = ("prefix", "exact", "regex")

LOCATION = {
    "path": Key("str", required=True),
    "match": Key("str", text_values.one_of(*MATCHES), "prefix", choices=MATCHES),
    "upstream": Key("str"),
    "root": Key("str", path_values.folder),
    "redirect": Key("dict"),
    "respond": Key("dict"),
    "websocket_only": Key("bool", text_values.boolean, False),
    "strip_prefix": Key("bool", text_values.boolean, False),
    "rewrite_to": Key("str", path_values.path),
    "try_files": Key("list", path_values.try_files, elements="str"),
    "expires": Key("str", time_values.expires),
    "extra_config": Key("str", config_values.free_text, ""),
    **_HEADERS,
    **INHERITED,
}

# What a location can be, and the keys that go with that alone.
PURPOSES = {
    "upstream": ("websocket_only", "strip_prefix", "rewrite_to", "request_headers", "read_timeout", "send_timeout",
                 "connect_timeout", "next_upstream", "next_upstream_tries", "next_upstream_timeout", "host",
                 "buffering", "buffer_size", "buffers", "proxy_redirect"),
    "root": ("try_files",),
    "redirect": (),
    "respond": (),
}

REDIRECT_STATUSES = (301, 302, 307, 308)

REDIRECT = {
    "to": Key("str", header_values.redirect_to, required=True),
    "status": Key("int", number_values.number_of(*REDIRECT_STATUSES), 308, choices=REDIRECT_STATUSES),
}

RESPOND = {
    "status": Key("int", number_values.status, 200),
    "body": Key("str", header_values.body, ""),
    "content_type": Key("str", header_values.content_type, "text/plain"),
}

KEY_TYPES = ("ecdsa", "rsa")
PROFILES = ("intermediate", "modern")

# Where a certificate may come from, and the keys that say so together.
CERTIFICATES = {
    "certificate": ("certificate", "certificate_key"),
    "certificate_content": ("certificate_content", "certificate_key_content"),
    "self_signed": ("self_signed",),
    "acme": ("acme",),
}

TLS = {
    "certificate": Key("str", path_values.file),
    "certificate_key": Key("str", path_values.file),
    "certificate_content": Key("str", certificate_values.certificates),
    "certificate_key_content": Key("str", certificate_values.private_key),
    "self_signed": Key("bool", text_values.boolean, False),
    "acme": Key("dict"),
    "key_type": Key("str", text_values.one_of(*KEY_TYPES), "ecdsa", choices=KEY_TYPES),
    "profile": Key("str", text_values.one_of(*PROFILES), "intermediate", choices=PROFILES),
    "http2": Key("bool", text_values.boolean, True),
    # Of 16k, nginx's default, 12 KiB more would stay with each idle WebSocket.
    "ssl_buffer_size": Key("str", time_values.buffer_size, "4k"),
    "redirect": Key("raw", number_values.redirect_status, 308),
    "redirect_listen": Key("list", default=["80"], elements="raw"),
    "hsts": Key("raw"),
    "client_certificate": Key("raw"),
}

ACME = {
    "email": Key("str", certificate_values.email),
    "directory_url": Key("str", certificate_values.directory_url, "https://acme-v02.api.letsencrypt.org/directory"),
    "agree_tos": Key("bool", text_values.boolean, required=True),
}

HSTS = {
    "max_age": Key("str", time_values.seconds_or_none, "730d"),
    "include_subdomains": Key("bool", text_values.boolean, False),
    "preload": Key("bool", text_values.boolean, False),
}

CLIENT_CERTIFICATE = {
    "ca": Key("str", path_values.file, required=True),
    "verify": Key("raw", certificate_values.verify, "on"),
    "depth": Key("int", number_values.whole(1, 10), 1),
    "crl": Key("str", path_values.file),
}

SITE = {
    "name": Key("str", text_values.name),
    "server_names": Key("list", required=True, elements="raw"),
    "listen": Key("list", default=["80"], elements="raw"),
    "tls": Key("raw"),
    "upstream": Key("str"),
    "locations": Key("list", default=[], elements="dict"),
    "other_upgrades": Key("str", text_values.one_of(*OTHER_UPGRADES), choices=OTHER_UPGRADES),
    "dot_segments": Key("str", text_values.one_of(*DOT_SEGMENTS), "refuse", choices=DOT_SEGMENTS),
    "trusted_proxies": Key("list", default=[], elements="str"),
    "extra_config": Key("str", config_values.free_text, ""),
    **_HEADERS,
    **INHERITED,
}

# What a site has of its own, and cannot have from websocket_proxy_site_defaults.
OWN = ("name", "server_names", "locations", "extra_config")

LISTEN = {
    "address": Key("str", address_values.listen_address),
    "port": Key("int", number_values.port),
    "default_server": Key("bool", text_values.boolean, False),
    "proxy_protocol": Key("bool", text_values.boolean, False),
    "backlog": Key("int", number_values.whole(1, 1000000)),
    "reuseport": Key("bool", text_values.boolean, False),
    "so_keepalive": Key("raw", address_values.so_keepalive),
}

# What belongs to a socket, and is said once for all sites that listen there.
SOCKET_OPTIONS = ("backlog", "reuseport", "so_keepalive")

# What of that is TCP's, and no unix socket has.
TCP_OPTIONS = ("port", "reuseport", "so_keepalive")

SERVER_NAME = {
    "regex": Key("str", config_values.regular_expression, required=True),
}

# Levels whose keys are told from each other in errors. A key of several is that of the first.
LEVELS: tuple[tuple[str, Mapping[str, Any]], ...] = (
    ("an upstream", UPSTREAM), ("a site", SITE), ("a location", LOCATION), ("an upstream's server", SERVER),
    ("an upstream's load_balancing", METHODS), ("a site's listen", LISTEN), ("a site's tls", TLS),
    ("acme in a site's tls", ACME), ("hsts in a site's tls", HSTS),
    ("client_certificate in a site's tls", CLIENT_CERTIFICATE))
