"""WebSockets through the edge that the role made, used by a client on the network."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from http.client import HTTPConnection

import pytest
from testinfra.host import Host
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

testinfra_hosts = ["ansible://websocket_proxies"]

Open = Callable[..., ClientConnection]
# Long enough for a busy machine.
SECONDS = 60


@pytest.fixture(name="address")
def address_(host: Host) -> str:
    """Return the address of the host under test."""
    return host.check_output("hostname -I").split()[0]


@pytest.fixture(name="open_socket")
def open_socket_(address: str) -> Open:
    """Return a function that opens a WebSocket through the edge."""

    def open_socket(path: str = "/", name: str = "example.com", port: int = 80) -> ClientConnection:
        plain = socket.create_connection((address, port), timeout=SECONDS)
        return connect(f"ws://{name}:{port}{path}", sock=plain, compression=None, max_size=None, open_timeout=SECONDS,
                       ping_interval=None, close_timeout=SECONDS)

    return open_socket


def ask(address: str, name: str, headers: dict[str, str]) -> tuple[int, dict[str, str], str]:
    """Send a plain request for /whoami; return status, headers in lower case and body."""
    connection = HTTPConnection(address, timeout=SECONDS)
    connection.request("GET", "/whoami", headers={"Host": name, **headers})
    answer = connection.getresponse()
    told = {key.lower(): value.lower() for key, value in answer.getheaders()}
    return answer.status, told, answer.read().decode()


def seen_headers(message: str | bytes) -> dict[str, str]:
    """Return the headers that the backend received; none may occur twice."""
    pairs = json.loads(message)["request"]["headers"]
    headers = {name.lower(): value for name, value in pairs}
    assert len(headers) == len(pairs)
    return headers


def test_the_handshake_is_answered_as_rfc_6455_wants(open_socket: Open) -> None:
    # The library computes Sec-WebSocket-Accept itself, and refuses any other value.
    with open_socket() as websocket:
        assert websocket.response
        assert websocket.response.status_code == 101
        assert websocket.response.headers["Upgrade"].lower() == "websocket"
        assert websocket.response.headers["Connection"].lower() == "upgrade"
        assert len(websocket.response.headers["Sec-WebSocket-Accept"]) == 28


@pytest.mark.parametrize("message", ["grüße", "", b"\x00\xff\x80", b"", "x" * 2**20, bytes(range(256)) * 4096],
                         ids=["text", "empty text", "binary", "empty binary", "1 MiB of text", "1 MiB of binary"])
def test_a_message_comes_back_unchanged(open_socket: Open, message: str | bytes) -> None:
    with open_socket() as websocket:
        websocket.send(message)
        assert websocket.recv(timeout=SECONDS) == message


def test_a_ping_is_answered(open_socket: Open) -> None:
    with open_socket() as websocket:
        assert websocket.ping().wait(SECONDS)


def test_the_clients_close_code_is_answered(open_socket: Open) -> None:
    websocket = open_socket()
    websocket.close(4321, "enough")
    assert websocket.protocol.close_rcvd is not None
    assert (websocket.protocol.close_rcvd.code, websocket.protocol.close_rcvd_then_sent) == (4321, False)


def test_the_backends_close_code_reaches_the_client(open_socket: Open) -> None:
    with open_socket("/close?code=4001&reason=bye") as websocket, pytest.raises(ConnectionClosed) as closed:
        websocket.recv(timeout=SECONDS)
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4001, "bye")


def test_a_hundred_sockets_at_once_each_hear_their_own_words(open_socket: Open) -> None:
    websockets = [open_socket() for _each in range(100)]
    try:
        for number, websocket in enumerate(websockets):
            websocket.send(f"number {number}")
        assert [websocket.recv(timeout=SECONDS) for websocket in websockets] == [f"number {n}" for n in range(100)]
    finally:
        # Each close waits for the peer; in parallel, they wait only once.
        closing = [threading.Thread(target=websocket.close) for websocket in websockets]
        for thread in closing:
            thread.start()
        for thread in closing:
            thread.join()


def test_the_backend_sees_who_is_there_and_how_they_came(open_socket: Open, address: str) -> None:
    with open_socket("/whoami") as websocket:
        client = websocket.local_address[0]
        seen = seen_headers(websocket.recv(timeout=SECONDS))
    assert {name: seen[name] for name in ("host", "upgrade", "connection", "x-real-ip", "x-forwarded-for",
                                          "x-forwarded-proto")} == {
        "host": "example.com", "upgrade": "websocket", "connection": "upgrade", "x-real-ip": client,
        "x-forwarded-for": client, "x-forwarded-proto": "http"}


def test_a_plain_request_takes_the_same_way(address: str) -> None:
    status, _headers, body = ask(address, "example.com", {"X-Forwarded-For": "6.6.6.6"})
    assert status == 200
    seen = seen_headers(body)
    assert json.loads(body)["request"]["http_version"] == "1.1"
    assert seen["x-forwarded-for"] != "6.6.6.6"
    assert not {"upgrade", "connection"} & set(seen)


def test_a_locations_headers_win_over_its_sites(open_socket: Open) -> None:
    with open_socket("/whoami", "strict.example.com") as websocket:
        above = seen_headers(websocket.recv(timeout=SECONDS))
    with open_socket("/second/whoami", "strict.example.com", 8080) as websocket:
        client = websocket.local_address[0]
        below = seen_headers(websocket.recv(timeout=SECONDS))
    assert above["x-edge"] == 'said by "strict.example.com"; once'
    assert "x-edge" not in below
    assert below["x-client"] == client


def test_a_locations_own_live_read_timeout_cuts_a_silent_socket_and_no_other(open_socket: Open) -> None:
    with open_socket("/", "strict.example.com") as patient, open_socket("/second", "strict.example.com") as hasty:
        with pytest.raises(ConnectionClosed):
            hasty.recv(timeout=SECONDS)
        patient.send("here")
        assert patient.recv(timeout=SECONDS) == "here"


@pytest.mark.parametrize(("name", "status"), [("example.com", 200), ("strict.example.com", 400)])
def test_another_upgrade_is_ignored_or_rejected_as_the_site_says(address: str, name: str, status: int) -> None:
    told, headers, body = ask(address, name, {"Upgrade": "h2c", "Connection": "Upgrade, HTTP2-Settings",
                                              "HTTP2-Settings": "AAMAAABkAAQAAP__"})
    assert told == status
    assert "h2c" not in f"{headers} {body}"
