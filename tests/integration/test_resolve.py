"""Names of servers, which nginx follows while it runs if its version can."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.compiler import InventoryError
from tests.support.backends import numbered
from tests.support.client import HANDSHAKE, Client
from tests.support.dns import Dns
from tests.support.edge import Edge
from tests.support.ports import free_address
from tests.support.releases import EVERY, ONLY_COMING
from tests.support.waiting import wait_until


@pytest.fixture(name="dns")
def dns_() -> Iterator[Dns]:
    """Provide a DNS server."""
    dns = Dns("127.0.0.1")
    yield dns
    dns.close()


@ONLY_COMING
@pytest.mark.parametrize("balancing", ["round_robin", "least_conn", {"sticky": {"cookie": "route"}}], ids=str)
def test_new_websockets_follow_the_name_and_open_ones_stay(serving: Edge, dns: Dns, balancing: object) -> None:
    backend, address = numbered(0), free_address()
    port = backend.address.rsplit(":", 1)[1]
    serving.start({"resolver": [dns.address], "sites": [
        {"server_names": ["a"], "listen": [address], "upstream": "u", "connect_timeout": "1s"}],
        "upstreams": [{"name": "u", "servers": [f"moving.example:{port}"], "resolve": True,
                       "load_balancing": balancing}]})

    def status() -> int:
        with Client(address) as client:
            return client.ask("a", "/", [("Upgrade", "websocket"), *HANDSHAKE]).status

    wait_until(lambda: status() == 101)
    with Client(address) as stays:
        assert stays.ask("a", "/", [("Upgrade", "websocket"), *HANDSHAKE]).status == 101
        # Nothing listens on that port of this address.
        dns.answer = "127.0.0.99"
        wait_until(lambda: status() == 502)
        stays.exchange(b"still here", b"still here")
        dns.answer = "127.0.0.1"
        wait_until(lambda: status() == 101)
    serving.stop()
    backend.close()


def test_an_nginx_that_cannot_is_named_with_the_version_that_can(serving: Edge, dns: Dns) -> None:
    with pytest.raises(InventoryError, match=r"this needs nginx 1\.27\.3 or newer, and the host has 1\.(18|22|26)"):
        serving.put({"resolver": [dns.address],
                     "upstreams": [{"name": "u", "servers": ["moving.example:80", "b.example:80"], "resolve": True}]})


@EVERY
def test_a_name_that_dns_does_not_know_yet_stops_neither_nginx_nor_other_sites(
        serving: Edge, dns: Dns) -> None:
    backend, address = numbered(0), free_address()
    port = backend.address.rsplit(":", 1)[1]
    dns.answer = ""
    serving.start({"resolver": [dns.address], "site_defaults": {"listen": [address], "connect_timeout": "1s"},
                   "sites": [
                       {"server_names": ["late"], "upstream": "late"},
                       {"server_names": ["prefix"], "locations": [
                           {"path": "/app/", "upstream": "late", "strip_prefix": True}]},
                       {"server_names": ["other"], "upstream": "other"}],
                   "upstreams": [{"name": "late", "servers": [f"late.example:{port}"], "resolve": True},
                                 {"name": "other", "servers": [backend.address]}]})

    def status(host: str, path: str = "/") -> int:
        with Client(address) as client:
            return client.ask(host, path, [("Upgrade", "websocket"), *HANDSHAKE]).status

    assert (status("late"), status("prefix", "/app/x"), status("other")) == (502, 502, 101)
    dns.answer = "127.0.0.1"
    wait_until(lambda: (status("late"), status("prefix", "/app/x")) == (101, 101))
    head = backend.heads[-1]
    assert head.startswith(b"GET /x HTTP/1.1") and b"Host: prefix" in head
    with Client(address) as stays:
        assert stays.ask("late", "/", [("Upgrade", "websocket"), *HANDSHAKE]).status == 101
        dns.answer = "127.0.0.99"
        wait_until(lambda: status("late") == 502)
        stays.exchange(b"still here", b"still here")
    serving.stop()
    backend.close()
