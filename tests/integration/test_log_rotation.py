"""Log rotation: each process of nginx writes into the new file, and no line is lost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from threading import Event, Thread

import pytest

from ansible_collections.wsedge.nginx.plugins.plugin_utils.render.host_files import host_files
from tests.support.client import Client, get
from tests.support.compiling import RENDERER, compiled
from tests.support.host import Host, site
from tests.support.releases import NEWEST, RELEASES
from tests.support.served import UPGRADE
from tests.support.waiting import wait_until

pytestmark = pytest.mark.releases(*RELEASES)
EVERY_NAME = {"port": 8091, "default_server": True}
USUAL = "/var/log/nginx/access.log"
OUTSIDE = "/srv/logs/live.log"
RULE = "/etc/logrotate.d/websocket_proxy"


@pytest.fixture(name="logging")
def logging_(host: Host) -> Iterator[Host]:
    """Provide a host that logs into a folder that Debian's rule rotates, and into another."""
    host.upgrade_seamlessly()
    host.shell(f"mkdir -p {OUTSIDE.rpartition('/')[0]}; rm -f {OUTSIDE}* {USUAL}* /var/lib/logrotate/status")
    host.found = host.module("nginx_info", {})
    host.write({RULE: host_files(compiled(logged()), RENDERER).service[RULE]})
    yield host
    host.shell(f"rm -f {RULE}; systemctl stop nginx")
    host.upgrade_ordinarily()


def logged(name: str = "a") -> dict[str, object]:
    """Return variables with a site that logs its live connections into two files; another NAME sets another site."""
    return site(EVERY_NAME, name=name, upstream=None, locations=[
        {"path": "/", "upstream": "echo"}, {"path": "/outside/", "upstream": "echo", "live_access_log": OUTSIDE}])


def lines(host: Host, path: str, what: str) -> int:
    """Return how many lines of a log contain a word."""
    return int(host.shell(f"zcat -f {path} 2>/dev/null | grep -c {what} || true"))


def test_all_workers_that_drain_write_into_the_new_file_and_no_line_is_lost(logging: Host) -> None:
    host = logging
    host.serve(logged())
    address = f"{host.address}:8091"
    asked, end = 0, Event()

    def ask() -> None:
        nonlocal asked
        while not end.is_set():
            assert get(address, "a", "/whoami").status == 200
            asked += 1

    with host.echo(), ExitStack() as stack:
        clients = []

        def open_sockets(number: int) -> None:
            for path in ("/", "/outside/"):
                client = stack.enter_context(Client(address))
                assert client.ask("a", f"{path}?socket-{number}", UPGRADE).status == 101
                clients.append(client)

        open_sockets(1)
        host.serve(logged("b"))
        open_sockets(2)
        assert "exchanged" in host.exchange()
        # The workers of both drain now, and have no master.
        open_sockets(3)
        host.serve(logged("c"))
        open_sockets(4)
        assert int(host.shell("pgrep -c -f '[w]orker process is shutting down'")) >= 3
        assert host.shell("pgrep -P 1 -f '[w]orker process is shutting down'")
        asking = Thread(target=ask)
        asking.start()
        try:
            for _rotation in range(2):
                # logrotate does not rotate an empty log.
                before = asked
                wait_until(lambda: asked > before + 20)  # noqa: B023 (called at once)
                host.shell("logrotate --force /etc/logrotate.conf")
        finally:
            end.set()
            asking.join()
        for client in clients:
            client.socket.close()
        for path, word in ((USUAL, "GET./?socket-"), (OUTSIDE, "GET./outside/?socket-")):
            wait_until(lambda: lines(host, path, word) == 4)  # noqa: B023 (called at once)
            assert lines(host, f"{path}.1", word) == 0
    assert len(host.shell(f"ls {USUAL}*").split()) == 3
    wait_until(lambda: lines(host, f"{USUAL}*", "whoami") == asked)


def test_the_rule_has_what_no_other_rule_has(logging: Host) -> None:
    own = host_files(compiled(logged(), logging.found), RENDERER).service
    assert f'"{OUTSIDE}"' in own[RULE] and USUAL not in own[RULE]
    logging.write({"/etc/logrotate.d/shop": f"# {OUTSIDE}.other\n{OUTSIDE.replace('live', '*')} {{\n  daily\n"
                                            "  postrotate\n    echo {} /srv/none\n  endscript\n}\n"})
    try:
        found = logging.module("nginx_info", {})
        assert found["rotated_logs"][OUTSIDE.replace("live", "*")] == "/etc/logrotate.d/shop"
        assert RULE not in host_files(compiled(logged(), found), RENDERER).service
    finally:
        logging.shell("rm /etc/logrotate.d/shop")


@NEWEST
def test_logrotate_takes_the_rule_for_what_it_is(logging: Host) -> None:
    logging.shell(f"touch {OUTSIDE}")
    told = logging.shell("logrotate --debug /etc/logrotate.conf 2>&1")
    assert f"rotating pattern: \"{OUTSIDE}\"" in told and "error:" not in told
