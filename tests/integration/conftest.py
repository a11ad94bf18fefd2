"""One container of each release for nginx that serves, and one without a network for tests of files alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .container import Container, images
from .edge import Edge
from .host import Host

RELEASES = {"bullseye": "1.18", "bookworm": "1.22", "trixie": "1.26"}
# Debian's next release, for what a newer nginx does otherwise: tests say so themselves, with EVERY.
COMING = {"forky": "1.30"}

EVERY = pytest.mark.parametrize("image", [pytest.param(release, id=f"nginx-{version}") for release, version in (
    RELEASES | COMING).items()], indirect=True)


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
def serving(image: str) -> Iterator[Edge]:
    """Give an edge on the machine's own network, so that clients and backends can be Python in this process."""
    container = Container(image, "host")
    yield Edge(container)
    container.remove()


@pytest.fixture(scope="session")
def sealed(image: str) -> Iterator[Container]:
    """Give a container that has no network but its own loopback: any port can be listened on."""
    container = Container(image, "none")
    yield container
    container.remove()


@pytest.fixture(scope="session")
def machine(image: str) -> Iterator[Host]:
    """Give a host with systemd."""
    host = Host(image)
    yield host
    host.remove()


@pytest.fixture
def host(machine: Host) -> Host:
    """Give that host as its packages left it: nginx is there and does not run."""
    machine.reset()
    return machine
