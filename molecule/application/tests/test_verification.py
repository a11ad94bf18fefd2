"""Verification of an edge, as its clients use it: it reports what opens, or fails, and rolls back on request."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from testinfra.host import Host

from tests.support.scenario import GENERATION, changes, host, play, played

VERIFY = "wsedge.nginx.verify"
DEAD = [{"name": "application", "servers": ["127.0.0.1:1"]}, {"name": "second", "servers": ["127.0.0.1:3001"]}]


@pytest.fixture(name="host", scope="module")
def host_() -> Host:
    """Return the edge."""
    return host("edge")


@pytest.fixture
def without_backend(host: Host) -> Iterator[None]:
    """Stop a backend."""
    unit = host.check_output("systemctl list-units --plain --no-legend 'websocket_echo@*3000*' | cut -d' ' -f1")
    host.check_output("systemctl stop %s", unit)
    yield
    host.check_output("systemctl start %s", unit)


def test_a_verification_tells_what_opens_and_changes_nothing() -> None:
    told = played(playbook=VERIFY)
    assert "open      ws://app.example.com/socket: 101 after " in told
    assert "open      ws://second.example.com/: 101 after " in told
    assert changes(told) == {"edge": 0}


@pytest.mark.usefixtures("without_backend")
def test_a_verification_fails_with_what_came_and_where_it_stands() -> None:
    done = play(playbook=VERIFY)
    assert done.returncode != 0
    assert "Some WebSockets did not open (1 open, 2 failed)" in done.stdout
    assert ("ws://app.example.com/socket at 127.0.0.1:80: expected 101, got 502 Bad Gateway from nginx itself; the "
            "backend cannot be reached") in done.stdout
    assert "websocket_proxy_sites[0].locations[3]" in done.stdout


def test_a_run_that_opens_no_websocket_goes_back_where_that_is_wanted(host: Host) -> None:
    before = host.check_output(GENERATION)
    done = play(websocket_proxy_upstreams=DEAD, websocket_proxy_verify="rollback")
    assert done.returncode != 0 and "Some WebSockets did not open" in done.stdout.rpartition("fatal:")[2]
    # The number is new, and the texts are the same.
    assert host.check_output(GENERATION).partition("-")[2] == before.partition("-")[2]
    again = played(websocket_proxy_verify=True)
    assert changes(again) == {"edge": 0} and "open      ws://app.example.com/socket" in again
