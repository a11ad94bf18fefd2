"""Containers of each release with nginx that serves, containers without a network, and hosts with systemd.

Each worker starts a container when a test first asks for it, and keeps it until its last test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.container import Container, images
from tests.support.edge import Edge
from tests.support.host import Host
from tests.support.releases import USUAL, VERSIONS
from tests.support.sandbox import Sandbox
from tests.support.soak import SOAK

Started = Callable[[str, str], Any]
# The first installs applications, the second half of another release.
collect_ignore = [] if SOAK else ["test_more_applications.py", "test_release_upgrades.py"]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test that needs an image once for each release of its mark."""
    if "image" in metafunc.fixturenames:
        mark = metafunc.definition.get_closest_marker("releases")
        images = [pytest.param(name, id=f"nginx-{VERSIONS[name]}") for name in (mark.args if mark else USUAL)]
        metafunc.parametrize("image", images, indirect=True, scope="session")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run tests on one worker if they share something slow to make: a module with one release, or with one crash."""
    for item in items:
        if not item.get_closest_marker("xdist_group"):
            call = getattr(item, "callspec", None)
            shared = "" if call is None else call.id if "found" in call.params else call.params.get("image", "")
            item.add_marker(pytest.mark.xdist_group(f"{item.path.stem}-{shared}"))


@pytest.fixture(scope="session")
def image_names() -> dict[str, str]:
    """Return the image of each release."""
    return dict(zip(VERSIONS, images(*VERSIONS), strict=True))


@pytest.fixture(scope="session")
def image(request: pytest.FixtureRequest, image_names: dict[str, str]) -> str:
    """Return the image of one release; a test runs once with each of its releases."""
    return image_names[request.param]


@pytest.fixture(scope="session")
def started() -> Iterator[Started]:
    """Provide a function that starts a container of a type from an image, or returns the running one."""
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
    """Return an edge on the machine's own network, so that clients and backends can be Python in this process."""
    return started("serving", image)


@pytest.fixture(scope="session")
def sealed(image: str, started: Started) -> Container:
    """Return a container that has only its own loopback network, so that tests can listen on any port."""
    return started("sealed", image)


@pytest.fixture
def host(image: str, started: Started) -> Host:
    """Return a host with systemd and newly installed packages: nginx is installed but does not run."""
    machine: Host = started("host", image)
    machine.reset()
    return machine
