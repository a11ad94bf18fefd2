"""Opens WebSockets through the demo's proxy: shows the handshake, three echoes, and how many each backend has.

Usage: echo.py HOST:PORT
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterable

from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

TIMEOUT = 10  # seconds, for each step
MIB = 1024 * 1024


class DemoError(Exception):
    """Something is not as it should be; the message says what."""


def show(mark: str, first_line: str, headers: Iterable[tuple[str, str]]) -> None:
    print(f"\n  {mark} {first_line}")
    for name, value in headers:
        print(f"  {mark} {name}: {value}")


def show_handshake(socket: ClientConnection) -> None:
    request, response = socket.request, socket.response
    assert request is not None and response is not None  # both are set once it is open
    show(">", f"GET {request.path} HTTP/1.1", request.headers.raw_items())
    show("<", f"HTTP/1.1 {response.status_code} {response.reason_phrase}", response.headers.raw_items())
    print()


def echo(socket: ClientConnection, kind: str, message: str | bytes) -> None:
    started = time.perf_counter()
    socket.send(message)
    answer = socket.recv(timeout=TIMEOUT)
    milliseconds = (time.perf_counter() - started) * 1000
    if type(answer) is not type(message) or answer != message:
        raise DemoError(f"the echo of the {kind} message differs from what was sent")
    size = len(message.encode() if isinstance(message, str) else message)
    print(f"  {kind:<8}{size:>9,} bytes there and back in {milliseconds:7.1f} ms")


def show_spread(address: str, count: int) -> None:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(connect(f"ws://{address}/whoami", open_timeout=TIMEOUT, proxy=None))
                   for _socket in range(count)]
        backends = Counter(json.loads(socket.recv(timeout=TIMEOUT))["instance"] for socket in sockets)
    print(f"\n  {count} WebSockets: " + ", ".join(f"{number} at {name}" for name, number in sorted(backends.items())))
    if len(backends) < 2:
        raise DemoError("all WebSockets are at one backend")


def check_page(url: str) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=TIMEOUT) as response:
        if b"<title>WebSocket echo</title>" not in response.read(MIB):
            raise DemoError(f"{url} does not answer with the page of the echo service")


def main(address: str) -> None:
    with connect(f"ws://{address}/", open_timeout=TIMEOUT, max_size=2 * MIB, compression=None, proxy=None) as socket:
        show_handshake(socket)
        echo(socket, "text", "Grüße durch nginx")
        echo(socket, "binary", bytes(range(256)))
        echo(socket, "1 MiB", os.urandom(MIB))
    show_spread(address, 10)
    print()
    check_page(f"http://{address}/")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        main(sys.argv[1])
    except (DemoError, WebSocketException, OSError) as error:
        sys.exit(f"demo: no good echo from ws://{sys.argv[1]}/: {error or type(error).__name__}")
