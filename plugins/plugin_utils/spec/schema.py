# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The keys of the inventory: the type, validator and default of each.

Types, choices, defaults and required keys are those of the role's ``meta/argument_specs.yml``. This module adds the
validators, which that file cannot express. Booleans and choices need none here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec import (
    address_values,
    auth_values,
    certificate_values,
    config_values,
    header_values,
    number_values,
    origin_values,
    package_values,
    path_values,
    text_values,
    time_values,
)
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.inventory_path import InventoryPath

_SPECS = Path(__file__).parents[3] / "roles/websocket_proxy/meta/argument_specs.yml"
# libyaml's loader takes a twentieth of the time.
_ENTRY_POINTS = yaml.load(_SPECS.read_text(encoding="utf-8"), Loader=getattr(
    yaml, "CSafeLoader", yaml.SafeLoader))["argument_specs"]


@dataclass(frozen=True)
class Key:
    """One key.

    ``validator`` is None if the compiler reads the list or mapping itself.
    ``type``, ``elements`` and ``choices`` are those of Ansible's argument specification.
    """

    type: str
    validator: Callable[[object], Any] | None = None
    default: Any = None
    elements: str | None = None
    choices: tuple[str | int, ...] | None = None
    required: bool = False

    def read(self, at: InventoryPath, given: Any) -> Any:
        """Return the value for GIVEN: the default if it is absent, None if it is refused."""
        value = self.default if given is None else given
        return at.read(self.validator, value) if self.validator and value is not None else value

    def read_default(self) -> Any:
        """Return the validated default."""
        return self.validator(self.default) if self.validator and self.default is not None else self.default


def read_keys(at: InventoryPath, keys: Mapping[str, Key], raw: object) -> dict[str, Any] | None:
    """Return the given keys of the mapping RAW with their validated values; a refused value is omitted."""
    given = at.mapping(raw, keys, [name for name, key in keys.items() if key.required], _elsewhere(keys))
    if given is None:
        return None
    checked = {name: keys[name].read(at[name], value) for name, value in given.items()}
    return {name: value for name, value in checked.items() if value is not None}


def _elsewhere(keys: Mapping[str, Key]) -> dict[str, str]:
    """Return the keys of other levels, each with the level that it belongs to."""
    return {name: level for level, known in reversed(LEVELS) for name in known if name not in keys}


