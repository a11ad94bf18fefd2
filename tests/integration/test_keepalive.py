"""Connections to the backend, which nginx keeps for plain HTTP if the upstream sets it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.support.backends import Backend, telling
from tests.support.client import Client
from tests.support.edge import Edge
from tests.support.ports import free_address


@dataclass
class Setup:
    """Two upstreams, with and without idle connections."""

    address: str
    backends: dict[str, Backend]


@pytest.fixture(scope="module")
def setup(serving: Edge) -> Iterator[Setup]:
    """Serve a site for each upstream."""
    keep = {"kept": 32, "single": 0}
    found = Setup(free_address(), {name: telling() for name in keep})
    serving.start({
        "upstreams": [{"name": name, "servers": [found.backends[name].address], "keepalive": keep[name]}
                      for name in keep],
        "sites": [{"server_names": [name], "listen": [found.address], "upstream": name} for name in keep]})
    yield found
    serving.stop()
    for backend in found.backends.values():
        backend.close()


@pytest.mark.parametrize(("name", "connections"), [("kept", 1), ("single", 6)])
def test_idle_connections_to_the_backend_are_kept_exactly_where_asked_for(
        setup: Setup, name: str, connections: int) -> None:
    setup.backends[name].forget()
    with Client(setup.address) as one:
        for _request in range(3):
            assert one.ask(name, "/").status == 200
    for _request in range(3):
        with Client(setup.address) as another:
            assert another.ask(name, "/", method="POST").status == 200
    assert setup.backends[name].connections == connections
