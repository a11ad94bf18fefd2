"""Runs beside nginx in a container: opens many WebSockets through it to a backend of its own, and keeps them open.

Usage: many_websockets.py HOST:PORT-OF-THE-BACKEND HOST:PORT-OF-NGINX COUNT. It prints the number of answers with each
status.
"""

from __future__ import annotations

import json
import socket
import sys
import threading

REQUEST = (b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
           b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
SOURCES = 8
# From linux/in.h: connect chooses the port, not bind. A port that bind chooses is lost for all other addresses.
IP_BIND_ADDRESS_NO_PORT = 24


def pair(address: str) -> tuple:
    """Return an address as Python's sockets need it."""
    host, port = address.rsplit(":", 1)
    return host, int(port)


def switch(listener: socket.socket, kept: list) -> None:
    """Answer every handshake, and keep the connection open."""
    while True:
        connection = listener.accept()[0]
        connection.recv(65536)
        connection.sendall(SWITCHED)
        kept.append(connection)


def main(backend: str, edge: str, count: int) -> None:
    """Open the WebSockets from several addresses, because each address has its own local ports."""
    kept = []
    threading.Thread(target=switch, args=(socket.create_server(pair(backend), backlog=512), kept), daemon=True).start()
    statuses = {}
    for number in range(count):
        client = socket.socket()
        kept.append(client)
        client.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
        client.bind((f"127.0.9.{number % SOURCES + 1}", 0))
        client.connect(pair(edge))
        client.sendall(REQUEST)
        status = client.recv(65536).split()[1].decode()
        statuses[status] = statuses.get(status, 0) + 1
    print(json.dumps(statuses))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
