"""The demo's client over TLS: it trusts only the given certificate."""

from __future__ import annotations

import asyncio
import itertools
import json
import ssl
import sys
from pathlib import Path
from subprocess import PIPE

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from tests.support.pki import Authority

CLIENT = Path(__file__).parents[1] / "demo/echo.py"
CA, OTHER_CA = Authority("tests"), Authority("others")


async def shown(name: str, trusted: Authority, folder: Path) -> tuple[int | None, str, str]:
    """Run the client, which trusts one CA, on a server with a certificate for NAME; return its status and output."""
    pair = CA.issue(name)
    (folder / "pair.pem").write_text(pair.key + pair.certificate)
    (folder / "trusted.pem").write_text(trusted.certificate)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(folder / "pair.pem")
    turns = itertools.count()

    def page(socket: ServerConnection, request: Request) -> Response | None:
        return None if "Upgrade" in request.headers else socket.respond(200, "<title>WebSocket echo</title>")

    async def echo(socket: ServerConnection) -> None:
        assert socket.request is not None
        if socket.request.path == "/whoami":
            await socket.send(json.dumps({"instance": f"backend{next(turns) % 2 + 1}:3000"}))
        async for message in socket:
            await socket.send(message)

    async with serve(echo, "127.0.0.1", 0, ssl=tls, process_request=page, max_size=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        client = await asyncio.create_subprocess_exec(
            sys.executable, CLIENT, f"wss://localhost:{port}/", folder / "trusted.pem", stdout=PIPE, stderr=PIPE)
        out, errors = await client.communicate()
    return client.returncode, out.decode(), errors.decode()


def test_the_echo_and_the_page_come_over_tls(tmp_path: Path) -> None:
    status, out, errors = asyncio.run(shown("localhost", CA, tmp_path))
    assert (status, errors) == (0, "")
    assert "TLSv1.3; the certificate for localhost is the one " in out
    assert "5 at backend1:3000, 5 at backend2:3000" in out
    assert " bytes from https://localhost:" in out


@pytest.mark.parametrize(("name", "trusted", "reason"), [
    ("localhost", OTHER_CA, "unable to get local issuer certificate"), ("other.test", CA, "Hostname mismatch")])
def test_another_certificate_is_not_trusted(name: str, trusted: Authority, reason: str, tmp_path: Path) -> None:
    status, out, errors = asyncio.run(shown(name, trusted, tmp_path))
    assert (status, out) == (1, "")
    assert errors.startswith("demo: no good echo from wss://localhost:")
    assert reason in errors
