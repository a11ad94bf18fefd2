"""0, false, empty texts, lists and mappings: a key accepts one only if documented, and mistakes none for another."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.compiler import InventoryError, compile_model
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.host import Host
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec import schema
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.inventory_path import Refused
from tests.support.key_examples import HASH
from tests.unit.test_agreement import SCHEMAS

VALUES = [0, 0.0, 1, 1.0, False, True, "", [], {}]
KEY = "-----BEGIN PGP PUBLIC KEY BLOCK-----\nx\n-----END PGP PUBLIC KEY BLOCK-----"

# A valid mapping for each level.
SOUND: dict[str, dict[str, Any]] = {
    "main": {"websocket_proxy_upstreams": [{"name": "u", "servers": ["10.0.0.1:1"]}],
             "websocket_proxy_sites": [{"server_names": ["a.b"], "upstream": "u"}]},
    "apt_repository": {"url": "https://a.b/", "suite": "trixie", "key": KEY},
    "upstream": {"name": "u", "servers": ["10.0.0.1:1"], "keepalive": 8}, "server": {"address": "10.0.0.1:1"},
    "hash": {"key": "$arg_x"}, "sticky": {"cookie": "route"}, "random": {"two": "least_conn"},
    "site": {"server_names": ["a.b"], "upstream": "u"}, "location": {"path": "/x", "upstream": "u"},
    "redirect": {"to": "/"}, "respond": {}, "fastcgi": {"server": "unix:/a", "root": "/a"},
    "tls": {"self_signed": True}, "acme": {"agree_tos": True}, "hsts": {},
    "client_certificate": {"ca": "/ca.pem"}, "listen": {"port": 81}, "server_name": {"regex": "^a$"},
    "upstream_tls": {"server_name": "c.d"}, "probe": {},
    "limits": {"max_connections": 5, "handshakes_per_second": 5, "requests_per_second": 5},
    "auth": {"basic": {"users": {"alice": HASH}}},
    "auth_basic": {"users": {"alice": HASH}}, "auth_request": {"upstream": "u", "path": "/auth"},
}
# Keys that replace other keys of their level.
PURPOSES = {"root", "fastcgi", "redirect", "respond"}


def inventory(level: str, given: dict[str, Any]) -> dict[str, Any]:
    """Return an inventory with the GIVEN mapping at its LEVEL."""
    if level == "main":
        return given
    variables = copy.deepcopy(SOUND["main"])
    (upstream,), (site,) = variables["websocket_proxy_upstreams"], variables["websocket_proxy_sites"]
    if level == "apt_repository":
        variables["websocket_proxy_apt_repository"] = given
    elif level == "upstream":
        variables["websocket_proxy_upstreams"] = [given]
    elif level in schema.METHODS:
        upstream["load_balancing"] = {level: given}
    elif level == "upstream_tls":
        upstream["tls"] = given
    elif level == "server":
        upstream["servers"] = [given]
    elif level == "site":
        variables["websocket_proxy_sites"] = [given]
    elif level == "location":
        site["locations"] = [given]
    elif level == "probe":
        site["locations"] = [{"path": "/x", "upstream": "u", level: given}]
    elif level in ("fastcgi", "redirect", "respond"):
        site["locations"] = [{"path": "/x", level: given}]
    elif level in ("auth", "limits"):
        site[level] = given
    elif level.startswith("auth_"):
        site["auth"] = {level.removeprefix("auth_"): given}
    elif level == "tls":
        site["tls"] = given
    elif level == "acme":
        site["tls"] = {"acme": given}
    elif level == "hsts":
        site["tls"] = {"certificate": "/a.pem", "certificate_key": "/a.key", "hsts": given}
    elif level == "client_certificate":
        site["tls"] = {"self_signed": True, "client_certificate": given}
    else:
        site[{"listen": "listen", "server_name": "server_names"}[level]] = [given]
    return variables


def accepted(level: str, name: str) -> list[Any]:
    """Return those of the VALUES that a key accepts."""
    sound = {key: value for key, value in SOUND[level].items()
             if not (level == "location" and name in PURPOSES and key == "upstream")}
    found = []
    for value in VALUES:
        try:
            compile_model(inventory(level, {**sound, name: value}), Host(ipv6=True, nginx_version=(1, 30, 6)))
        except InventoryError:
            continue
        found.append(value)
    return found


# The VALUES that each validator accepts. YAML reads "off" as False, and "on" as True.
OF_KIND: dict[str, list[Any]] = {
    "boolean": [False, True], "duration": [1], "seconds": [1], "duration_or_never": [0, 1], "seconds_or_none": [0, 1],
    "body_size": [0, 1], "worker_processes": [1], "free_text": [""], "body": [""], "log_file": [False],
    "expires": [1, False], "proxy_redirect": [False], "redirect_status": [False], "so_keepalive": [False, True],
    "networks": [[]], "trusted_networks": [[]], "argument_names": [[]],
    "buffers": [""], "verify": [True], "verification": [False, True], "some_of": [[]],
}
# The same for keys that the compiler checks itself, and for keys that need or exclude others.
OF_KEY: dict[tuple[str, str], list[Any]] = {
    ("main", "websocket_proxy_apt_repository"): [{}], ("main", "websocket_proxy_site_defaults"): [{}],
    ("main", "websocket_proxy_server"): [{}], ("main", "websocket_proxy_resolver"): [[]],
    ("upstream", "proxy_bind"): [[]], ("upstream", "resolve"): [False], ("server", "backup"): [False],
    ("site", "tls"): [False], ("site", "locations"): [[]], ("site", "trusted_proxies"): [[]],
    ("site", "request_headers"): [{}], ("site", "response_headers"): [{}], ("location", "request_headers"): [{}],
    ("location", "response_headers"): [{}], ("location", "respond"): [{}], ("location", "strip_prefix"): [False],
    ("tls", "self_signed"): [True], ("tls", "hsts"): [False], ("tls", "client_certificate"): [False],
    ("acme", "agree_tos"): [True], ("hsts", "preload"): [False], ("listen", "proxy_protocol"): [False],
    ("site", "limits"): [False, {}], ("location", "limits"): [False, {}],
    ("site", "auth"): [False, {}], ("location", "auth"): [False, {}], ("auth_basic", "file"): [],
    ("auth_request", "response_headers"): [[]], ("auth_request", "request_headers"): [{}],
    ("location", "disable_symlinks"): [],
    ("upstream", "port"): [], ("location", "probe"): [False, True, {}], ("probe", "subprotocols"): [[]],
}


def expected(level: str, name: str) -> list[Any]:
    """Return those of the VALUES that a key accepts according to its documentation."""
    kind = SCHEMAS[level][name].validator
    if (level, name) in OF_KEY or not kind:
        return OF_KEY.get((level, name), [])
    if kind.__qualname__.startswith("whole"):
        return [value for value in (0, 1) if is_of(kind, value)]
    return OF_KIND.get(kind.__qualname__.split(".")[0], [])


def is_of(kind: Callable[[object], Any], value: object) -> bool:
    """Return whether a validator accepts a value."""
    try:
        kind(value)
    except Refused:
        return False
    return True


@pytest.mark.parametrize("level", SCHEMAS)
def test_a_key_accepts_an_empty_value_only_where_that_is_documented(level: str) -> None:
    # The comparison is by text, because 0 is equal to False and 0.0.
    assert {name: repr(accepted(level, name)) for name in SCHEMAS[level]} == {
        name: repr(sorted(expected(level, name), key=lambda value: [repr(one) for one in VALUES].index(repr(value))))
        for name in SCHEMAS[level]}
