"""Each key of the inventory has an effect: a value other than its default changes what a host gets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from ansible_collections.wsedge.nginx.plugins.action import websocket_proxy_certificates as certificates
from ansible_collections.wsedge.nginx.plugins.action import websocket_proxy_config as config
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.compiler import InventoryError
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.model import Model
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.probes import probes
from ansible_collections.wsedge.nginx.plugins.plugin_utils.render.files import rendered
from ansible_collections.wsedge.nginx.plugins.plugin_utils.render.host_files import host_files
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec import schema
from tests.support.compiling import RENDERER, compiled
from tests.support.key_examples import EXAMPLES, HASH, LEVELS, WITHOUT_EFFECT
from tests.unit.test_agreement import SPECS

KEYS = [(level, key) for level in SPECS for key in SPECS[level]["options"] if key not in WITHOUT_EFFECT]


def inventory(level: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return variables with the GIVEN mapping at its LEVEL."""
    if level == "main":
        return {"upstreams": [{"name": "u", "servers": ["10.0.0.1:3000"]}],
                "sites": [{"server_names": ["a.example"], "upstream": "u"}],
                **{key.removeprefix("websocket_proxy_"): value for key, value in given.items()}}
    upstream: dict[str, Any] = {"name": "u", "servers": ["10.0.0.1:3000"]}
    site: dict[str, Any] = {"server_names": ["a.example"], "upstream": upstream["name"]}
    more: dict[str, Any] = {"resolver": ["10.0.0.53"]}
    match level:
        case "upstream":
            upstream = {**given, **({"servers": None} if "group" in given else {})}
        case "upstream_tls":
            upstream["tls"] = given
        case "server":
            upstream["servers"] = [{name: value for name, value in given.items() if name != "more"},
                                   *(["10.0.0.9:1"] if given.get("more") else [])]
        case "hash" | "sticky" | "random":
            upstream["load_balancing"] = {level: given} if given else level
        case "site":
            site = dict(given)
        case "location" | "inherited":
            site = {"server_names": ["a.example"], "locations": [given]}
        case "probe":
            site = {"server_names": ["a.example"], "locations": [{"path": "/x", "upstream": "u", level: given}]}
        case "fastcgi" | "redirect" | "respond":
            site = {"server_names": ["a.example"], "locations": [{"path": "/x", level: given}]}
        case "limits":
            site["limits"] = given
        case "auth":
            site["auth"] = {"basic": {"users": {"alice": HASH}}, **given}
        case "auth_basic" | "auth_request":
            site["auth"] = {level.removeprefix("auth_"): given}
        case "tls":
            site["tls"] = given
        case "acme":
            site["tls"] = {"acme": given}
        case "hsts" | "client_certificate":
            site["tls"] = {**LEVELS["tls"], level: given}
        case "listen":
            site["listen"] = [given]
            site["trusted_proxies"] = ["10.0.0.0/8"]
        case "server_name":
            site["name"], site["server_names"] = "a", [given]
        case "apt_repository":
            more["apt_repository"] = given
    site["upstream"] = upstream["name"] if site.get("upstream") == "u" else site.get("upstream")
    others = [{"name": name, "servers": ["10.0.0.8:1"]} for name in ("u", "v") if name != upstream["name"]]
    return {"upstreams": [upstream, *others], "sites": [site], **more}


def effect(variables: Mapping[str, Any]) -> list[Any]:
    """Return everything that a host gets, and everything that decides about the steps of the role."""
    model: Model = compiled(variables, {"version": "1.30.1", "ipv6": True, "openssl_version": "3.5.4"},
                            {"one": ["b1"], "two": ["b2"]}, {"b1": {}, "b2": {}})
    return [rendered(model, RENDERER, "/f", "g"), host_files(model, RENDERER), certificates.options(model),
            config.options(model), model.references, model.readable, model.replace_nginx_conf, model.allow_restart,
            model.max_draining_generations, model.state, model.package, model.packages, model.verify, probes(model),
            [one.health_check for site in model.sites for one in site.locations]]


def with_key(level: str, key: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return an inventory without a key, and one with the key's example."""
    example = EXAMPLES[level][key]
    before, after = example if isinstance(example, tuple) else ({}, {key: example})
    return inventory(level, {**LEVELS[level], **before}), inventory(level, {**LEVELS[level], **after})


@pytest.mark.parametrize(("level", "key"), KEYS)
def test_each_key_changes_what_a_host_gets(level: str, key: str) -> None:
    before, after = with_key(level, key)
    assert effect(before) != effect(after)


@pytest.mark.parametrize("key", [key for level, key in KEYS if level == "main"])
def test_a_variable_that_only_a_main_file_of_our_own_has_is_refused_without_one(key: str) -> None:
    before, after = ({**one, "nginx_conf": "drop_in"} for one in with_key("main", key))
    if key == "websocket_proxy_nginx_conf":
        return
    try:
        changed = effect(after) != effect(before)
    except InventoryError as refused:
        assert f"{key}: with websocket_proxy_nginx_conf: drop_in" in str(refused)
        changed = True
    assert changed


def test_there_is_an_example_for_each_key_and_no_other() -> None:
    assert {(level, key) for level, keys in EXAMPLES.items() for key in keys} == set(KEYS)
    assert set(SPECS) == {*EXAMPLES} and schema.ROLE
