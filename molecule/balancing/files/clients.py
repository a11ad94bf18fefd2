"""Runs on the client host: opens WebSockets with a real library and keeps them; one JSON line in, one out."""

from __future__ import annotations

import json
import socket
import sys

from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

kept = []


def open_some(proxy: str, site: str, count: int = 1, path: str = "/whoami", cookie: str = "") -> list:
    """Open WebSockets; return for each the status, the backend's name and the cookie that came with the answer."""
    answers = []
    for _socket in range(count):
        try:
            way = socket.create_connection((proxy, 80), timeout=10)
            # Or the library would take silence for the end.
            way.settimeout(None)
            opened = connect(f"ws://{site}{path}", sock=way, proxy=None, open_timeout=10,
                             additional_headers={"Cookie": cookie} if cookie else None)
        except InvalidStatus as refusal:
            answers.append((refusal.response.status_code, "", ""))
            continue
        backend = json.loads(opened.recv(timeout=10))["instance"].split(":")[0]
        kept.append((opened, backend))
        answers.append((101, backend, opened.response.headers.get("Set-Cookie", "").split(";")[0]))
    return answers


def echo() -> dict:
    """Send a message on each kept WebSocket; return the backends of those that echo and of those that are closed."""
    found = {"alive": [], "dead": []}
    for number, (opened, backend) in enumerate(kept):
        try:
            opened.send(f"message {number}")
            alive = opened.recv(timeout=10) == f"message {number}"
        except ConnectionClosed:
            alive = False
        found["alive" if alive else "dead"].append(backend)
    return found


def close() -> None:
    """Close all."""
    for opened, _backend in kept:
        opened.close()
    kept.clear()


def main() -> None:
    """Answer until there are no more questions."""
    what = {"open": open_some, "echo": echo, "close": close}
    for line in sys.stdin:
        question = json.loads(line)
        print(json.dumps(what[question.pop("do")](**question)), flush=True)


if __name__ == "__main__":
    main()
