"""Limits of one client: live connections, handshakes, and requests, each with clients that stay below the limit."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import strategies as st

from tests.support.backends import Backend, numbered
from tests.support.client import Client, get
from tests.support.edge import Edge
from tests.support.examples import examples
from tests.support.host import Host, site
from tests.support.releases import EVERY, NEWEST, RELEASES
from tests.support.served import UPGRADE, Served
from tests.support.soak import broad
from tests.support.waiting import wait_until

pytestmark = EVERY
STREAM = ("Accept", "text/event-stream")
MANY = 30


@dataclass
class Setup(Served):
    """An edge with a backend that accepts handshakes and keeps the connections open."""

    taking: Backend

    def start(self, of_site: dict[str, Any], site: dict[str, Any] | None = None, **location: Any) -> None:
        """Serve a site with limits, and one without."""
        self.serve({"server_names": ["a"], "upstream": None, "limits": of_site, **(site or {}), "locations": [
            {"path": "/", "upstream": "taking"}, {"path": "/second", "upstream": "taking", **location},
            {"path": "/respond", "respond": {"body": "well"}}]},
            {"server_names": ["b"], "upstream": "taking"},
            upstreams=[{"name": "taking", "servers": [self.taking.address]}])

    def open(self, stack: ExitStack, count: int, *headers: tuple[str, str], path: str = "/", host: str = "a",
             source: str = "") -> list[int]:
        """Open WebSockets that stay open; return their statuses."""
        found = []
        for _one in range(count):
            client = stack.enter_context(Client(self.address, source=source))
            found.append(client.ask(host, path, [*UPGRADE, *headers]).status)
        return found

    def pages(self, count: int, *headers: tuple[str, str], path: str = "/", host: str = "a") -> list[int]:
        """Request pages, one after the other; return their statuses."""
        return [get(self.address, host, path, headers).status for _one in range(count)]


@pytest.fixture(name="setup", scope="module")
def setup_(serving: Edge) -> Iterator[Setup]:
    """Start the backend."""
    taking = numbered(1)
    with Setup.on(serving, taking=taking) as setup:
        yield setup
    taking.close()


def test_a_client_has_so_many_live_connections_on_the_whole_site_and_others_have_theirs(setup: Setup) -> None:
    setup.start({"max_connections": 3})
    with ExitStack() as stack:
        assert setup.open(stack, 2) + setup.open(stack, 3, path="/second") == [101, 101, 101, 429, 429]
        assert setup.open(stack, 1, source="127.0.0.2") == setup.open(stack, 1, host="b") == [101]
        # Pages are not live connections, and have no limit here.
        assert set(setup.pages(MANY)) == {200}
        answer = get(setup.address, "a", "/", UPGRADE)
        assert (answer.status, answer.headers["retry-after"]) == (429, "5")
    with ExitStack() as stack:
        wait_until(lambda: setup.open(stack, 1) == [101])
    assert "retry-after" not in get(setup.address, "a", "/").headers


def test_all_clients_together_have_so_many(setup: Setup) -> None:
    setup.start({"max_connections_total": 3})
    with ExitStack() as stack:
        assert [setup.open(stack, 1, source=f"127.0.0.{last}") for last in range(1, 6)] == [
            [101], [101], [101], [429], [429]]
        assert setup.open(stack, 1, host="b") == [101]


def test_handshakes_have_a_rate_and_pages_none(setup: Setup) -> None:
    setup.start({"handshakes_per_second": 1, "burst": 4})
    with ExitStack() as stack:
        found = setup.open(stack, MANY)
        assert found[:5] == [101] * 5 and found.count(429) > MANY // 2
        assert setup.open(stack, 1, source="127.0.0.2") == [101]
        assert 429 in setup.pages(MANY, STREAM)
    assert set(setup.pages(MANY)) == set(setup.pages(MANY, path="/respond")) == {200}


def test_requests_have_a_rate_and_no_header_is_a_way_around_it(setup: Setup) -> None:
    setup.start({"requests_per_second": 1, "requests_burst": 4})
    found = setup.pages(MANY)
    assert found[:5] == [200] * 5 and found.count(429) > MANY // 2
    for header in (STREAM, ("Accept", "*/*"), ("X-Forwarded-For", "192.0.2.7"), ("X-Real-IP", "192.0.2.7")):
        assert setup.pages(MANY, header).count(429) > MANY // 2
    with ExitStack() as stack:
        assert setup.open(stack, MANY).count(429) > MANY // 2
    assert set(setup.pages(MANY, host="b")) == {200}


def test_networks_that_are_trusted_and_a_dry_run_are_not_limited(setup: Setup) -> None:
    limits = {"max_connections": 1, "handshakes_per_second": 1, "requests_per_second": 1}
    for more in ({"trusted": ["127.0.0.0/8"]}, {"dry_run": True}):
        setup.start({**limits, **more})
        with ExitStack() as stack:
            assert set(setup.open(stack, MANY)) == {101} and set(setup.pages(MANY)) == {200}
        assert "retry-after" not in get(setup.address, "a", "/").headers
    setup.start({**limits, "trusted": ["10.0.0.0/8"]})
    with ExitStack() as stack:
        assert setup.open(stack, MANY).count(429) == MANY - 1


@pytest.mark.parametrize(("site", "status"), [
    ({"maintenance": True}, 503), ({"upstream": None, "locations": [{"path": "/", "respond": {}}]}, 200),
    ({"upstream": None, "locations": [{"path": "/", "root": "/srv"}]}, 404)])
def test_limits_of_what_is_not_served_are_no_hindrance(setup: Setup, site: dict[str, Any], status: int) -> None:
    setup.serve({"server_names": ["a"], "upstream": "taking", "limits": {"max_connections": 1}, **site},
                upstreams=[{"name": "taking", "servers": [setup.taking.address]}])
    assert get(setup.address, "a", "/x").status == status


def test_a_key_is_a_clients_own_and_who_has_none_is_known_by_the_address(setup: Setup) -> None:
    setup.start({"max_connections": 2, "key": "$cookie_session"})
    with ExitStack() as stack:
        for session in ("one", "two", "127.0.0.1"):
            assert setup.open(stack, 3, ("Cookie", f"session={session}")) == [101, 101, 429]
        assert setup.open(stack, 3) == [101, 101, 429]
        for long in ("", "x" * 100, "y" * 300):
            assert setup.open(stack, 1, ("Cookie", f"session={long}")) == [429]


def test_behind_a_trusted_proxy_its_clients_are_counted(setup: Setup) -> None:
    setup.start({"max_connections": 1}, {"trusted_proxies": ["127.0.0.1"]})
    with ExitStack() as stack:
        for address in ("192.0.2.7", "192.0.2.8", "2001:db8:1:2::1", "2001:db8:1:3::1"):
            assert setup.open(stack, 2, ("X-Forwarded-For", address)) == [101, 429]
        # This is another address of the same subscriber.
        assert setup.open(stack, 1, ("X-Forwarded-For", "2001:db8:1:2:ffff::9")) == [429]


def test_a_location_has_its_own_limits_or_none(setup: Setup) -> None:
    setup.start({"max_connections": 1}, None, limits={"max_connections": 2})
    with ExitStack() as stack:
        assert setup.open(stack, 2) + setup.open(stack, 3, path="/second") == [101, 429, 101, 101, 429]
    setup.start({"max_connections": 1}, None, limits=False)
    with ExitStack() as stack:
        assert set(setup.open(stack, 5, path="/second")) == {101}


@pytest.mark.parametrize("keys", [{"websocket_only": True}, {"event_streams": False}], ids=str)
def test_other_ways_of_serving_live_connections_are_limited_too(setup: Setup, keys: dict[str, Any]) -> None:
    setup.start({"max_connections": 2, "requests_per_second": 1, "requests_burst": 4}, None, **keys)
    with ExitStack() as stack:
        assert setup.open(stack, 3, path="/second") == [101, 101, 429]
    if "event_streams" in keys:
        assert 429 in setup.pages(MANY, STREAM, path="/second")


def test_groups_of_a_regular_expression_stay(setup: Setup) -> None:
    setup.start({"requests_per_second": 9}, {"trusted_proxies": ["127.0.0.1"]}, path="^/r/(.*)$", match="regex",
                extra_config="proxy_set_header X-Rest $1;")
    setup.taking.forget()
    get(setup.address, "a", "/r/x", [("X-Forwarded-For", "2001:db8:1:2::1")])
    assert b"X-Rest: x" in setup.taking.heads[0]


ADDRESS = st.lists(st.sampled_from([0, 0, 0, 1, 0xdb8, 0xffff]) | st.integers(0, 0xffff), min_size=8, max_size=8).map(
    lambda groups: str(ipaddress.IPv6Address(":".join(f"{one:x}" for one in groups))))


@NEWEST
def test_the_network_of_an_address_is_that_of_its_first_64_bits(setup: Setup) -> None:
    text = "location = /network { default_type text/plain; return 200 $websocket_proxy_client; }"
    setup.start({"max_connections": 1}, {"trusted_proxies": ["127.0.0.1"], "extra_config": text})
    for address in examples(ADDRESS, broad(300, 5000)):
        told = get(setup.address, "a", "/network", [("X-Forwarded-For", address)]).body.decode()
        network = ipaddress.IPv6Address(address).packed[:8]
        if told.startswith("::"):
            # These addresses are in no client's network: of this host, or IPv4 in another form.
            assert ipaddress.IPv6Address(told) == ipaddress.IPv6Address(address)
        else:
            assert ipaddress.IPv6Address(f"{told}::").packed[:8] == network, (address, told)


@pytest.mark.releases(*RELEASES)
def test_counts_go_on_over_reloads_and_other_limits_come_into_force(host: Host) -> None:
    def limited(count: int, name: str = "a") -> dict[str, Any]:
        return site({"port": 8091, "default_server": True}, name=name, limits={"max_connections": count})

    def status() -> int:
        return get(f"{host.address}:8091", "a", "/", UPGRADE).status

    with host.echo(), ExitStack() as stack:
        host.serve(limited(2))
        for _one in range(2):
            client = stack.enter_context(Client(f"{host.address}:8091"))
            assert client.ask("a", "/", UPGRADE).status == 101
        assert status() == 429
        # The open connections are in an old worker, and still count.
        host.serve(limited(2, "b") | {"worker_processes": 1})
        host.serve(limited(3))
        assert status() == 101
        for variables in ({"key": "$http_x_room"}, {"trusted": ["10.0.0.0/8"]}, {"handshakes_per_second": 5},
                          {"handshakes_per_second": 6}):
            host.serve(site({"port": 8091, "default_server": True}, limits={"max_connections": 2, **variables}))
