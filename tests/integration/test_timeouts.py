"""Timeouts: each does what its name says, at its own location and nowhere else.

test_live covers which timeout of silence applies to which requests.
"""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.support.backends import SWITCHED, Backend
from tests.support.client import SECONDS, Client, get, head_of
from tests.support.edge import Edge
from tests.support.ports import free_address

# Long enough for a busy machine to send a frame in time.
SHORT = 1.5
TIME = f"{SHORT * 1000:.0f}ms"
# nginx does not move a timer by less than 0.3 s (NGX_TIMER_LAZY_DELAY).
STEP = 0.6
# This number of steps takes longer than the timeout.
STEPS = 3


def _odd(backend: Backend, connection: socket.socket) -> None:
    path = head_of(connection).split()[1].rsplit(b"/", 1)[1]
    if path == b"never":
        threading.Event().wait(30)
        return
    connection.sendall(SWITCHED)
    if path == b"ticking":
        while True:
            connection.sendall(b".")
            time.sleep(STEP)
    if path == b"deaf":
        threading.Event().wait(30)
    while connection.recv(65536):
        pass


@dataclass
class Setup:
    """An edge whose locations differ in one timeout each."""

    edge: Edge
    address: str


@pytest.fixture(scope="module")
def setup(serving: Edge) -> Iterator[Setup]:
    """Serve these locations; the path's last part sets what the backend does."""
    backend, address = Backend(_odd), free_address()
    # The queue holds one connection, which nothing accepts: later connections get no answer at all.
    full = socket.create_server(("127.0.0.1", 0), backlog=0)
    waiting = [socket.socket() for _one in range(3)]
    for one in waiting:
        one.setblocking(False)
        one.connect_ex(full.getsockname())
    serving.start({
        "upstreams": [{"name": "odd", "servers": [backend.address]},
                      {"name": "full", "servers": [f"127.0.0.1:{full.getsockname()[1]}"]}],
        "sites": [{"server_names": ["a"], "listen": [address], "upstream": "odd",
                   "locations": [{"path": "/read/", "upstream": "odd", "read_timeout": TIME,
                                  "live_read_timeout": TIME},
                                 {"path": "/send/", "upstream": "odd", "send_timeout": TIME},
                                 {"path": "/connect/", "upstream": "full", "connect_timeout": TIME}]},
                  {"server_names": ["b"], "listen": [address], "upstream": "odd", "read_timeout": 90,
                   "live_read_timeout": 91, "send_timeout": "2m", "connect_timeout": "3s",
                   "locations": [{"path": "/own", "upstream": "odd", "read_timeout": "1d"}]},
                  {"server_names": ["send"], "listen": [address], "upstream": "odd", "send_timeout": TIME},
                  {"server_names": ["connect"], "listen": [address], "upstream": "full",
                   "connect_timeout": TIME}],
    })
    yield Setup(serving, address)
    serving.stop()
    for one in (*waiting, full, backend):
        one.close()


def opened(setup: Setup, path: str, site: str = "a") -> Client:
    """Open a WebSocket, as far as nginx can see."""
    client = Client(setup.address)
    assert client.ask(site, path, [("Upgrade", "websocket"), ("Connection", "Upgrade")]).status == 101
    return client


def test_an_idle_websocket_is_cut_when_read_timeout_ends(setup: Setup) -> None:
    started = time.monotonic()
    with opened(setup, "/read/silent") as client:
        client.seconds_until_closed()
    assert time.monotonic() - started > SHORT * 0.9


def test_without_a_short_read_timeout_an_idle_websocket_stays(setup: Setup) -> None:
    with opened(setup, "/silent") as client:
        assert client.stays_open(SHORT + STEP)


def test_a_frame_of_the_clients_keeps_a_websocket_open(setup: Setup) -> None:
    with opened(setup, "/read/silent") as client:
        for _frame in range(STEPS):
            assert client.stays_open(STEP)
            client.socket.sendall(b"x")
        client.socket.settimeout(SECONDS)
        assert client.seconds_until_closed() > SHORT * 0.9


def test_a_frame_of_the_backends_keeps_a_websocket_open(setup: Setup) -> None:
    with opened(setup, "/read/ticking") as client:
        for _tick in range(STEPS):
            assert client.socket.recv(1) == b"."


def test_a_backend_that_never_answers_is_given_up_when_read_timeout_ends(setup: Setup) -> None:
    started = time.monotonic()
    assert get(setup.address, "a", "/read/never").status == 504
    assert time.monotonic() - started > SHORT * 0.9


def fill(client: Client) -> None:
    """Send until nothing more is taken."""
    client.socket.settimeout(1)
    with pytest.raises(TimeoutError):
        while True:
            client.socket.sendall(bytes(1 << 20))
    client.socket.settimeout(SECONDS)


@pytest.mark.parametrize(("site", "path"), [("a", "/send/deaf"), ("send", "/deaf")])
def test_a_backend_that_takes_nothing_is_given_up_when_send_timeout_ends(setup: Setup, site: str, path: str) -> None:
    with opened(setup, path, site) as client:
        fill(client)
        client.seconds_until_closed()


def test_without_a_short_send_timeout_a_backend_that_takes_nothing_is_waited_for(setup: Setup) -> None:
    with opened(setup, "/deaf") as client:
        fill(client)
        assert client.stays_open(SHORT + STEP)


@pytest.mark.parametrize(("site", "path"), [("a", "/connect/x"), ("connect", "/x")])
def test_a_backend_that_cannot_be_reached_is_given_up_when_connect_timeout_ends(
        setup: Setup, site: str, path: str) -> None:
    started = time.monotonic()
    assert get(setup.address, site, path).status == 504
    assert time.monotonic() - started > SHORT * 0.9


@pytest.mark.parametrize(("site", "path", "times"), [
    ("a", "/", ("60s", "60s", "5s", "86400s")),
    ("a", "/read/", (TIME, "60s", "5s", TIME)),
    ("a", "/send/", ("60s", TIME, "5s", "86400s")),
    ("a", "/connect/", ("60s", "60s", TIME, "86400s")),
    ("b", "/", ("90s", "2m", "3s", "91s")),
    ("b", "/own", ("1d", "2m", "3s", "91s")),
])
def test_nginx_has_each_time_at_its_location(setup: Setup, site: str, path: str, times: tuple[str, ...]) -> None:
    dump = setup.edge.dump()
    # The content of an included file counts where it is included.
    files = dict(re.findall(r"^# configuration file (\S+):\n(.*?)(?=^# configuration file |\Z)", dump, re.M | re.S))
    server = next(text for text in files.values() if f"server_name {site};" in text)
    for _level in range(2):
        server = re.sub(r"include (\S+_params\S*);", lambda found: files[found[1]], server)
    plain, live = server.split(f"location {path} {{")[1].split("location ")[:2]
    assert "proxy_socket_keepalive on;" in plain and "proxy_socket_keepalive on;" in live
    found = [dict(re.findall(r"proxy_(read|send|connect)_timeout (\S+);", one)) for one in (plain, live)]
    assert tuple(found[0][name] for name in ("read", "send", "connect")) == times[:3]
    assert tuple(found[1][name] for name in ("read", "send", "connect")) == (times[3], *times[1:3])
