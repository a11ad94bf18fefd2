"""nginx that cannot start: systemd tries until the cause is gone, and monitoring can detect it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support.host import Host, site
from tests.support.pki import Authority
from tests.support.releases import RELEASES
from tests.support.waiting import wait_until

pytestmark = pytest.mark.releases(*RELEASES)
EVERY_NAME = {"port": 8091, "default_server": True}
CERTIFICATE = "/etc/ssl/tests/a.pem"
TLS = {"certificate": CERTIFICATE, "certificate_key": "/etc/ssl/tests/a.key", "redirect": False}


@contextmanager
def without_a_certificate(host: Host) -> Iterator[None]:
    """Move a certificate away for a while."""
    host.shell(f"mv {CERTIFICATE} {CERTIFICATE}.away")
    yield
    host.shell(f"mv {CERTIFICATE}.away {CERTIFICATE}")


@contextmanager
def with_a_full_disk(host: Host) -> Iterator[None]:
    """Fill the file system of nginx's private socket."""
    host.shell("mount -t tmpfs -o nr_inodes=1 tmpfs /run/websocket_proxy")
    yield
    assert "(28: No space left on device)" in host.shell("cat /var/log/nginx/error.log")
    host.shell("umount /run/websocket_proxy")


@pytest.mark.parametrize("cause", [without_a_certificate, with_a_full_disk])
def test_an_edge_comes_up_by_itself_when_the_cause_is_gone(host: Host, cause: object) -> None:
    host.found = host.module("nginx_info", {})
    pair = Authority("tests").issue("a")
    host.write({CERTIFICATE: pair.certificate, TLS["certificate_key"]: pair.key})
    generation = host.serve(site(EVERY_NAME, tls=TLS))
    host.shell("systemctl stop nginx")
    with cause(host):  # type: ignore[operator]
        host.run("systemctl start nginx")
        wait_until(lambda: int(host.shell("systemctl show nginx --property NRestarts --value")) > 1)
        # "activating" is not "failed": only a check for "active" detects it.
        assert host.run("systemctl is-active nginx")[1] == "activating\n"
        assert host.run("systemctl is-failed --quiet nginx")[0] != 0 and "nginx" not in host.shell(
            "systemctl --failed --no-legend")
        assert host.answer() == ""
    wait_until(lambda: host.answer() == generation, 30)
    assert host.shell("systemctl is-active nginx") == "active\n"


def test_a_crash_of_everything_at_once_is_survived(host: Host) -> None:
    generation = host.serve(site(EVERY_NAME, {"address": "unix:/run/edge.sock", "default_server": True}))
    host.shell("kill -9 $(pgrep -f 'nginx: [mw]')")
    wait_until(lambda: host.answer() == generation, 30)
    assert host.shell("curl -s -o /dev/null -w '%{http_code}' --unix-socket /run/edge.sock http://a/") == "502"


def test_a_full_disk_for_logs_stops_no_edge(host: Host) -> None:
    generation = host.serve(site(EVERY_NAME))
    host.shell("mount -t tmpfs -o size=64k tmpfs /var/log/nginx && cat /dev/zero > /var/log/nginx/filling || true")
    try:
        host.restarts(generation)
        assert host.shell("curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:8091/") == "502"
        host.serve(site(EVERY_NAME, name="b"))
    finally:
        host.shell("systemctl stop nginx; umount /var/log/nginx")
