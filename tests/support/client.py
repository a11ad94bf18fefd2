"""Clients on raw sockets: they send what well-behaved libraries refuse to send."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import TracebackType

import h2.connection
import h2.events

HANDSHAKE = (("Connection", "Upgrade"), ("Sec-WebSocket-Version", "13"),
             ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="))
# RFC 6455 1.3: the answer to that key.
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

# The limit is for a busy machine: on an idle one, the answer arrives at once.
SECONDS = 30


def head_of(connection: socket.socket) -> bytes:
    """Read one head, byte by byte, so that the data after it stays unread; return nothing if the peer closes."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        piece = connection.recv(1)
        if not piece:
            return b""
        head += piece
    return head


def fields(head: bytes) -> list[tuple[str, str]]:
    """Return the header fields of a head, with names in lower case."""
    lines = head.decode("latin-1").split("\r\n")[1:-2]
    return [(name.lower(), value.strip()) for name, _colon, value in (line.partition(":") for line in lines)]


@dataclass
class Answer:
    """The head of an answer, and its body if a Content-Length announces one."""

    status: int
    headers: dict[str, str]
    body: bytes


class Client:
    """One connection to an address."""

    def __init__(self, address: str, seconds: float = SECONDS, source: str = "") -> None:
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), seconds, (source, 0) if source else None)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.socket.close()

    def send(self, host: str, path: str, headers: Iterable[tuple[str, str]] = (), method: str = "GET",
             version: str = "HTTP/1.1") -> None:
        """Send a request without a body."""
        lines = [f"{method} {path} {version}", f"Host: {host}", *(f"{name}:{value}" for name, value in headers)]
        self.socket.sendall("\r\n".join([*lines, "", ""]).encode("latin-1"))

    def answer(self, method: str = "GET") -> Answer:
        """Read the answer to a request with a METHOD; an answer to HEAD has no body."""
        head = head_of(self.socket)
        assert head, "the connection was closed without an answer"
        headers = dict(fields(head))
        status = int(head.split()[1])
        body = b""
        while method != "HEAD" and len(body) < int(headers.get("content-length", 0)):
            piece = self.socket.recv(65536)
            assert piece, "the connection was closed in the middle of a body"
            body += piece
        return Answer(status, headers, body)

    def ask(self, host: str, path: str, headers: Iterable[tuple[str, str]] = (), method: str = "GET",
            version: str = "HTTP/1.1") -> Answer:
        """Send a request and read its answer."""
        self.send(host, path, headers, method, version)
        return self.answer(method)

    def exchange(self, data: bytes, expected: bytes) -> None:
        """Send DATA, read as many bytes as EXPECTED has, and compare them."""
        self.socket.sendall(data)
        got = b""
        while len(got) < len(expected):
            piece = self.socket.recv(len(expected) - len(got))
            assert piece, f"closed after {got!r}"
            got += piece
        assert got == expected

    def stays_open(self, seconds: float) -> bool:
        """Return whether the peer keeps the connection open for so many SECONDS."""
        self.socket.settimeout(seconds)
        try:
            return self.socket.recv(1) != b""
        except TimeoutError:
            return True

    def echo(self, message: bytes) -> None:
        """Send a WebSocket text message of less than 126 bytes, and read its echo (RFC 6455 5.2; the mask is zero)."""
        self.exchange(bytes([0x81, 0x80 | len(message)]) + bytes(4) + message, bytes([0x81, len(message)]) + message)

    def seconds_until_closed(self) -> float:
        """Wait until the peer closes; return how long that took."""
        started = time.monotonic()
        try:
            while self.socket.recv(65536):
                pass
        except ConnectionResetError:
            pass
        return time.monotonic() - started


def get(address: str, host: str, path: str, headers: Iterable[tuple[str, str]] = (), method: str = "GET",
        version: str = "HTTP/1.1") -> Answer:
    """Send one request on its own connection; return the answer."""
    with Client(address) as client:
        return client.ask(host, path, headers, method, version)


def smuggle(address: str, host: str, path: str, offers: Sequence[str] = ("h2c",)) -> tuple[Answer, bytes]:
    """Offer h2c, then request /admin over HTTP/2 whatever the answer is; return the answer and the body of /admin."""
    peer = h2.connection.H2Connection()
    settings = (peer.initiate_upgrade_connection() or b"").decode()
    with Client(address) as client:
        answer = client.ask(host, path, [*(("Upgrade", offer) for offer in offers),
                                         ("Connection", "Upgrade, HTTP2-Settings"), ("HTTP2-Settings", settings)])
        peer.send_headers(3, [(":method", "GET"), (":path", "/admin"), (":scheme", "http"), (":authority", host)],
                          end_stream=True)
        client.socket.sendall(peer.data_to_send())
        secret = b""
        if answer.status != 101:
            # Only an HTTP/1.1 error can follow. In any case, the caller checks the requests that reached the backend.
            client.seconds_until_closed()
            return answer, secret
        while data := client.socket.recv(65536):
            for event in peer.receive_data(data):
                if isinstance(event, h2.events.DataReceived) and event.stream_id == 3:
                    secret += event.data
                if isinstance(event, h2.events.StreamEnded) and event.stream_id == 3:
                    return answer, secret
        return answer, secret
