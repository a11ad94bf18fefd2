"""Runs inside an edge's container, which has only the loopback network: backends at any address, and a client of nginx.

It reads ``{"backends": [address], "certificate": path, "questions": [{}]}`` as JSON, and prints the answers. A backend
answers a request, or a handshake after its 101, with its own address and the head of the request. It uses TLS if there
is a certificate.
"""

from __future__ import annotations

import json
import os
import re
import socket
import ssl
import sys
import threading

UNVERIFIED = ssl.create_default_context()
UNVERIFIED.check_hostname, UNVERIFIED.verify_mode = False, ssl.CERT_NONE
HANDSHAKE = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAA\r\n"


def connected(address: str, source: str = "") -> socket.socket:
    """Connect to ``host:port`` or ``unix:/path``."""
    if address.startswith("unix:"):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(address[5:])
        return connection
    host, port = address.rsplit(":", 1)
    return socket.create_connection((host, int(port)), 5, (source, 0) if source else None)


def listening(address: str) -> socket.socket:
    """Listen on ``host:port`` or ``unix:/path``."""
    if not address.startswith("unix:"):
        host, port = address.rsplit(":", 1)
        return socket.create_server((host, int(port)))
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address[5:])
    os.chmod(address[5:], 0o666)
    listener.listen(16)
    return listener


def stand(address: str, certificate: str = "") -> None:
    """Run a backend that serves one connection after the other, with TLS if it has a CERTIFICATE."""
    listener = listening(address)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        listener = context.wrap_socket(listener, server_side=True)

    def serve() -> None:
        while True:
            connection, _peer = listener.accept()
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                piece = connection.recv(1)
                if not piece:
                    break
                head += piece
            told = address.encode() + b"\r\n" + head
            start = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(told)
            if b"\r\nUpgrade: websocket\r\n" in head:
                start = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
            connection.sendall(start + told)
            connection.close()

    threading.Thread(target=serve, daemon=True).start()


def complete(answer: bytes) -> bool:
    """Return whether an answer has the whole body that it announces."""
    head, _blank, body = answer.partition(b"\r\n\r\n")
    length = re.search(rb"\r\nContent-Length: (\d+)", head)
    return bool(length) and len(body) >= int(length[1])


def ask(to: str, host: str, path: str, upgrade: bool = False, source: str = "", headers: str = "",
        before: str = "", tls: bool = False) -> dict:
    """Send nginx one request; return its answer, with the status 0 if it closes without one."""
    with connected(to, source) as connection:
        if tls:
            connection = UNVERIFIED.wrap_socket(connection, server_hostname=host)
        last = HANDSHAKE if upgrade else "Connection: close\r\n"
        connection.sendall(f"{before}GET {path} HTTP/1.1\r\nHost: {host}\r\n{headers}{last}\r\n".encode())
        answer = b""
        while not complete(answer):
            piece = connection.recv(65536)
            if not piece:
                break
            answer += piece
    head, _blank, body = answer.decode("latin-1").partition("\r\n\r\n")
    lines = head.split("\r\n")
    pairs = [line.partition(": ") for line in lines[1:]]
    return {"status": int(lines[0].split()[1]) if head else 0, "body": body,
            "headers": {name.lower(): value for name, _colon, value in pairs}}


def main() -> None:
    """Run the backends, ask the questions, and print the answers."""
    wanted = json.load(sys.stdin)
    for address in wanted["backends"]:
        stand(address, wanted["certificate"])
    print(json.dumps([ask(**question) for question in wanted["questions"]]))


if __name__ == "__main__":
    main()
