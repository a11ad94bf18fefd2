"""WebSockets from a client on the network, through two proxies of different versions, to three backends."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.support.scenario import GENERATION, INVENTORY, Clients, changes, host, play, played
from tests.support.waiting import wait_until

PROXIES = ["proxy1", "proxy2"]
BACKENDS = ["backend1", "backend2", "backend3"]
UPSTREAMS = f"cat /etc/nginx/websocket_proxy/$({GENERATION})/{{}}.conf"


class Client(Clients):
    """The client host, with WebSockets through a proxy."""

    def answers(self, site: str, count: int = 1, proxy: str = "proxy1", path: str = "/whoami",
                cookie: str = "") -> list[tuple[int, str, str]]:
        """Open WebSockets; return the status, backend, and new cookie of each."""
        return [tuple(answer) for answer in self.ask(
            "open", url=f"ws://{site}{path}", address=proxy, count=count, cookie=cookie)]

    def spread(self, site: str, count: int, **how: Any) -> Counter[str]:
        """Open WebSockets, all of which must open; return how many each backend has."""
        answers = self.answers(site, count, **how)
        assert {status for status, _backend, _cookie in answers} == {101}
        return Counter(backend for _status, backend, _cookie in answers)

    def echo(self) -> dict[str, Counter[str]]:
        """Send a message on each WebSocket; return the backends of those that echo and of those that are closed."""
        return {state: Counter(backends) for state, backends in self.ask("echo").items()}


@pytest.fixture(name="program", scope="module")
def program_() -> Iterator[Client]:
    """Run the client's program."""
    program = Client("client")
    yield program
    program.end()


@pytest.fixture(name="clients")
def clients_(program: Client) -> Iterator[Client]:
    """Provide a client without open WebSockets."""
    yield program
    program.ask("close")


@pytest.mark.parametrize("proxy", PROXIES)
@pytest.mark.parametrize(("site", "fewest", "most"), [
    ("round_robin", 20, 20), ("least_conn", 20, 20), ("random", 8, 35), ("two", 15, 25), ("hash", 8, 35),
    ("sticky", 8, 35)])
def test_websockets_are_spread_over_all_backends(
        clients: Client, proxy: str, site: str, fewest: int, most: int) -> None:
    counts = Counter[str]()
    for room in range(60):
        counts += clients.spread(site, 1, proxy=proxy, path=f"/whoami?room={room}")
    assert set(counts) == set(BACKENDS)
    assert fewest <= min(counts.values()) and max(counts.values()) <= most


def test_one_address_stays_at_one_backend_with_ip_hash(clients: Client) -> None:
    assert len(clients.spread("ip_hash", 10) + clients.spread("ip_hash", 10, proxy="proxy2")) == 1


def test_a_room_is_at_the_same_backend_for_both_proxies(clients: Client) -> None:
    for room in range(20):
        where = [clients.spread("hash", 1, proxy=proxy, path=f"/whoami?room={room}") for proxy in PROXIES]
        assert where[0] == where[1]


def test_a_cookie_leads_to_the_same_backend_through_both_proxies_and_across_reloads(clients: Client) -> None:
    first = {cookie: backend for _status, backend, cookie in clients.answers("sticky", 20)}
    assert len(first) == 20 and set(first.values()) == set(BACKENDS)
    for _reload in range(2):
        for proxy in PROXIES:
            for cookie, backend in first.items():
                assert clients.answers("sticky", proxy=proxy, cookie=cookie) == [(101, backend, "")]
            host(proxy).check_output("systemctl reload nginx")


def test_the_next_releases_nginx_keeps_clients_at_their_servers_by_itself(clients: Client) -> None:
    assert "    sticky cookie route " in host("proxy3").check_output(UPSTREAMS.format("upstreams"))
    first = clients.answers("sticky", 9, proxy="proxy3")
    assert {backend for _status, backend, _cookie in first} == set(BACKENDS)
    host("proxy3").check_output("systemctl reload nginx")
    for _status, backend, cookie in first:
        assert clients.answers("sticky", proxy="proxy3", cookie=cookie)[0][:2] == (101, backend)


