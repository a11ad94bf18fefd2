"""The nginx of Debian's next release takes over from that of the previous one, while WebSockets are open."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.crowd import crowd
from tests.support.host import Host, site
from tests.support.waiting import wait_until

EVERY_NAME = {"port": 8091, "default_server": True}
SOCKETS = 300
NEXT = {"1.18": ("bookworm", "1.22"), "1.22": ("trixie", "1.26")}


@pytest.fixture(name="old")
def old_(image: str) -> Iterator[Host]:
    """Provide a host that no other test uses."""
    host = Host(image)
    yield host
    host.remove()


@pytest.mark.releases("bullseye", "bookworm")
def test_the_nginx_of_the_next_release_cuts_no_socket(old: Host) -> None:
    host = old
    host.upgrade_seamlessly()
    suite, version = NEXT[".".join(str(number) for number in host.nginx_version[:2])]
    host.serve(site(EVERY_NAME))
    host.write({"/etc/apt/sources.list.d/next.list": f"deb http://deb.debian.org/debian {suite} main\n"})
    pid = host.master()
    with crowd(host, SOCKETS) as found:
        before = sum(found.received)
        told = host.shell("apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y "
                          f"--no-install-recommends -o Dpkg::Options::=--force-confold -t {suite} nginx 2>&1")
        assert version in host.shell("nginx -v 2>&1")
        assert host.master() != pid and host.runs_what_is_on_disk(host.master()), told
        wait_until(lambda: sum(found.received) > before + SOCKETS)
    host.found = host.module("nginx_info", {})
    assert not host.apply(site(EVERY_NAME, name="b")).error
