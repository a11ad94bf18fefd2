"""The probes of a verification for an inventory, and its judgement of their results."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.wsedge.nginx.plugins.action.websocket_proxy_verify import judged
from ansible_collections.wsedge.nginx.plugins.module_utils.verification import tried
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.compiler import InventoryError
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.probes import Probe, probes
from tests.support.backends import switching, telling
from tests.support.compiling import compiled
from tests.support.ports import free_address

OWN = {"certificate": "/etc/ssl/a.pem", "certificate_key": "/etc/ssl/a.key"}


def made(*locations: dict[str, Any], host: dict[str, Any] | None = None, **site: Any) -> list[Probe]:
    """Return the probes of a site."""
    return probes(compiled({
        "upstreams": [{"name": "u", "servers": ["10.0.0.1:1"]}],
        "sites": [{"server_names": ["a.example"], **site,
                   **({"locations": list(locations)} if locations else {"upstream": "u"})}]}, host))


def test_each_location_with_an_upstream_is_tried_through_a_socket_of_the_edges() -> None:
    found = made({"path": "/socket", "upstream": "u", "websocket_only": True}, {"path": "/", "upstream": "u"},
                 {"path": "/files", "root": "/srv"}, {"path": "/app/", "upstream": "u", "strip_prefix": True},
                 {"path": "/none", "upstream": "u", "probe": False})
    assert [(one.target["url"], one.required) for one in found] == [
        ("ws://a.example/socket", True), ("ws://a.example/", False), ("ws://a.example/app/", False)]
    assert {one.target["connect_to"] for one in found} == {"127.0.0.1:80"}


@pytest.mark.parametrize(("site", "target"), [
    ({}, {"url": "ws://a.example/", "connect_to": "127.0.0.1:80"}),
    ({"listen": [8080]}, {"url": "ws://a.example:8080/", "connect_to": "127.0.0.1:8080"}),
    ({"listen": ["10.0.0.5:80"]}, {"url": "ws://a.example/", "connect_to": "10.0.0.5:80"}),
    ({"listen": ["[::]:80"]}, {"url": "ws://a.example/", "connect_to": "[::1]:80"}),
    ({"listen": ["unix:/run/a.sock"]}, {"url": "ws://a.example/", "connect_to": "unix:/run/a.sock"}),
    ({"listen": [{"port": 80, "proxy_protocol": True}], "trusted_proxies": ["10.0.0.0/8"]},
     {"url": "ws://a.example/", "connect_to": "127.0.0.1:80", "proxy_protocol": True}),
    ({"server_names": ["*.example.com"]}, {"url": "ws://websocket-probe.example.com/", "connect_to": "127.0.0.1:80"}),
    ({"tls": OWN}, {"url": "wss://a.example/", "connect_to": "127.0.0.1:443", "ca_path": "/etc/ssl/a.pem"}),
    ({"tls": {"acme": {"agree_tos": True}}}, {"url": "wss://a.example/", "connect_to": "127.0.0.1:443"}),
    ({"tls": OWN, "listen": [8443]},
     {"url": "wss://a.example:8443/", "connect_to": "127.0.0.1:8443", "ca_path": "/etc/ssl/a.pem"}),
])
def test_a_probe_comes_as_a_client_of_the_site_does(site: dict[str, Any], target: dict[str, Any]) -> None:
    (found,) = made(host={"ipv6": True}, **site)
    assert found.target == target and not found.reason


def test_a_certificate_of_another_ca_is_trusted_as_it_is() -> None:
    (found,) = made(tls={"acme": {"agree_tos": True, "directory_url": "https://ca.internal/directory"}})
    assert found.target["ca_path"].startswith("/etc/nginx/websocket_proxy_certificates/")


def test_a_probe_says_what_to_ask_for_and_to_expect() -> None:
    (found,) = made({"path": "^/ws$", "match": "regex", "upstream": "u", "probe": {
        "path": "/ws?a=b", "origin": "https://a.example", "subprotocols": ["chat"], "expect": "text", "send": "hi",
        "text": "ready", "timeout": 5}}, {"path": "/x", "respond": {}})
    assert found.required and found.target == {
        "url": "ws://a.example/ws?a=b", "connect_to": "127.0.0.1:80", "origin": "https://a.example", "expect": "text",
        "subprotocols": ["chat"], "send": "hi", "text": "ready", "timeout": 5}


@pytest.mark.parametrize(("location", "site", "reason"), [
    ({"maintenance": True}, {}, "maintenance"),
    ({"path": "^/x", "match": "regex"}, {}, "its path is a regular expression, and its probe has no path"),
    ({}, {"name": "x", "server_names": [{"regex": "^a"}]}, "the site's names are regular expressions"),
    ({}, {"tls": {**OWN, "client_certificate": {"ca": "/ca.pem"}}}, "the site asks clients for a certificate")])
def test_what_cannot_be_tried_is_left_out_with_the_reason(
        location: dict[str, Any], site: dict[str, Any], reason: str) -> None:
    assert [one.reason for one in made({"path": "/x", "upstream": "u", **location}, **site)] == [reason]


@pytest.mark.parametrize(("probe", "told"), [
    ({"path": "socket"}, '.probe.path: "socket" is not a path as a client sends it'), (1, ".probe: 1 is not a mapping"),
    ({"expect": "nothing"}, '.probe.expect: "nothing" is not one of'), ({"pth": "/"}, '"pth"'),
    ({"subprotocols": ["a b"]}, ".probe.subprotocols[0]: ")])
def test_a_probe_that_makes_no_sense_is_refused(probe: Any, told: str) -> None:
    with pytest.raises(InventoryError) as found:
        made({"path": "/x", "upstream": "u", "probe": probe})
    assert told in str(found.value)


def outcome(required: bool, address: str) -> dict[str, str]:
    """Return the outcome of a probe of a location that is served at an ADDRESS."""
    return tried({"target": {"url": "ws://a.example/x", "connect_to": address, "expect": "handshake"},
                  "required": required, "reason": "", "inventory_path": "websocket_proxy_sites[0]"})


def test_a_page_is_as_good_as_a_websocket_only_where_none_is_required() -> None:
    page, other = telling(), switching()
    assert outcome(False, page.address) == {"outcome": "page", "line": "page      ws://a.example/x: 200"}
    line = outcome(True, page.address)["line"]
    assert "; the answer is a page: the application" in line and line.endswith(" (websocket_proxy_sites[0])")
    # This backend answers 101 to any request, and does not know WebSockets.
    assert "Sec-WebSocket-Accept is not the answer" in outcome(False, other.address)["line"]
    page.close()
    other.close()
    assert outcome(False, free_address())["outcome"] == "failed"


def lines(*outcomes: str) -> dict[str, Any]:
    """Return the judgement of some OUTCOMES."""
    return judged([{"outcome": one, "line": f"{one} {number}"} for number, one in enumerate(outcomes)])


def test_an_edge_is_well_when_nothing_failed_and_a_websocket_opened() -> None:
    well = lines("open", "page", "open", "left out")
    assert not well.get("failed") and well["msg"] == "2 open, 1 page, 1 left out" and len(well["report"]) == 4
    assert not lines().get("failed") and not lines("left out").get("failed")
    ill = lines("open", "failed", "failed")
    assert ill["failed"] and ill["msg"] == "Some WebSockets did not open (1 open, 2 failed):\nfailed 1\nfailed 2"
    none = lines("page", "page")
    assert none["failed"] and none["msg"].startswith("No WebSocket was opened: no location is known to accept one.")
