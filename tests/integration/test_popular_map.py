"""A popular map of many tutorials in conf.d, beside the role's files: its hole is real, but opens none in ours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.support.backends import Backend, H2cBackend, telling
from tests.support.client import Client, smuggle
from tests.support.edge import Edge
from tests.support.ports import free_address, free_port

RECIPE = """
map $http_upgrade $connection_upgrade {
    default upgrade;
    ''      close;
}
server {
    listen %(recipe)s;
    location /admin {
        return 403;
    }
    location / {
        proxy_pass http://%(backend)s;
        proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection $connection_upgrade;
    }
}
"""


@dataclass
class Setup:
    """A site of the role and the recipe, on one nginx."""

    ours: str
    recipe: str
    h2c: H2cBackend
    telling: Backend


@pytest.fixture(scope="module")
def setup(serving: Edge) -> Iterator[Setup]:
    """Serve both."""
    found = Setup(free_address(), free_address(), H2cBackend(free_port()), telling())
    serving.start(
        {"upstreams": [{"name": "h2c", "servers": [found.h2c.address]},
                       {"name": "plain", "servers": [found.telling.address], "keepalive": 4}],
         "sites": [{"server_names": ["ours"], "listen": [found.ours], "upstream": "h2c",
                    "locations": [{"path": "/plain", "upstream": "plain"}]}]},
        {name: RECIPE % {"recipe": found.recipe, "backend": found.h2c.address} for name in ("websocket.conf",)})
    yield found
    serving.stop()
    found.h2c.close()
    found.telling.close()


def test_the_recipe_itself_lets_a_client_read_what_its_location_denies(setup: Setup) -> None:
    answer, secret = smuggle(setup.recipe, "recipe", "/")
    assert (answer.status, secret) == (101, b"secret of /admin")


def test_beside_the_recipe_ours_opens_no_tunnel(setup: Setup) -> None:
    setup.h2c.scopes.clear()
    answer, secret = smuggle(setup.ours, "ours", "/")
    assert (answer.status, secret) == (200, b"")
    assert setup.h2c.paths == ["/"]


def test_beside_the_recipe_ours_keeps_its_connections_to_the_backend(setup: Setup) -> None:
    setup.telling.forget()
    with Client(setup.ours) as client:
        for _request in range(4):
            assert client.ask("ours", "/plain").status == 200
    assert setup.telling.connections == 1
