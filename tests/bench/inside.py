"""Runs in a container: puts one proxy after the other before the echo backend and measures what WebSockets cost it.

Input is one line of JSON: {"rounds": 15, "kinds": {KIND: EVERY, …}, "proxies": {NAME: {"files": {PATH: TEXT},
"command": [WORD, …]}, …}}. Output is {NAME: {KIND: [NUMBER, …], …}, …}, a number for each EVERY rounds. "echo" is the
CPU time in ns of one 128-byte echo; the others are the bytes of memory of one idle socket, opened with a "browser"'s
handshake, with the shortest possible ("minimal"), or with a browser's over "tls", which counts nginx's workers alone.

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

PROXIES = {"nginx", "haproxy"}
BACKEND = ["node", "/websocket_echo/websocket_echo.js", "127.0.0.1", "3000"]
ECHO_SOCKETS = 200
WARM_UP = 2_000
ECHOES = 20_000
IDLE_SOCKETS = 3_000
TLS_SOCKETS = 2_000
SECONDS = 900  # for everything

# nginx takes memory for a request in blocks of 4 KiB, so where a handshake just fits in shows as a whole block.
MINIMAL = """GET / HTTP/1.1
Host: example.com
Upgrade: websocket
Connection: Upgrade
Sec-WebSocket-Version: 13
Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==

"""
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
PAYLOAD = bytes(range(128))
MASK = b"\x37\xfa\x21\x3d"
# RFC 6455 5.2: one final binary frame of 128 bytes, masked from the client, plain from the server.
MESSAGE = b"\x82\xfe\x00\x80" + MASK + bytes(byte ^ MASK[index % 4] for index, byte in enumerate(PAYLOAD))
ECHO = b"\x82\x7e\x00\x80" + PAYLOAD


def proxy_processes() -> list[Path]:
    """Return the folders in /proc of all processes of the proxy: in this container nothing else has its name."""
    return [folder for folder in Path("/proc").glob("[0-9]*") if (folder / "comm").read_text().strip() in PROXIES]


def cpu() -> int:
    """Return the CPU time that the proxy has had so far, user and system, in ns."""
    return sum(int(thread.read_text().split()[0])
               for process in proxy_processes() for thread in process.glob("task/*/schedstat"))


def memory(title: str = "") -> int:
    """Return the memory of the proxy's processes with that TITLE in bytes, each shared page divided among its users."""
    return sum(int(re.findall(r"^Pss: +([0-9]+) kB", (process / "smaps_rollup").read_text(), re.M)[0]) * 1024
               for process in proxy_processes() if title in (process / "cmdline").read_text())


@contextlib.contextmanager
def running(command: list[str], port: int) -> Iterator[None]:
    """Run a server from when it listens on PORT until the block ends."""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
        try:
            while not listens(port):
                assert process.poll() is None, f"{command[0]} ended by itself"
                time.sleep(0.02)
            time.sleep(0.2)
            yield
        finally:
            process.terminate()


def listens(port: int) -> bool:
    """Tell whether something listens on PORT."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def websockets(count: int, handshake: str, tls: ssl.SSLContext | None = None) -> Iterator[list[socket.socket]]:
    """Open WebSockets through the proxy for as long as the block runs."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(websocket(handshake, tls)) for _each in range(count)]


def websocket(handshake: str, tls: ssl.SSLContext | None) -> socket.socket:
    """Open one WebSocket through the proxy."""
    opened = socket.create_connection(("127.0.0.1", 443 if tls else 80), timeout=10)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if tls:
        opened = tls.wrap_socket(opened, server_hostname="example.com")
    opened.sendall(handshake.replace("\n", "\r\n").encode())
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        received = opened.recv(4096)
        assert received, f"the proxy closed during the handshake: {answer!r}"
        answer += received
    assert answer.startswith(b"HTTP/1.1 101 ") and ACCEPT in answer, answer
    return opened


def echo(sockets: list[socket.socket], echoes: int) -> None:
    """Have so many messages echoed, at most one under way on each socket; each echo is compared."""
    by_number = {opened.fileno(): opened for opened in sockets}
    partial = dict.fromkeys(by_number, b"")
    with select.epoll() as poll:
        for number in by_number:
            poll.register(number, select.EPOLLIN)
        for opened in sockets[:echoes]:
            opened.sendall(MESSAGE)
        sent, received = len(sockets[:echoes]), 0
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


def cpu_per_echo() -> float:
    """Return the proxy's CPU time for one echo in ns, with one message under way on each socket."""
    with websockets(ECHO_SOCKETS, BROWSER) as sockets:
        echo(sockets, WARM_UP)
        before = cpu()
        echo(sockets, ECHOES)
        return (cpu() - before) / ECHOES


def memory_per_socket(handshake: str) -> float:
    """Return the proxy's memory in bytes for one socket that echoed once and now is idle."""
    before = memory()
    with websockets(IDLE_SOCKETS, handshake) as sockets:
        echo(sockets, IDLE_SOCKETS)
        time.sleep(0.5)
        return (memory() - before) / IDLE_SOCKETS


def memory_per_tls_socket() -> float:
    """Return the memory of nginx's workers in bytes for one socket over TLS 1.3 that echoed once and now is idle."""
    tls = ssl.create_default_context()
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    tls.minimum_version = ssl.TLSVersion.TLSv1_3
    # A worker has its master's title until it sets its own.
    while not (before := memory("worker process")):
        time.sleep(0.02)
    with websockets(TLS_SOCKETS, BROWSER, tls) as sockets:
        echo(sockets, TLS_SOCKETS)
        time.sleep(0.5)
        return (memory("worker process") - before) / TLS_SOCKETS


MEASURES = {"echo": cpu_per_echo, "browser": lambda: memory_per_socket(BROWSER),
            "minimal": lambda: memory_per_socket(MINIMAL), "tls": memory_per_tls_socket}


def serve(files: dict[str, str], command: list[str]) -> contextlib.AbstractContextManager[None]:
    """Put the files of a proxy in their places and run it."""
    for path, text in files.items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(text)
    return running(command, 80)


def main() -> None:
    """Measure all proxies in rounds, each round in another order."""
    def too_long(_signal: int, _frame: object) -> None:
        sys.exit(f"stopped after {SECONDS} s")

    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(SECONDS)
    task = json.loads(sys.stdin.readline())
    names = list(task["proxies"])
    results: dict[str, dict[str, list[float]]] = {name: {kind: [] for kind in task["kinds"]} for name in names}
    os.makedirs("/run/websocket_proxy", mode=0o700, exist_ok=True)
    Path("/etc/nginx/sites-enabled/default").unlink(missing_ok=True)
    with running(BACKEND, 3000):
        for number in range(task["rounds"]):
            print(f"edge: round {number + 1} of {task['rounds']}", file=sys.stderr, flush=True)
            first = number % len(names)
            for name in names[first:] + names[:first]:
                for kind, every in task["kinds"].items():
                    if number % every == 0:
                        with serve(**task["proxies"][name]):
                            results[name][kind].append(MEASURES[kind]())
                for path in task["proxies"][name]["files"]:
                    os.unlink(path)
    print(json.dumps(results))


if __name__ == "__main__":
    main()
