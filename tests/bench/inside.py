"""Runs in a container: puts each proxy in turn in front of the echo backend, and measures the cost of WebSockets.

Input is JSON: {"rounds": 15, "kinds": [KIND, …], "proxies": {NAME: {"plain": {"files": {PATH: TEXT}, "command":
[WORD, …], "port": 80}, "tls": {…}}, …}}. Output is {NAME: {KIND: [NUMBER, …], …}, …}, with one number for each round.

"echo", "mib" and "handshake" are CPU times in ns. "echo" is for one echo of 128 bytes. "mib" is for one MiB there and
back in messages of 64 KiB. "handshake" is for a WebSocket that is opened and closed.

"idle" and "idle_tls" are the bytes of memory for one idle socket. With "idle_tls", only the workers of nginx count.

The others are the milliseconds of a handshake, the median of many: "wait" without TLS and "wait_tls" with it.
"wait_heads" is beside clients that have sent half a request head. "wait_handshakes" is beside clients that have begun
a TLS handshake.

Debian 11 has Python 3.9.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

PROXIES = {"nginx", "haproxy", "caddy"}
BACKEND = ["node", "/websocket_echo/websocket_echo.js", "127.0.0.1", "3000"]
ECHO_SOCKETS = 200
WARM_UP = 2_000
ECHOES = 20_000
LARGE_SOCKETS = 8
LARGE_ECHOES = 1_024
HANDSHAKES = 1_000
IDLE_SOCKETS = 3_000
TLS_SOCKETS = 2_000
WAITS = 300
HALF_HEADS = 10_000
HALF_HANDSHAKES = 2_000
SECONDS = 3_000  # for the whole run

BROWSER = """GET / HTTP/1.1
Host: example.com
Connection: Upgrade
Pragma: no-cache
Cache-Control: no-cache
User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36
Upgrade: websocket
Origin: http://example.com
Sec-WebSocket-Version: 13
Accept-Encoding: gzip, deflate
Accept-Language: en-US,en;q=0.9
Cookie: session=0123456789abcdef0123456789abcdef
Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==
Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits

"""
ACCEPT = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
MASK = b"\x37\xfa\x21\x3d"


def frames(payload: bytes) -> tuple[bytes, bytes]:
    """Return a message and its echo, each as one final binary frame; only the client masks it (RFC 6455 5.2)."""
    size = len(payload)
    masked = (int.from_bytes(payload, "big") ^ int.from_bytes(MASK * (size // 4), "big")).to_bytes(size, "big")
    length = b"\x7e" + size.to_bytes(2, "big") if size < 65536 else b"\x7f" + size.to_bytes(8, "big")
    return b"\x82" + bytes([length[0] | 0x80]) + length[1:] + MASK + masked, b"\x82" + length + payload


SMALL = frames(bytes(range(128)))
LARGE = frames(bytes(range(256)) * 256)


def proxy_processes() -> list[Path]:
    """Return the folders in /proc of all processes of the proxy; nothing else in this container has its name."""
    return [folder for folder in Path("/proc").glob("[0-9]*") if (folder / "comm").read_text().strip() in PROXIES]


def cpu() -> int:
    """Return the CPU time that the proxy has used so far, user and system, in ns."""
    return sum(int(thread.read_text().split()[0])
               for process in proxy_processes() for thread in process.glob("task/*/schedstat"))


def memory(title: str = "") -> int:
    """Return the memory in bytes of the proxy's processes with that TITLE; a shared page is divided among its users."""
    return sum(int(re.findall(r"^Pss: +([0-9]+) kB", (process / "smaps_rollup").read_text(), re.M)[0]) * 1024
               for process in proxy_processes() if title in (process / "cmdline").read_text())


@contextlib.contextmanager
def running(command: list[str], port: int) -> Iterator[None]:
    """Run a server until the block ends; the block begins when the server listens on PORT."""
    quiet = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
    with subprocess.Popen(command, **quiet) as process:
        try:
            while not listens(port):
                assert process.poll() is None, f"{command[0]} ended by itself"
                time.sleep(0.02)
            time.sleep(0.2)
            yield
        finally:
            process.terminate()


def listens(port: int) -> bool:
    """Return whether a server listens on PORT."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def websockets(count: int, tls: ssl.SSLContext | None = None) -> Iterator[list[socket.socket]]:
    """Open COUNT WebSockets through the proxy, which stay open until the block ends."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(websocket(tls)) for _each in range(count)]


def websocket(tls: ssl.SSLContext | None = None) -> socket.socket:
    """Open one WebSocket through the proxy."""
    opened = socket.create_connection(("127.0.0.1", 443 if tls else 80), timeout=10)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if tls:
        opened = tls.wrap_socket(opened, server_hostname="example.com")
    opened.sendall(BROWSER.replace("\n", "\r\n").encode())
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        received = opened.recv(4096)
        assert received, f"the proxy closed during the handshake: {answer!r}"
        answer += received
    assert answer.startswith(b"HTTP/1.1 101 ") and ACCEPT in answer, answer
    return opened