def test_the_next_releases_nginx_follows_names(clients: Client) -> None:
    assert "    server backend1:3000 resolve;" in host("proxy3").check_output(UPSTREAMS.format("upstreams"))
    wait_until(lambda: [answer[0] for answer in clients.answers("followed", 2, proxy="proxy3")] == [101, 101])
    assert clients.spread("followed", 10, proxy="proxy3") == {"backend1": 5, "backend2": 5}


def test_a_weight_is_a_part_of_the_websockets(clients: Client) -> None:
    assert clients.spread("weighted", 25) == {"backend1": 15, "backend2": 5, "backend3": 5}


def test_max_conns_holds_for_all_workers_together(clients: Client) -> None:
    statuses = Counter(status for status, _backend, _cookie in clients.answers("limited", 12))
    assert statuses == {101: 4, 502: 8}


@contextmanager
def killed(backend: str) -> Iterator[None]:
    """Kill the process of a backend, and start it again at the end."""
    unit = "websocket_echo@3000.service"
    # Without the mask, systemd would start it again immediately.
    host(backend).check_output(f"systemctl mask --runtime --quiet {unit} && systemctl kill --signal=KILL {unit}")
    try:
        yield
    finally:
        host(backend).check_output(
            f"systemctl unmask --runtime --quiet {unit} && systemctl reset-failed {unit} && systemctl start {unit}")


def test_a_killed_backend_costs_its_own_websockets_and_no_handshake_and_gets_work_when_it_is_back(
        clients: Client) -> None:
    for proxy in PROXIES:
        clients.spread("round_robin", 15, proxy=proxy)
    with killed("backend2"):
        assert clients.echo() == {"alive": {"backend1": 10, "backend3": 10}, "dead": {"backend2": 10}}
        for proxy in PROXIES:
            for site in ("round_robin", "least_conn", "random", "two", "hash", "sticky"):
                assert "backend2" not in clients.spread(site, 12, proxy=proxy)
    wait_until(lambda: "backend2" in clients.spread("round_robin", 3))
    assert clients.echo()["alive"]["backend1"] >= 10


@contextmanager
def down(backend: str) -> Iterator[None]:
    """Mark a backend as down in its own variable and run the playbook; undo both at the end."""
    file = INVENTORY / "down.yml"
    file.write_text(json.dumps({"all": {"hosts": {backend: {"websocket_proxy_server": {"down": True}}}}}))
    try:
        played("--limit", ":".join(PROXIES))
        yield
    finally:
        file.unlink()
        played("--limit", ":".join(PROXIES))


def test_a_backend_that_is_down_keeps_its_websockets_and_gets_no_new_one(clients: Client) -> None:
    before = sum((clients.spread("round_robin", 9, proxy=proxy) for proxy in PROXIES), Counter[str]())
    with down("backend3"):
        for proxy in PROXIES:
            for site in ("round_robin", "least_conn", "random", "two", "hash", "sticky"):
                assert "backend3" not in clients.spread(site, 9, proxy=proxy)
        echoes = clients.echo()
        assert not echoes["dead"] and echoes["alive"]["backend3"] == before["backend3"] > 0
    assert clients.spread("round_robin", 9)["backend3"] == 3
    assert not clients.echo()["dead"]


def test_a_run_for_one_proxy_makes_the_same_files_as_a_run_for_all() -> None:
    texts = [host(proxy).check_output(UPSTREAMS.format("upstreams")) for proxy in PROXIES]
    assert texts[0] == texts[1]
    for backend in BACKENDS:
        assert f"server {backend}" in texts[0]
    for options in (["--limit", "proxy1"], ["--limit", "proxy2:proxy3", "--tags", "configure"]):
        assert set(changes(played(*options)).values()) == {0}


