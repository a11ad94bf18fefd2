"""Pages that may open WebSockets, and pages that may not (cross-site WebSocket hijacking, RFC 6455 10.2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from ansible_collections.wsedge.nginx.plugins.module_utils.probing import ProbeFailure, Target, probe
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.probes import probes
from tests.support.backends import Backend, numbered
from tests.support.client import Answer, Client, get
from tests.support.edge import Edge
from tests.support.http2 import unverified
from tests.support.releases import EVERY
from tests.support.served import UPGRADE, Served

pytestmark = EVERY
STREAM = ("Accept", "text/event-stream")
LISTED = ["https://app.example", "https://*.b.example", "http://*.c.example:8080", "null", "chrome-extension://abcdef",
          "https://[2001:db8::1]", f"https://{'x' * 60}.example", "https://port.example:443"]
ALLOWED = ["https://app.example", "HTTPS://APP.example", "https://x.b.example", "https://x.y.b.example",
           "http://x.c.example:8080", "null", "chrome-extension://abcdef", "https://[2001:db8::1]",
           f"https://{'x' * 60}.example", "https://port.example"]
REFUSED = ["https://b.example", "https://x.b.example.evil", "https://xb.example", "https://x.b.example:444",
           "http://x.b.example", "https://.b.example", "https://x..b.example", "https://evil/.b.example",
           "https://evil#.b.example", "https://evil@x.b.example", "https://app.example.evil", "https://evil-app.example",
           "https://evil@app.example", "https://app.example@evil", "https://app.example:8443", "http://app.example",
           "https://app.example.", "https://app.example/", "https://app.example https://evil", "app.example", "NULLx",
           "https://xn--app.example", "https://app.example\t.evil", "https://[2001:db8::2]", "*", "https://*.b.example"]


@dataclass
class Setup(Served):
    """An edge, and a backend that accepts handshakes and records them."""

    taking: Backend

    def start(self, origins: Any, site: dict[str, Any] | None = None, **location: Any) -> None:
        """Serve a site to which pages of ORIGINS may connect."""
        self.taking.forget()
        self.serve({"server_names": ["a"], "upstream": None, **(site or {}), "locations": [
            {"path": "/", "upstream": "taking", "allowed_origins": origins, **location}]},
            upstreams=[{"name": "taking", "servers": [self.taking.address]}])

    def handshake(self, *headers: tuple[str, str], host: str = "a") -> Answer:
        """Send a handshake."""
        return get(self.address, host, "/", [*UPGRADE, *headers])

    def from_(self, origin: str, host: str = "a") -> int:
        """Return the status of a handshake from a page of an ORIGIN."""
        return self.handshake(("Origin", origin), host=host).status


@pytest.fixture(name="setup", scope="module")
def setup_(serving: Edge) -> Iterator[Setup]:
    """Start the backend."""
    backend = numbered(1)
    with Setup.on(serving, taking=backend) as setup:
        yield setup
    backend.close()


def test_only_pages_of_the_listed_origins_open_live_connections(setup: Setup) -> None:
    setup.start(LISTED)
    assert {origin: setup.from_(origin) for origin in ALLOWED} == dict.fromkeys(ALLOWED, 101)
    setup.taking.forget()
    assert {origin: setup.from_(origin) for origin in REFUSED} == dict.fromkeys(REFUSED, 403)
    assert get(setup.address, "a", "/", [STREAM, ("Origin", "https://evil")]).status == 403
    assert not setup.taking.heads
    # Every browser sends an Origin, and any other client can send an allowed one.
    assert setup.handshake().status == 101
    for method in ("GET", "POST", "OPTIONS"):
        assert get(setup.address, "a", "/", [("Origin", "https://evil")], method).status == 200
    answer = setup.handshake(("Origin", "https://evil"))
    assert b"allowed_origins" in answer.body and answer.headers["content-type"] == "text/plain"


def test_a_page_of_the_same_host_has_its_scheme_name_and_port(setup: Setup) -> None:
    setup.start("same_host")
    for host, origin, status in (
            ("a", "http://a", 101), ("A", "http://a", 101), ("a", "http://A", 101), ("a:80", "http://a", 101),
            ("a:8080", "http://a:8080", 101), ("a:8080", "http://a", 403), ("a", "http://a:8080", 403),
            ("a", "https://a", 403), ("a", "http://a.evil", 403), ("a", "http://evil.a", 403), ("a", "http://a.", 403),
            ("a", "http://a@evil", 403), ("a", "http://evil@a", 403), ("a", "null", 403), ("a", "a", 403),
            ("a", "http://a http://a", 403), ("a", "http://a,http://a", 403), ("a", "http://", 403)):
        assert setup.from_(origin, host) == status, (host, origin)


def test_of_two_origins_none_gets_past_the_other(setup: Setup) -> None:
    setup.start(["https://app.example"])
    for origins in (("https://app.example", "https://evil"), ("https://evil", "https://app.example")):
        setup.taking.forget()
        status = setup.handshake(*(("Origin", origin) for origin in origins)).status
        sent = [line for head in setup.taking.heads for line in head.split(b"\r\n") if line.startswith(b"Origin")]
        assert (status, sent) in ((403, []), (101, [b"Origin: https://app.example"]))


def test_over_tls_and_behind_a_trusted_proxy_the_scheme_is_the_clients(setup: Setup) -> None:
    setup.start("same_host", {"tls": {"self_signed": True, "redirect": False}})
    for origin, status in (("https://a", 101), ("http://a", 403)):
        with Client(setup.address) as client, unverified(client.socket, "a", "http/1.1") as client.socket:
            assert client.ask("a", "/", [*UPGRADE, ("Origin", origin)]).status == status
    setup.start("same_host", {"trusted_proxies": ["127.0.0.1"]})
    told = ("X-Forwarded-Proto", "wss")
    assert setup.handshake(told, ("Origin", "https://a")).status == 101
    assert setup.handshake(told, ("Origin", "http://a")).status == 403
    setup.start("same_host", request_headers={"X-Forwarded-Proto": "https"})
    assert setup.from_("https://a") == 101 and setup.from_("http://a") == 403


def test_a_required_origin_is_missed_in_websockets_only(setup: Setup) -> None:
    setup.start({"origins": "same_host", "required": True})
    assert (setup.handshake().status, setup.from_("http://a"), setup.from_("http://b")) == (403, 101, 403)
    # Browsers send no Origin if a page requests its own host.
    assert get(setup.address, "a", "/", [STREAM]).status == 200


@pytest.mark.parametrize("keys", [{"websocket_only": True}, {"separate_live": False}, {"event_streams": False}],
                         ids=str)
def test_no_way_of_serving_live_connections_is_left_out(setup: Setup, keys: dict[str, Any]) -> None:
    setup.start(["same_host", "https://b.example"], **keys)
    assert [setup.from_(origin) for origin in ("http://a", "https://b.example", "https://evil")] == [101, 101, 403]
    stream = get(setup.address, "a", "/", [STREAM, ("Origin", "https://evil")]).status
    assert stream == (426 if "websocket_only" in keys else 200 if "event_streams" in keys else 403)


def test_groups_of_a_locations_regular_expression_stay(setup: Setup) -> None:
    setup.start(LISTED, path="^/r/(.*)$", match="regex", extra_config="proxy_set_header X-Rest $1;")
    get(setup.address, "a", "/r/x", [STREAM, ("Origin", "https://x.b.example")])
    get(setup.address, "a", "/r/y", [("Origin", "https://x.b.example")])
    assert [b"X-Rest: y" in head for head in setup.taking.heads] == [False, True]


def test_a_location_has_its_own_and_others_the_sites(setup: Setup) -> None:
    setup.serve({"server_names": ["a"], "allowed_origins": "same_host", "upstream": "echo", "locations": [
        {"path": "/open", "upstream": "echo", "allowed_origins": "any"}]})
    evil = [*UPGRADE, ("Origin", "https://evil")]
    assert (get(setup.address, "a", "/", evil).status, get(setup.address, "a", "/open", evil).status) == (403, 101)


def test_a_verification_comes_from_a_page_that_may_connect(setup: Setup) -> None:
    for origins in (["https://*.b.example"], "same_host", ["null"]):
        site = {"server_names": ["a"], "listen": [setup.address], "upstream": "echo",
                "allowed_origins": {"origins": origins, "required": True}}
        setup.serve(site)
        model = setup.edge.compiled({"upstreams": [{"name": "echo", "servers": [setup.echo]}], "sites": [site]})
        (one,) = probes(model)
        probe(Target(**one.target))
        with pytest.raises(ProbeFailure, match="403"):
            probe(Target(**{**one.target, "origin": None}))