def echo(sockets: list[socket.socket], echoes: int, frame: tuple[bytes, bytes] = SMALL) -> None:
    """Send messages until there are so many ECHOES, at most one at a time on each socket; compare each echo."""
    message, expected = frame
    by_number = {opened.fileno(): opened for opened in sockets}
    partial = {number: bytearray() for number in by_number}
    with select.epoll() as poll:
        for number in by_number:
            poll.register(number, select.EPOLLIN)
        for opened in sockets[:echoes]:
            opened.sendall(message)
        sent, received = len(sockets[:echoes]), 0
        while received < echoes:
            for number, _event in poll.poll():
                opened, data = by_number[number], partial[number]
                piece = opened.recv(1 << 18)
                assert piece
                data += piece
                if len(data) < len(expected):
                    continue
                assert data == expected
                data.clear()
                received += 1
                if sent < echoes:
                    opened.sendall(message)
                    sent += 1


def cpu_per_echo() -> float:
    """Return the proxy's CPU time for one echo in ns, with one message under way on each socket."""
    with websockets(ECHO_SOCKETS) as sockets:
        echo(sockets, WARM_UP)
        before = cpu()
        echo(sockets, ECHOES)
        return (cpu() - before) / ECHOES


def cpu_per_mib() -> float:
    """Return the proxy's CPU time in ns for one MiB that goes there and back in messages of 64 KiB."""
    with websockets(LARGE_SOCKETS) as sockets:
        echo(sockets, LARGE_SOCKETS, LARGE)
        before = cpu()
        echo(sockets, LARGE_ECHOES, LARGE)
        return (cpu() - before) / LARGE_ECHOES * 16


def cpu_per_handshake() -> float:
    """Return the proxy's CPU time in ns for one WebSocket that is opened and closed."""
    for _warm_up in range(50):
        websocket().close()
    before = cpu()
    for _handshake in range(HANDSHAKES):
        websocket().close()
    time.sleep(0.2)
    return (cpu() - before) / HANDSHAKES


def memory_per_socket() -> float:
    """Return the proxy's memory in bytes for one socket that echoed once and is now idle."""
    before = memory()
    with websockets(IDLE_SOCKETS) as sockets:
        echo(sockets, IDLE_SOCKETS)
        time.sleep(0.5)
        return (memory() - before) / IDLE_SOCKETS


def memory_per_tls_socket() -> float:
    """Return the proxy's memory in bytes for one socket over TLS 1.3 that echoed once and is now idle.

    For nginx, only the memory of the workers counts.
    """
    tls = unverified()
    tls.minimum_version = ssl.TLSVersion.TLSv1_3
    title = "worker process" if any("nginx" in (one / "comm").read_text() for one in proxy_processes()) else ""
    # A worker has its master's title until it sets its own.
    while not (before := memory(title)):
        time.sleep(0.02)
    with websockets(TLS_SOCKETS, tls) as sockets:
        echo(sockets, TLS_SOCKETS)
        time.sleep(0.5)
        return (memory(title) - before) / TLS_SOCKETS


def unverified() -> ssl.SSLContext:
    """Return a context that accepts any certificate."""
    tls = ssl.create_default_context()
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    return tls


def wait(tls: ssl.SSLContext | None = None) -> float:
    """Return the median time of a handshake in milliseconds."""
    found = []
    for _each in range(WAITS):
        began = time.perf_counter()
        websocket(tls).close()
        found.append(time.perf_counter() - began)
    return median(found) * 1000


def wait_beside(count: int, port: int, begun: bytes, tls: ssl.SSLContext | None = None) -> float:
    """Return the median time of a handshake beside COUNT clients that send BEGUN and then nothing more."""
    with contextlib.ExitStack() as stack:
        for _each in range(count):
            half = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
            half.sendall(begun)
        return wait(tls)


MEASURES = {
    "wait": ("plain", wait), "wait_tls": ("tls", lambda: wait(unverified())),
    "wait_heads": ("plain", lambda: wait_beside(HALF_HEADS, 80, b"GET / HTTP/1.1\r\nHost: example.com\r\nX-")),
    # The head of a TLS record, whose body never arrives.
    "wait_handshakes": ("tls", lambda: wait_beside(HALF_HANDSHAKES, 443, b"\x16\x03\x01\x02\x00", unverified())),
    "echo": ("plain", cpu_per_echo), "mib": ("plain", cpu_per_mib), "handshake": ("plain", cpu_per_handshake),
    "idle": ("plain", memory_per_socket), "idle_tls": ("tls", memory_per_tls_socket)}


@contextlib.contextmanager
def serve(files: dict[str, str], command: list[str], port: int) -> Iterator[None]:
    """Write the files of a proxy and run it until the block ends, then delete them."""
    for path, text in files.items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(text)
    try:
        with running(command, port):
            yield
    finally:
        for path in files:
            os.unlink(path)


def main() -> None:
    """Measure all proxies in rounds, each round in a different order."""
    def too_long(_signal: int, _frame: object) -> None:
        sys.exit(f"stopped after {SECONDS} s")

    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(SECONDS)
    task = json.load(sys.stdin)
    names = list(task["proxies"])
    results: dict[str, dict[str, list[float]]] = {name: {kind: [] for kind in task["kinds"]} for name in names}
    os.makedirs("/run/websocket_proxy", mode=0o700, exist_ok=True)
    Path("/etc/nginx/sites-enabled/default").unlink(missing_ok=True)
    with running(BACKEND, 3000):
        for number in range(task["rounds"]):
            print(f"round {number + 1} of {task['rounds']}", file=sys.stderr, flush=True)
            first = number % len(names)
            for name in names[first:] + names[:first]:
                for kind in task["kinds"]:
                    variant, measure = MEASURES[kind]
                    with serve(**task["proxies"][name][variant]):
                        results[name][kind].append(measure())
    print(json.dumps(results))


if __name__ == "__main__":
    main()
