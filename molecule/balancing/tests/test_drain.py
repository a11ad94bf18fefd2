"""Edges that are drained and put back into service, one after the other, while clients are connected."""

from __future__ import annotations

import itertools
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.scenario import CONTAINERS, GENERATION, Clients, changes, host, play, played, started
from tests.support.waiting import wait_until

DRAIN = "wsedge.nginx.drain"


@pytest.fixture(name="clients")
def clients_() -> Iterator[Clients]:
    """Provide a client without open WebSockets."""
    clients = Clients("client")
    yield clients
    clients.end()


def status(path: str, proxy: str = "proxy1") -> str:
    """Return the status of a plain request; 000 if no connection is accepted."""
    return host("client").run(
        f"curl -s -o /dev/null -w '%{{http_code}}' -H 'Host: round_robin' http://{proxy}{path}").stdout


def drain(*options: str, **variables: Any) -> str:
    """Run the playbook, which must succeed."""
    return played(*options, playbook=DRAIN, **variables)


def test_an_edge_is_out_when_its_last_socket_has_ended_and_stays_out_until_it_is_taken_in(clients: Clients) -> None:
    assert [answer[0] for answer in clients.ask("open", url="ws://round_robin/whoami", address="proxy1", count=4)] == [
        101] * 4
    with started("--limit", "proxy1", playbook=DRAIN, health_seconds=8, drain_seconds=300) as running:
        assert running.stdout
        wait_until(lambda: status("/healthz") == "503")
        assert status("/whoami") == "200"
        # Without this line, the output ends with the play recap.
        seen = list(itertools.takewhile(lambda line: " with connections; waiting " not in line, running.stdout))
        assert not any("PLAY RECAP" in line for line in seen)
        assert status("/whoami") == "000" and len(clients.ask("echo")["alive"]) == 4
        clients.ask("close")
        running.communicate(timeout=300)
    assert running.returncode == 0
    done = play("--limit", "proxy2:proxy3", playbook=DRAIN, at_once=2)
    assert done.returncode and "No other host of the group websocket_proxies is in service" in done.stdout
    assert status("/whoami", "proxy2") == "200"
    output = played("--limit", "proxy1")
    assert "this edge is drained (stage refused)" in output and changes(output) == {"proxy1": 0}
    done = play("--limit", "proxy1", playbook="wsedge.nginx.rollback")
    assert done.returncode and "The edge is drained, and an earlier configuration would put it back" in done.stdout
    subprocess.run(["docker", "restart", "--time", "60", CONTAINERS["proxy1"]], check=True, stdout=subprocess.DEVNULL)
    wait_until(lambda: host("proxy1").run(GENERATION).stdout, 60)
    assert status("/whoami") == "000"
    assert "open      ws://round_robin/" in drain("--limit", "proxy1", state="in")
    assert status("/healthz") == status("/whoami") == "200"
    assert changes(played("--limit", "proxy1")) == {"proxy1": 0}


def test_sockets_that_do_not_end_in_time_are_not_cut_unless_that_is_wanted(clients: Clients) -> None:
    clients.ask("open", url="ws://round_robin/whoami", address="proxy1", count=1)
    done = play("--limit", "proxy1", playbook=DRAIN, health_seconds=0, drain_seconds=1, answer=503)
    assert done.returncode and "There are still connections after 1 seconds" in done.stdout
    assert status("/whoami") == "503" and len(clients.ask("echo")["alive"]) == 1
    drain("--limit", "proxy1", drain_seconds=1, answer=503, cut=True)
    assert len(clients.ask("echo")["alive"]) == 1
    drain("--limit", "proxy1", state="in")
    assert len(clients.ask("echo")["alive"]) == 1


def test_one_edge_after_the_other_and_none_after_one_that_is_not_well(tmp_path: Path) -> None:
    tasks = tmp_path / "meanwhile.yml"
    tasks.write_text("- {name: Be well, ansible.builtin.command: test -e /root/well, changed_when: false}\n")
    pair = ("--limit", "proxy1:proxy2")
    host("proxy2").check_output("touch /root/well")
    done = play(*pair, playbook=DRAIN, health_seconds=0, meanwhile=str(tasks))
    assert done.returncode and "proxy2" not in changes(done.stdout)
    assert (status("/whoami"), status("/whoami", "proxy2")) == ("000", "200")
    host("proxy1").check_output("touch /root/well")
    drain(*pair, health_seconds=0, meanwhile=str(tasks))
    assert (status("/whoami"), status("/whoami", "proxy2")) == ("200", "200")


def test_what_is_not_understood_changes_nothing() -> None:
    for variables, told in (({"state": "off"}, "state is off; expected out or in"),
                            ({"answer": 500}, "answer is 500; expected refuse or 503"),
                            ({"health_seconds": "1m"}, "health_seconds is 1m; expected a number of seconds"),
                            ({"meanwhile": "none.yml"}, "meanwhile is none.yml; expected a file with tasks"),
                            ({"websocket_proxy_sites": "none"}, "")):
        done = play("--limit", "proxy1", playbook=DRAIN, **variables)
        assert done.returncode and told in done.stdout
    assert status("/healthz") == "200" and host("proxy1").run("ls /var/lib/websocket_proxy/drained/*").rc
