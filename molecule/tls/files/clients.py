"""Runs outside: opens WebSockets over TLS and keeps them; one JSON line in, one out.

``open`` opens sockets to a name, ``alive`` sends something through each and counts what comes back, ``serial`` returns
the serial number of the certificate that a name shows and who issued it.
"""

from __future__ import annotations

import json
import socket
import ssl
import sys

CA = "/usr/local/share/ca-certificates/tests.crt"
REQUEST = ("GET / HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
# A text message in one frame, its mask zero, and what comes back (RFC 6455 5.2).
PING, PONG = b"\x81\x85" + bytes(4) + b"hello", b"\x81\x05hello"
KEPT: list = []


def connected(name: str, context: ssl.SSLContext) -> ssl.SSLSocket:
    """Shake hands for a name."""
    return context.wrap_socket(socket.create_connection((name, 443), 10), server_hostname=name)


def unverified() -> ssl.SSLContext:
    """Return what takes any certificate."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def open_(name: str, count: int, verify: bool = True) -> int:
    """Open sockets; return how many were."""
    context = ssl.create_default_context(cafile=CA) if verify else unverified()
    for _number in range(count):
        connection = connected(name, context)
        connection.sendall(REQUEST.format(name).encode())
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += connection.recv(1) or sys.exit("closed")
        if b" 101 " in head:
            KEPT.append(connection)
    return len(KEPT)


def alive() -> int:
    """Send something through each socket; return how many answer."""
    count = 0
    for connection in KEPT:
        try:
            connection.sendall(PING)
            got = b""
            while len(got) < len(PONG):
                piece = connection.recv(64)
                if not piece:
                    break
                got += piece
            count += got == PONG
        except OSError:
            continue
    return count


def close() -> int:
    """Close all."""
    while KEPT:
        KEPT.pop().close()
    return 0


def shown(name: str) -> str:
    """Return the certificate that a name shows, in PEM form; empty where the handshake comes to nothing."""
    try:
        with connected(name, unverified()) as connection:
            return ssl.DER_cert_to_PEM_cert(connection.getpeercert(binary_form=True))
    except OSError:
        return ""


def main() -> None:
    """Answer until there are no more questions."""
    what = {"open": open_, "alive": alive, "close": close, "shown": shown}
    for line in sys.stdin:
        question = json.loads(line)
        print(json.dumps(what[question.pop("do")](**question)), flush=True)


main()