# An earlier version left a host in this state: readable files, one location with all headers for each path, sockets
# without options, a library, and one line of Python.
EARLIER = """
import glob, os, re, shutil
folder, = glob.glob(f"/etc/nginx/websocket_proxy/{os.readlink('/etc/nginx/websocket_proxy/proved')}")
for path in glob.glob(f"{folder}/site-*.conf"):
    text = open(path).read()
    text = re.sub(r"include (.*/proxy_params.*);", lambda found: open(found[1]).read(), text)
    text = re.sub(r" so_keepalive=[^ ;]*", "", text)
    text = re.sub(r"\\n *if \\(.websocket_proxy_live\\) {.*?\\n *}", "", text, flags=re.S)
    text = re.sub(r"\\n    location @.*?\\n    }", "", text, flags=re.S)
    open(path, "w").write(text)
for path in [*glob.glob(f"{folder}/*_params*"), f"{folder}/masked"]:
    os.unlink(path)
for path in glob.glob("/etc/nginx/websocket_proxy/**", recursive=True):
    os.chmod(path, 0o755 if os.path.isdir(path) else 0o644)
os.makedirs("/usr/local/lib/websocket_proxy/ansible_collections")
open("/usr/local/sbin/websocket_proxy_reload", "w").write("#!/usr/bin/python3 -B\\n# Written by Ansible.\\n")
unit = "/etc/systemd/system/nginx.service.d/websocket_proxy.conf"
text = open(unit).read()
open(unit, "w").write(re.sub("ExecStartPre=.*", "ExecStartPre=-/usr/bin/python3 -c 'import glob'", text))
"""


def test_a_host_of_the_earlier_version_is_updated_without_losing_a_websocket(clients: Client) -> None:
    proxy = host("proxy1")
    proxy.check_output("python3 -c %s && nginx -t && systemctl daemon-reload && systemctl reload nginx", EARLIER)
    clients.spread("round_robin", 20)
    master = proxy.check_output("cat /run/nginx.pid")
    assert changes(played("--limit", "proxy1")) != {"proxy1": 0}
    assert clients.echo()["alive"].total() == 20
    assert proxy.check_output("cat /run/nginx.pid") == master
    assert proxy.check_output("find /etc/nginx/websocket_proxy -perm /077 ! -type l") == ""
    assert not proxy.file("/usr/local/lib/websocket_proxy").exists
    assert proxy.check_output("/usr/local/sbin/websocket_proxy_reload").startswith("nginx was reloaded")
    assert clients.echo()["alive"].total() == 20
    assert changes(played("--limit", "proxy1")) == {"proxy1": 0}


MISTAKES = [
    ({"group": "websocket_backend", "port": 3000},
     '.group: "websocket_backend" is not a group of the inventory; did you mean "websocket_backends"?'),
    ({"group": "websocket_backends"}, ': "port" is missing'),
    ({"servers": [{"address": "backend1:3000", "max_conns": 100000}]},
     ".servers[0].max_conns: 100000 connections to backend1:3000 need as many local ports"),
    ({"servers": ["10.0.0.1:3000"], "proxy_bind": ["192.0.2.77"]},
     '.proxy_bind[0]: the host has no address "192.0.2.77"'),
    ({"servers": ["backend1:3000", "backend2:3000"], "resolve": True},
     "this needs nginx 1.27.3 or newer, and the host has 1.22.1"),
]


def test_mistakes_are_told_before_anything_is_touched() -> None:
    before = host("proxy1").check_output(UPSTREAMS.format("*"))
    done = play("--limit", "proxy1", websocket_proxy_sites=[], websocket_proxy_upstreams=[
        {"name": f"number{number}", **upstream} for number, (upstream, _told) in enumerate(MISTAKES)])
    assert done.returncode == 2
    assert [told for number, (_upstream, told) in enumerate(MISTAKES)
            if (f"websocket_proxy_upstreams[{number}]{told}" if told[0] in ".:" else told) not in done.stdout] == []
    assert changes(done.stdout) == {"proxy1": 0}
    assert host("proxy1").check_output(UPSTREAMS.format("*")) == before
