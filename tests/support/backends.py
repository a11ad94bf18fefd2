"""The backends behind the edge. Each records the head of every request that it receives."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Any

import engineio
import websockets.sync.server
from hypercorn.asyncio import serve
from hypercorn.config import Config

from .client import fields, head_of
from .waiting import wait_until

PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s"
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"


class Backend:
    """A server on a free port of 127.0.0.1, with one thread for each connection; with a CONTEXT it speaks TLS."""

    def __init__(self, serve_one: Callable[[Backend, socket.socket], None],
                 context: ssl.SSLContext | None = None) -> None:
        self._serve = serve_one
        self._context = context
        self.asked_for: list[str] = []
        if context:
            context.sni_callback = lambda _socket, name, _context: self.asked_for.append(name)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.heads: list[bytes] = []
        self.connections = 0
        self.open: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _peer = self._listener.accept()
                self.connections += 1
                self.open.add(connection)
                threading.Thread(target=self._one, args=(connection,), daemon=True).start()

    def _one(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            self._serve(self, self._context.wrap_socket(connection, server_side=True) if self._context else connection)
        self.open.discard(connection)

    def forget(self) -> None:
        """Forget the requests and connections so far."""
        self.heads.clear()
        self.connections = 0

    def close(self) -> None:
        """Stop listening."""
        self._listener.close()


def _tell(backend: Backend, connection: socket.socket) -> None:
    while head := head_of(connection):
        backend.heads.append(head)
        left = int(dict(fields(head)).get("content-length", 0))
        while left and (piece := connection.recv(min(left, 65536))):
            left -= len(piece)
        connection.sendall(PLAIN % (len(head), head))


def telling(context: ssl.SSLContext | None = None) -> Backend:
    """Make a backend that answers each request with that request's head, and never switches protocols."""
    return Backend(_tell, context)


def _switch(backend: Backend, connection: socket.socket) -> None:
    backend.heads.append(head_of(connection))
    connection.sendall(SWITCHED)
    while data := connection.recv(65536):
        connection.sendall(data)


def switching() -> Backend:
    """Make a backend that answers 101 to any request, and then sends all data back."""
    return Backend(_switch)


def _offer(backend: Backend, connection: socket.socket) -> None:
    while head := head_of(connection):
        backend.heads.append(head)
        if b"\r\nUpgrade: websocket" in head:
            connection.sendall(SWITCHED)
            return
        connection.sendall((PLAIN % (2, b"ok")).replace(b"\r\n", b"\r\nUpgrade: h2,h2c\r\nConnection: Upgrade\r\n", 1))


def offering() -> Backend:
    """Make a backend that offers HTTP/2 in each answer, and switches to WebSockets on request."""
    return Backend(_offer)


def numbered(number: int) -> Backend:
    """Make a backend that sends its NUMBER in each answer, accepts handshakes, and then sends all data back."""
    name = b"X-Server: %d\r\n" % number

    def serve(backend: Backend, connection: socket.socket) -> None:
        while head := head_of(connection):
            backend.heads.append(head)
            if b"\r\nUpgrade: " in head:
                connection.sendall(SWITCHED[:-2] + name + b"\r\n")
                while data := connection.recv(65536):
                    connection.sendall(data)
                return
            connection.sendall((PLAIN % (2, b"ok")).replace(b"\r\n", b"\r\n" + name, 1))

    return Backend(serve)


@contextlib.contextmanager
def websocket_echo() -> Iterator[str]:
    """Run a real WebSocket echo server; yield its address."""
    def echo(connection: websockets.sync.server.ServerConnection) -> None:
        for message in connection:
            connection.send(message)

    with websockets.sync.server.serve(echo, "127.0.0.1", 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"127.0.0.1:{server.socket.getsockname()[1]}"
        finally:
            server.shutdown()


class AsgiBackend:
    """hypercorn with an ASGI application."""

    def __init__(self, application: Any, port: int) -> None:
        self.address = f"127.0.0.1:{port}"
        self._application = application
        self._running = threading.Event()
        threading.Thread(target=lambda: asyncio.run(self._run(port)), daemon=True).start()
        assert self._running.wait(10)
        wait_until(lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0)

    async def _run(self, port: int) -> None:
        config = Config()
        config.bind = [f"127.0.0.1:{port}"]
        config.loglevel = "CRITICAL"
        config.errorlog = logging.getLogger("hypercorn")
        self._stop = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._running.set()
        await serve(self._application, config, shutdown_trigger=self._stop.wait)

    def close(self) -> None:
        """Stop the server."""
        self._loop.call_soon_threadsafe(self._stop.set)


class H2cBackend(AsgiBackend):
    """hypercorn, which switches to HTTP/2 if a client offers h2c; /admin is a path that an edge would refuse."""

    def __init__(self, port: int) -> None:
        self.scopes: list[dict[str, Any]] = []
        super().__init__(self._answer, port)

    @property
    def paths(self) -> list[str]:
        """The paths of the requests so far."""
        return [scope["path"] for scope in self.scopes]

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            while True:
                message = await receive()
                await send({"type": message["type"] + ".complete"})
                if message["type"] == "lifespan.shutdown":
                    return
        self.scopes.append(scope)
        body = b"secret of /admin" if scope["path"] == "/admin" else b"public"
        await send({"type": "http.response.start", "status": 200,
                    "headers": [(b"content-length", str(len(body)).encode())]})
        await send({"type": "http.response.body", "body": body})


def engineio_server(port: int) -> AsgiBackend:
    """Run an Engine.IO server, which accepts browsers from its own origin only."""
    return AsgiBackend(engineio.ASGIApp(engineio.AsyncServer(async_mode="asgi")), port)
