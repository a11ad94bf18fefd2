"""Local ports: they limit the connections of one proxy address to a server; each further address has as many."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.support.container import Container
from tests.support.edge import Edge
from tests.support.releases import NEWEST

PORTS, SOCKETS = 100, 180
ADDRESS = "127.0.0.1:8080"
SOURCES = ["127.0.7.1", "127.0.7.2", "127.0.7.3"]

pytestmark = NEWEST


@pytest.fixture(name="narrow", scope="module")
def narrow_(image: str) -> Iterator[Container]:
    """Provide a container whose addresses have few local ports."""
    container = Container(image, "none", "--sysctl", f"net.ipv4.ip_local_port_range=40000 {40000 + PORTS - 1}")
    yield container
    container.remove()


def statuses(container: Container, port: int, **upstream: object) -> dict[str, int]:
    """Open more WebSockets to a PORT than one address has local ports; return how often each status occurred."""
    edge, backend = Edge(container), f"127.0.0.1:{port}"
    edge.start({"upstreams": [{"name": "u", "servers": [{"address": backend, "max_fails": 0}], **upstream}],
                "sites": [{"server_names": ["a"], "listen": [ADDRESS], "upstream": "u"}]})
    try:
        return dict(json.loads(container.shell(f"python3 /inside/many_websockets.py {backend} {ADDRESS} {SOCKETS}")))
    finally:
        edge.stop()


def test_one_address_runs_out_of_ports(narrow: Container) -> None:
    answers = statuses(narrow, 3000)
    assert PORTS * 0.9 <= answers["101"] <= PORTS
    assert answers["502"] == SOCKETS - answers["101"]


def test_several_addresses_carry_what_one_cannot(narrow: Container) -> None:
    assert statuses(narrow, 3001, proxy_bind=SOURCES) == {"101": SOCKETS}


def test_the_host_tells_how_many_ports_and_which_addresses_it_has(narrow: Container) -> None:
    told = narrow.module("nginx_info", {"addresses": [*SOURCES, "192.0.2.1", "::1", "2001:db8::1", "nonsense"]})
    assert told["local_ports"] == PORTS
    assert [address for address, there in told["addresses"].items() if there] in (SOURCES, [*SOURCES, "::1"])
