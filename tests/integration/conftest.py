"""A container of each release with nginx that serves, one without a network, and a host with systemd.

Each worker starts a container when a test first asks for it, and keeps it until its last test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.container import Container, images
from tests.support.edge import Edge
from tests.support.host import Host
from tests.support.releases import COMING, RELEASES
from tests.support.sandbox import Sandbox

Started = Callable[[str, str], Any]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of a module that share a container on one worker."""
    for item in items:
        release = item.callspec.params.get("image", "") if isinstance(item, pytest.Function) and hasattr(
            item, "callspec") else ""
        item.add_marker(pytest.mark.xdist_group(f"{item.path.stem}-{release}"))


@pytest.fixture(scope="session")
def image_names() -> dict[str, str]:
    """Return the image of each release."""
    releases = [*RELEASES, *COMING]
    return dict(zip(releases, images(*releases), strict=True))


@pytest.fixture(scope="session", params=RELEASES, ids=lambda release: f"nginx-{RELEASES[release]}")
def image(request: pytest.FixtureRequest, image_names: dict[str, str]) -> str:
    """Return the image of one release; every test runs with each."""
    return image_names[request.param]


@pytest.fixture(scope="session")
def started() -> Iterator[Started]:
    """Give a function that starts a container of a kind from an image, or returns the one that runs already."""
    kinds: dict[str, Callable[[str], Any]] = {
        "serving": lambda name: Edge(Container(name, "host")), "sealed": lambda name: Container(name, "none"),
        "sandbox": Sandbox, "host": Host}
    running: dict[tuple[str, str], Any] = {}

    def start(kind: str, name: str) -> Any:
        if (kind, name) not in running:
            running[kind, name] = kinds[kind](name)
        return running[kind, name]

    yield start
    for one in running.values():
        (one.container if isinstance(one, Edge) else one).remove()


@pytest.fixture(scope="session")
def serving(image: str, started: Started) -> Edge:
    """Give an edge on the machine's own network, so that clients and backends can be Python in this process."""
    return started("serving", image)


@pytest.fixture(scope="session")
def sealed(image: str, started: Started) -> Container:
    """Give a container that has no network but its own loopback: any port can be listened on."""
    return started("sealed", image)


@pytest.fixture
def host(image: str, started: Started) -> Host:
    """Give a host with systemd as its packages left it: nginx is there and does not run."""
    machine: Host = started("host", image)
    machine.reset()
    return machine
