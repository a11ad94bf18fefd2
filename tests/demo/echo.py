"""Opens WebSockets through the demo's proxy. Shows the handshake, three echoes, and the WebSockets of each backend.

Usage: echo.py URL [CERTIFICATE]

URL is ws://HOST:PORT/, or wss://HOST:PORT/ with the file of the only trusted CERTIFICATE.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import ssl
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterable

# Not websockets.sync: it reads in its own thread, and OpenSSL allows only one thread at a time on a connection.
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

TIMEOUT = 10  # seconds, for each step
MIB = 1024 * 1024


class DemoError(Exception):
    """A failed check, which the message describes."""


def show(mark: str, first_line: str, headers: Iterable[tuple[str, str]]) -> None:
    print(f"\n  {mark} {first_line}")
    for name, value in headers:
        print(f"  {mark} {name}: {value}")


def show_tls(socket: ClientConnection) -> None:
    channel: ssl.SSLObject = socket.transport.get_extra_info("ssl_object")
    print(f"\n  {channel.version()}; the certificate for {channel.server_hostname} is the one that is on the host")


def show_handshake(socket: ClientConnection) -> None:
    request, response = socket.request, socket.response
    assert request is not None and response is not None  # both are set once it is open
    show(">", f"GET {request.path} HTTP/1.1", request.headers.raw_items())
    show("<", f"HTTP/1.1 {response.status_code} {response.reason_phrase}", response.headers.raw_items())
    print()


async def echo(socket: ClientConnection, kind: str, message: str | bytes) -> None:
    started = time.perf_counter()
    async with asyncio.timeout(TIMEOUT):
        await socket.send(message)
        answer = await socket.recv()
    milliseconds = (time.perf_counter() - started) * 1000
    if type(answer) is not type(message) or answer != message:
        raise DemoError(f"the echo of the {kind} message differs from what was sent")
    size = len(message.encode() if isinstance(message, str) else message)
    print(f"  {kind:<8}{size:>9,} bytes there and back in {milliseconds:7.1f} ms")


async def show_spread(url: str, tls: ssl.SSLContext | None, count: int) -> None:
    async with contextlib.AsyncExitStack() as stack, asyncio.timeout(TIMEOUT):
        sockets = [await stack.enter_async_context(connect(f"{url}whoami", ssl=tls, proxy=None))
                   for _socket in range(count)]
        backends = Counter([json.loads(await socket.recv())["instance"] for socket in sockets])
    print(f"\n  {count} WebSockets: " + ", ".join(f"{number} at {name}" for name, number in sorted(backends.items())))
    if len(backends) < 2:
        raise DemoError("all WebSockets are at one backend")


def check_page(url: str, tls: ssl.SSLContext | None) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=tls))
    with opener.open(url, timeout=TIMEOUT) as response:
        page = response.read(MIB)
        if b"<title>WebSocket echo</title>" not in page:
            raise DemoError(f"{url} does not answer with the page of the echo service")
    print(f"  {'page':<8}{len(page):>9,} bytes from {url}")


async def main(url: str, certificate: str | None = None) -> None:
    tls = ssl.create_default_context(cafile=certificate) if certificate else None
    async with connect(url, ssl=tls, open_timeout=TIMEOUT, max_size=2 * MIB, compression=None, proxy=None) as socket:
        if tls:
            show_tls(socket)
        show_handshake(socket)
        await echo(socket, "text", "Grüße durch nginx")
        await echo(socket, "binary", bytes(range(256)))
        await echo(socket, "1 MiB", os.urandom(MIB))
    await show_spread(url, tls, 10)
    check_page("http" + url.removeprefix("ws"), tls)
    print()


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    try:
        asyncio.run(main(*sys.argv[1:]))
    except (DemoError, WebSocketException, OSError) as error:
        sys.exit(f"demo: no good echo from {sys.argv[1]}: {error or type(error).__name__}")
