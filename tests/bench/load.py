"""Runs in the container, beside the proxy: opens WebSockets through it and prints what that cost the proxy.

    load.py echo SOCKETS ECHOES    CPU time in ns of one 128-byte echo, with one message under way on each socket
    load.py idle SOCKETS           memory (PSS) in bytes of one socket that echoed once and then stays idle
"""

from __future__ import annotations

import re
import select
import signal
import socket
import sys
import time
from pathlib import Path

PROXIES = {"nginx", "haproxy"}
SECONDS = 120  # for all of it
WARM_UP = 10  # echoes for each socket that are not counted

HANDSHAKE = (b"GET / HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
             b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
ACCEPT = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
PAYLOAD = bytes(range(128))
MASK = b"\x37\xfa\x21\x3d"
# RFC 6455 5.2: one final binary frame of 128 bytes, masked from the client, plain from the server.
MESSAGE = b"\x82\xfe\x00\x80" + MASK + bytes(byte ^ MASK[index % 4] for index, byte in enumerate(PAYLOAD))
ECHO = b"\x82\x7e\x00\x80" + PAYLOAD


def proxy_processes() -> list[Path]:
    """Return the folders in /proc of all processes of the proxy; nothing else of that name is in this container."""
    return [folder for folder in Path("/proc").glob("[0-9]*") if (folder / "comm").read_text().strip() in PROXIES]


def cpu() -> int:
    """Return the CPU time that the proxy has had, user and system, in ns."""
    return sum(int(thread.read_text().split()[0])
               for process in proxy_processes() for thread in process.glob("task/*/schedstat"))


def memory() -> int:
    """Return the proxy's memory in bytes, shared pages divided among those that share them."""
    return sum(int(re.findall(r"^Pss: +([0-9]+) kB", (process / "smaps_rollup").read_text(), re.M)[0]) * 1024
               for process in proxy_processes())


def wait_for(port: int) -> None:
    """Wait until something listens on PORT."""
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)


def websocket() -> socket.socket:
    """Open a WebSocket through the proxy."""
    opened = socket.create_connection(("127.0.0.1", 80), timeout=10)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    opened.sendall(HANDSHAKE)
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        received = opened.recv(4096)
        assert received, f"the proxy closed during the handshake: {answer!r}"
        answer += received
    assert answer.startswith(b"HTTP/1.1 101 ") and ACCEPT in answer, answer
    return opened


def echo(sockets: list[socket.socket], echoes: int) -> None:
    """Have so many messages echoed, at most one under way on each socket; every echo is compared."""
    by_number = {opened.fileno(): opened for opened in sockets}
    partial = dict.fromkeys(by_number, b"")
    poll = select.epoll()
    for number in by_number:
        poll.register(number, select.EPOLLIN)
    sent = received = 0
    for opened in sockets[:echoes]:
        opened.sendall(MESSAGE)
        sent += 1
    while received < echoes:
        for number, _event in poll.poll():
            opened = by_number[number]
            data = partial[number] + opened.recv(4096)
            if data != ECHO:
                assert len(data) > len(partial[number]) and ECHO.startswith(data), data
                partial[number] = data
                continue
            partial[number] = b""
            received += 1
            if sent < echoes:
                opened.sendall(MESSAGE)
                sent += 1
    poll.close()


def main(what: str, count: int, echoes: int = 0) -> None:
    """Measure one thing once."""
    signal.alarm(SECONDS)
    wait_for(3000)
    wait_for(80)
    before = memory()
    sockets = [websocket() for _ in range(count)]
    if what == "idle":
        echo(sockets, count)
        time.sleep(1)
        print((memory() - before) / count)
        return
    echo(sockets, WARM_UP * count)
    start = cpu()
    echo(sockets, echoes)
    print((cpu() - start) / echoes)


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
