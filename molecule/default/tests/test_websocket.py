"""WebSockets through the edge that the role made, as a client on the network sees them."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import socket
import threading
import time
from collections.abc import Callable

import pytest
from testinfra.host import Host
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

testinfra_hosts = ["ansible://websocket_proxies"]

Open = Callable[..., ClientConnection]


@pytest.fixture(name="address")
def address_(host: Host) -> str:
    """Return the address of the host under test."""
    return host.check_output("hostname -I").split()[0]


@pytest.fixture(name="open_socket")
def open_socket_(address: str) -> Open:
    """Return a function that opens a WebSocket through the edge."""

    def open_socket(path: str = "/", name: str = "example.com", port: int = 80) -> ClientConnection:
        plain = socket.create_connection((address, port), timeout=10)
        return connect(f"ws://{name}:{port}{path}", sock=plain, compression=None, max_size=None, open_timeout=10)

    return open_socket


def exchange(address: str, request: str, port: int = 80) -> str:
    """Send raw bytes and return what comes back until nothing does for a while."""
    with socket.create_connection((address, port), timeout=10) as plain:
        plain.sendall(request.replace("\n", "\r\n").encode())
        plain.settimeout(2)
        answer = b""
        try:
            while piece := plain.recv(65536):
                answer += piece
        except TimeoutError:
            pass
        return answer.decode("latin-1")


def seen_headers(message: str | bytes) -> dict[str, str]:
    """Return the headers that the backend saw; none may be there twice."""
    pairs = json.loads(message)["request"]["headers"]
    headers = {name.lower(): value for name, value in pairs}
    assert len(headers) == len(pairs)
    return headers


def test_the_handshake_is_answered_as_rfc_6455_wants(address: str) -> None:
    key = base64.b64encode(os.urandom(16)).decode()
    answer = exchange(address, f"GET / HTTP/1.1\nHost: example.com\nUpgrade: websocket\nConnection: Upgrade\n"
                               f"Sec-WebSocket-Key: {key}\nSec-WebSocket-Version: 13\n\n")
    accept = base64.b64encode(hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()).decode()
    lines = answer.lower().split("\r\n")
    assert lines[0].startswith("http/1.1 101 ")
    assert f"sec-websocket-accept: {accept}".lower() in lines
    assert "upgrade: websocket" in lines
    assert "connection: upgrade" in lines


@pytest.mark.parametrize("message", ["grüße", "", b"\x00\xff\x80", b"", "x" * 2**20, bytes(range(256)) * 4096],
                         ids=["text", "empty text", "binary", "empty binary", "1 MiB of text", "1 MiB of binary"])
def test_a_message_comes_back_unchanged(open_socket: Open, message: str | bytes) -> None:
    with open_socket() as websocket:
        websocket.send(message)
        assert websocket.recv(timeout=10) == message


def test_a_ping_is_answered(open_socket: Open) -> None:
    with open_socket() as websocket:
        assert websocket.ping().wait(10)


def test_the_clients_close_code_is_answered(open_socket: Open) -> None:
    websocket = open_socket()
    websocket.close(4321, "enough")
    assert websocket.protocol.close_rcvd is not None
    assert (websocket.protocol.close_rcvd.code, websocket.protocol.close_rcvd_then_sent) == (4321, False)


def test_the_backends_close_code_reaches_the_client(open_socket: Open) -> None:
    with open_socket("/close?code=4001&reason=bye") as websocket, pytest.raises(ConnectionClosed) as closed:
        websocket.recv(timeout=10)
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4001, "bye")


def test_a_hundred_sockets_at_once_each_hear_their_own_words(open_socket: Open) -> None:
    websockets = [open_socket() for _each in range(100)]
    try:
        for number, websocket in enumerate(websockets):
            websocket.send(f"number {number}")
        assert [websocket.recv(timeout=10) for websocket in websockets] == [f"number {n}" for n in range(100)]
    finally:
        # Closing waits for the peer each time; side by side that is one wait.
        closing = [threading.Thread(target=websocket.close) for websocket in websockets]
        for thread in closing:
            thread.start()
        for thread in closing:
            thread.join()


def test_the_backend_sees_who_is_there_and_how_they_came(open_socket: Open, address: str) -> None:
    with open_socket("/whoami") as websocket:
        client = websocket.local_address[0]
        seen = seen_headers(websocket.recv(timeout=10))
    assert {name: seen[name] for name in ("host", "upgrade", "connection", "x-real-ip", "x-forwarded-for",
                                          "x-forwarded-proto")} == {
        "host": "example.com", "upgrade": "websocket", "connection": "upgrade", "x-real-ip": client,
        "x-forwarded-for": client, "x-forwarded-proto": "http"}


def test_a_plain_request_takes_the_same_way(address: str) -> None:
    answer = exchange(
        address, "GET /whoami HTTP/1.1\nHost: example.com\nX-Forwarded-For: 6.6.6.6\nConnection: close\n\n")
    head, body = answer.split("\r\n\r\n", 1)
    assert head.startswith("HTTP/1.1 200 ")
    seen = seen_headers(body[body.index("{"):body.rindex("}") + 1])
    assert json.loads(body[body.index("{"):body.rindex("}") + 1])["request"]["http_version"] == "1.1"
    assert seen["x-forwarded-for"] != "6.6.6.6"
    assert not {"upgrade", "connection"} & set(seen)


def test_a_locations_headers_win_over_its_sites(open_socket: Open) -> None:
    with open_socket("/whoami", "strict.example.com") as websocket:
        above = seen_headers(websocket.recv(timeout=10))
    with open_socket("/second/whoami", "strict.example.com", 8080) as websocket:
        client = websocket.local_address[0]
        below = seen_headers(websocket.recv(timeout=10))
    assert above["x-edge"] == 'said by "strict.example.com"; once'
    assert "x-edge" not in below
    assert below["x-client"] == client


def test_a_locations_own_read_timeout_cuts_a_silent_socket_and_no_other(open_socket: Open) -> None:
    with open_socket("/", "strict.example.com") as patient, open_socket("/second", "strict.example.com") as hasty:
        for _each in range(3):
            time.sleep(0.8)
            hasty.send("still here")
            assert hasty.recv(timeout=5) == "still here"
        with pytest.raises(ConnectionClosed):
            hasty.recv(timeout=5)
        patient.send("here")
        assert patient.recv(timeout=5) == "here"


@pytest.mark.parametrize(("name", "status"), [("example.com", 200), ("strict.example.com", 400)])
def test_another_upgrade_is_ignored_or_rejected_as_the_site_says(address: str, name: str, status: int) -> None:
    answer = exchange(address, f"GET /whoami HTTP/1.1\nHost: {name}\nUpgrade: h2c\n"
                               "Connection: Upgrade, HTTP2-Settings\nHTTP2-Settings: AAMAAABkAAQAAP__\n\n")
    assert answer.startswith(f"HTTP/1.1 {status} ")
    assert "h2c" not in answer