def with_defaults(keys: Mapping[str, Key], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return GIVEN with the defaults of the keys that it lacks."""
    return {name: given.get(name, key.read_default()) for name, key in keys.items()}


def _level(entry_point: str, validators: Mapping[str, Callable[[object], Any]] | None = None,
           prefix: str = "") -> dict[str, Key]:
    """Return the keys of an entry point of the argument specifications; names of the VALIDATORS are without PREFIX."""
    options = _ENTRY_POINTS[entry_point]["options"]
    own = {prefix + name: validator for name, validator in (validators or {}).items()}
    unknown = own.keys() - options.keys()
    if unknown:
        raise LookupError(f"{_SPECS}: {entry_point} has no {', '.join(unknown)}")
    return {name: Key(option["type"], own.get(name) or _validator(option), option.get("default"),
                      option.get("elements"), tuple(option["choices"]) if "choices" in option else None,
                      option.get("required", False))
            for name, option in options.items()}


def _validator(option: Mapping[str, Any]) -> Callable[[object], Any] | None:
    """Return the validator that follows from an option's type and choices; None if there is none."""
    if option["type"] == "bool":
        return text_values.boolean
    if "choices" not in option:
        return None
    make = {"list": text_values.some_of, "int": number_values.number_of}.get(option["type"], text_values.one_of)
    return make(*option["choices"])  # type: ignore[operator, no-any-return]


ROLE = _level("main", {
    "package": package_values.package,
    "worker_processes": number_values.worker_processes,
    "worker_connections": number_values.whole(16, 1048576),
    "worker_rlimit_nofile": number_values.whole(64, 1073741816),
    "worker_shutdown_timeout": time_values.duration_or_never,
    "keep_generations": number_values.whole(1, 1000),
    "max_draining_generations": number_values.whole(1, 1000),
    "masked_arguments": text_values.argument_names,
    "large_client_header_buffers": time_values.buffers,
    "certificate_warn_days": number_values.whole(0, 1000),
    "extra_config": config_values.free_text,
    "verify": text_values.verification,
}, prefix="websocket_proxy_")

# These belong to the main or events context. A file that another nginx.conf includes cannot set them.
MAIN_CONTEXT = ("websocket_proxy_worker_processes", "websocket_proxy_worker_connections",
                "websocket_proxy_worker_rlimit_nofile", "websocket_proxy_worker_shutdown_timeout")

APT_REPOSITORY = _level("apt_repository", {
    "url": package_values.repository_url,
    "suite": package_values.suite,
    "key": package_values.public_key,
})

# TLS to an upstream's servers.
UPSTREAM_TLS = _level("upstream_tls", {
    "ca": path_values.file,
    "server_name": certificate_values.tls_name,
    "certificate": path_values.file,
    "certificate_key": path_values.file,
})

UPSTREAM = _level("upstream", {
    "name": text_values.name,
    "group": text_values.text,
    "port": number_values.port,
    "keepalive": number_values.whole(0, 100000),
    "keepalive_requests": number_values.whole(1, 1000000000),
    "keepalive_timeout": time_values.duration,
    "keepalive_time": time_values.duration,
})

# An element of an upstream's servers, or the value of a backend's own websocket_proxy_server.
SERVER = _level("server", {
    "weight": number_values.whole(1, 256),
    "max_conns": number_values.whole(0, 10000000),
    "max_fails": number_values.whole(0, 1000000),
    "fail_timeout": time_values.seconds,
})


@dataclass(frozen=True)
class Method:
    """A load balancing method; DIRECTIVE makes the words of nginx's directive, none for round robin.

    A PLAIN method needs no keys. With WITH_BACKUP, nginx supports backup servers. SINCE is the first version of nginx
    that has the method; in previous versions, a hash of a cookie replaces sticky.
    """

    directive: Callable[[Mapping[str, Any]], list[str]]
    keys: Mapping[str, Key] = field(default_factory=dict)
    plain: bool = False
    with_backup: bool = False
    since: tuple[int, ...] = ()


def _hash(options: Mapping[str, Any]) -> list[str]:
    return ["hash", options["key"], *(["consistent"] if options["consistent"] else [])]


def _sticky(options: Mapping[str, Any]) -> list[str]:
    return ["sticky", "cookie", options["cookie"],
            *(f"{name}={options[name]}" for name in ("expires", "domain", "path") if options[name]),
            *(name for name in ("httponly", "secure") if options[name]), f"samesite={options['samesite']}"]


def _random(options: Mapping[str, Any]) -> list[str]:
    return ["random", *(["two", options["two"]] if options else [])]


METHODS = {
    "round_robin": Method(lambda _options: [], plain=True, with_backup=True),
    "least_conn": Method(lambda _options: ["least_conn"], plain=True, with_backup=True),
    "ip_hash": Method(lambda _options: ["ip_hash"], plain=True),
    "hash": Method(_hash, _level("hash", {"key": header_values.hash_key})),
    "sticky": Method(_sticky, _level("sticky", {
        "cookie": header_values.cookie_name,
        "expires": time_values.seconds,
        "domain": header_values.cookie_domain,
        "path": path_values.path,
    }), since=(1, 29, 6)),
    "random": Method(_random, _level("random"), plain=True),
}

_SHARED = _level("inherited", {
    "read_timeout": time_values.duration,
    "live_read_timeout": time_values.duration,
    "live_buffer_size": time_values.buffer_size,
    "live_access_log": path_values.log_file,
    "send_timeout": time_values.duration,
    "connect_timeout": time_values.duration,
    "next_upstream_tries": number_values.whole(0, 1000),
    "next_upstream_timeout": time_values.duration_or_never,
    "host": header_values.host_header,
    "buffer_size": time_values.buffer_size,
    "buffers": number_values.whole(3, 100000),
    "proxy_redirect": header_values.proxy_redirect,
    "client_max_body_size": time_values.body_size,
    "client_body_timeout": time_values.duration,
    "client_send_timeout": time_values.duration,
    "keepalive_timeout": time_values.duration_or_never,
    "access_log": path_values.log_file,
    "allow": auth_values.networks,
    "deny": auth_values.networks,
    "allowed_origins": origin_values.allowed_origins,
})

# The keys that a location inherits from its site unless it sets them. Headers are merged by name instead.
INHERITED = {name: key for name, key in _SHARED.items() if key.type != "dict"}

LOCATION = _level("location", {
    "root": path_values.folder,
    "replace_prefix": path_values.path,
    "rewrite_to": header_values.rewrite_to,
    "try_files": path_values.try_files,
    "disable_symlinks": path_values.disable_symlinks,
    "expires": time_values.expires,
    "extra_config": config_values.free_text,
}) | _SHARED

AUTH = _level("auth")

AUTH_BASIC = _level("auth_basic", {
    "realm": auth_values.realm,
    "file": path_values.file,
})

AUTH_REQUEST = _level("auth_request", {
    "upstream": text_values.text,
    "path": header_values.probe_path,
    "login": auth_values.login,
    "timeout": time_values.duration,
})

LIMITS = _level("limits", {
    "max_connections": number_values.whole(1, 1000000),
    "max_connections_total": number_values.whole(1, 10000000),
    "handshakes_per_second": number_values.whole(1, 100000),
    "burst": number_values.whole(0, 1000000),
    "requests_per_second": number_values.whole(1, 100000),
    "requests_burst": number_values.whole(0, 1000000),
    "key": header_values.hash_key,
    "trusted": auth_values.trusted_networks,
})

PROBE = _level("probe", {
    "path": header_values.probe_path,
    "origin": text_values.text,
    "send": text_values.text,
    "text": text_values.text,
    "timeout": number_values.whole(1, 600),
})

FASTCGI = _level("fastcgi", {
    "server": address_values.server_address,
    "root": path_values.folder,
    "script": path_values.script,
})

REDIRECT = _level("redirect", {
    "to": header_values.redirect_to,
})

RESPOND = _level("respond", {
    "status": number_values.status,
    "body": header_values.body,
    "content_type": header_values.content_type,
})

# The sources of a certificate, each with the keys that set it together.
CERTIFICATES = {
    "certificate": ("certificate", "certificate_key"),
    "certificate_content": ("certificate_content", "certificate_key_content"),
    "self_signed": ("self_signed",),
    "acme": ("acme",),
}

TLS = _level("tls", {
    "certificate": path_values.file,
    "certificate_key": path_values.file,
    "certificate_content": certificate_values.certificates,
    "certificate_key_content": certificate_values.private_key,
    "ssl_buffer_size": time_values.buffer_size,
    "redirect": number_values.redirect_status,
})

ACME = _level("acme", {
    "email": certificate_values.email,
    "directory_url": certificate_values.directory_url,
})

HSTS = _level("hsts", {
    "max_age": time_values.seconds_or_none,
})

CLIENT_CERTIFICATE = _level("client_certificate", {
    "ca": path_values.file,
    "verify": certificate_values.verify,
    "depth": number_values.whole(1, 10),
    "crl": path_values.file,
})

SITE = _level("site", {
    "name": text_values.name,
    "client_header_timeout": time_values.duration,
    "extra_config": config_values.free_text,
}) | _SHARED

# The keys that only a site can set, not websocket_proxy_site_defaults.
OWN = ("name", "server_names", "locations", "extra_config")

LISTEN = _level("listen", {
    "address": address_values.listen_address,
    "port": number_values.port,
    "backlog": number_values.whole(1, 1000000),
    "so_keepalive": address_values.so_keepalive,
})

# Options of a socket, which all sites on it share.
SOCKET_OPTIONS = ("backlog", "reuseport", "so_keepalive")

# The keys of a socket that are for TCP only, not for a unix socket.
TCP_OPTIONS = ("port", "reuseport", "so_keepalive")

SERVER_NAME = _level("server_name", {
    "regex": config_values.regular_expression,
})

# The levels that errors name for a key in the wrong place. A key of several levels belongs to the first of them.
LEVELS: tuple[tuple[str, Mapping[str, Any]], ...] = (
    ("an upstream", UPSTREAM), ("a site", SITE), ("a location", LOCATION), ("an upstream's server", SERVER),
    ("an upstream's load_balancing", METHODS), ("a site's listen", LISTEN), ("a site's tls", TLS),
    ("acme in a site's tls", ACME), ("hsts in a site's tls", HSTS),
    ("client_certificate in a site's tls", CLIENT_CERTIFICATE), ("a location's probe", PROBE),
    ("a location's fastcgi", FASTCGI), ("auth", AUTH), ("auth's basic", AUTH_BASIC), ("auth's request", AUTH_REQUEST),
    ("limits", LIMITS))
