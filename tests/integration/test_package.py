"""nginx.conf as a file of Debian's package: taking it over, upgrading the package, giving it back.

This depends on dpkg and apt, so the tests use the oldest and the newest of both.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.sandbox import THEIRS, Sandbox, arguments

MAIN = "/etc/nginx/nginx.conf"
NEWER = """
cd /tmp && apt-get update -qq && apt-get download -qq nginx-common && dpkg-deb -R nginx-common_*.deb package &&
echo '# newer' >> package/etc/nginx/nginx.conf && sed -i 's/^Version: .*/&+b1/' package/DEBIAN/control &&
dpkg-deb -b package newer.deb && mkdir /dpkg && mount -t tmpfs dpkg /dpkg && cp -a /var/lib/dpkg/. /dpkg &&
mount -t tmpfs dpkg /var/lib/dpkg
"""


@pytest.fixture(scope="module")
def sandbox(image: str) -> Iterator[Sandbox]:
    """Provide a container that reaches Debian's archive, and has a newer nginx-common with another nginx.conf."""
    container = Sandbox(image, network="bridge")
    container.shell(NEWER)
    yield container
    container.remove()


@pytest.fixture
def box(sandbox: Sandbox) -> Sandbox:
    """Return that container with newly installed packages."""
    # Both folders are in memory, because they contain thousands of files.
    sandbox.shell("find /var/lib/dpkg -mindepth 1 -delete && cp -a /dpkg/. /var/lib/dpkg")
    sandbox.restore()
    return sandbox


def upgrade(box: Sandbox) -> None:
    """Install the newer package without a user to answer; dpkg stores its nginx.conf beside the current one."""
    output = box.shell("DEBIAN_FRONTEND=noninteractive dpkg --install /tmp/newer.deb < /dev/null")
    assert "prompt" not in output
    assert box.shell(f"tail -n 1 {MAIN}.distrib") == "# newer\n"


def gone(box: Sandbox) -> None:
    """Remove the configuration; only the original nginx.conf, or the one of an upgraded package, remains."""
    box.commit(arguments(state="absent"))
    left = box.shell(f"ls -A /etc/nginx | grep -e nginx.conf -e websocket; dpkg-divert --list '{MAIN}*'")
    assert left == "nginx.conf\n"
    assert "sites-enabled/default" in box.dump()


def test_an_edited_file_is_refused_and_both_ways_on_are_named(box: Sandbox) -> None:
    box.edit()
    before = box.tree()
    message = box.module("nginx_config", arguments())["msg"]
    assert f"entry: {MAIN}" in message
    assert "replace: true" in message
    assert box.tree() == before


def test_an_edited_file_that_is_replaced_comes_back_as_it_was(box: Sandbox) -> None:
    box.edit()
    box.shell(f"chown www-data {MAIN} && chmod 640 {MAIN} && touch -d 2001-01-01 {MAIN}")
    before = box.shell(f"stat -c '%a %U %Y %i' {MAIN}")
    generation = box.commit(arguments(replace=True))
    box.shell(f"cmp {MAIN}.distrib /root/nginx/nginx.conf && ! cmp -s {MAIN} {MAIN}.distrib")
    # Consent is required only once.
    assert box.commit(arguments()) == generation
    gone(box)
    assert box.shell(f"cat {MAIN}") == THEIRS
    assert box.shell(f"stat -c '%a %U %Y %i' {MAIN}") == before


def test_an_upgrade_asks_nothing_and_absent_leaves_what_the_package_brings_by_now(box: Sandbox) -> None:
    generation = box.commit(arguments())
    upgrade(box)
    assert box.commit(arguments()) == generation
    gone(box)
    box.shell(f"cmp {MAIN} /tmp/package{MAIN}")
    assert box.shell("dpkg --verify nginx-common") == ""


def test_an_upgrade_asks_nothing_and_absent_leaves_the_edited_file_that_was_replaced(box: Sandbox) -> None:
    box.edit()
    generation = box.commit(arguments(replace=True))
    upgrade(box)
    assert box.commit(arguments()) == generation
    gone(box)
    assert box.shell(f"cat {MAIN}") == THEIRS
    # The file is as before: a conffile of the package that a user has edited.
    assert box.shell("dpkg --verify nginx-common || true").split() == ["??5??????", "c", MAIN]


def test_a_package_that_is_installed_again_stays_diverted(box: Sandbox) -> None:
    generation = box.commit(arguments())
    box.shell("DEBIAN_FRONTEND=noninteractive dpkg --install /tmp/nginx-common_*.deb < /dev/null")
    box.shell(f"cmp {MAIN}.distrib /root/nginx/nginx.conf")
    assert box.commit(arguments()) == generation
    gone(box)
    assert box.shell("dpkg --verify nginx-common") == ""
