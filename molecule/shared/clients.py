"""Script for a client's host: opens WebSockets to /whoami and keeps them; reads and prints one JSON line each time."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import sys
from typing import Any

# Not the threaded client: since Python 3.13, it cannot write to a TLS socket while it reads from it.
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

CA = "/usr/local/share/ca-certificates/tests.crt"
# Long enough for a busy machine.
SECONDS = 60

kept: list[tuple[ClientConnection, str]] = []


def context(verify: bool) -> ssl.SSLContext:
    """Return a TLS context that trusts the tests' CA, or any certificate."""
    made = ssl.create_default_context(cafile=CA if verify else None)
    if not verify:
        made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    return made


async def open_(url: str, count: int = 1, address: str = "", cookie: str = "", verify: bool = True) -> list[Any]:
    """Open WebSockets, optionally at another ADDRESS; return the status, backend, and new cookie of each."""
    answers = []
    for _socket in range(count):
        try:
            opened = await connect(
                url, host=address or url.split("/")[2], proxy=None, open_timeout=SECONDS, ping_interval=None,
                ssl=context(verify) if url.startswith("wss:") else None,
                additional_headers={"Cookie": cookie} if cookie else None)
        except InvalidStatus as refusal:
            answers.append((refusal.response.status_code, "", ""))
            continue
        assert opened.response
        backend = json.loads(await heard(opened))["instance"].split(":")[0]
        kept.append((opened, backend))
        answers.append((101, backend, opened.response.headers.get("Set-Cookie", "").split(";")[0]))
    return answers


async def heard(opened: ClientConnection) -> str | bytes:
    """Return the next message."""
    return await asyncio.wait_for(opened.recv(), SECONDS)


async def echo() -> dict[str, list[str]]:
    """Send a message on each kept WebSocket; return the backends of those that echo and of those that are closed."""
    found: dict[str, list[str]] = {"alive": [], "dead": []}
    for number, (opened, backend) in enumerate(kept):
        try:
            await opened.send(f"message {number}")
            alive = await heard(opened) == f"message {number}"
        except ConnectionClosed:
            alive = False
        found["alive" if alive else "dead"].append(backend)
    return found


async def close() -> None:
    """Close all WebSockets."""
    await asyncio.gather(*(opened.close() for opened, _backend in kept))
    kept.clear()


async def shown(name: str) -> str:
    """Return the certificate for a name in PEM form; empty if the handshake fails."""
    try:
        with socket.create_connection((name, 443), SECONDS) as way, context(False).wrap_socket(
                way, server_hostname=name) as connection:
            return ssl.DER_cert_to_PEM_cert(connection.getpeercert(binary_form=True) or b"")
    except OSError:
        return ""


def main() -> None:
    """Answer each line until the input ends."""
    what: dict[str, Any] = {"open": open_, "echo": echo, "close": close, "shown": shown}
    with asyncio.Runner() as runner:
        for line in sys.stdin:
            question = json.loads(line)
            print(json.dumps(runner.run(what[question.pop("do")](**question))), flush=True)


if __name__ == "__main__":
    main()
