"""A probe opens a WebSocket to a real server, and reports the answer of any other server."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import websockets.sync.server
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.wsedge.nginx.plugins.module_utils.probing import ProbeFailure, Result, Target, probe
from tests.support.backends import Backend
from tests.support.client import HANDSHAKE, SECONDS, fields, head_of
from tests.support.pki import Authority

NAME = "chat.example.com"


@contextlib.contextmanager
def served(handler: Callable[[Any], None], **options: Any) -> Iterator[str]:
    """Run a real WebSocket server; yield its address."""
    with websockets.sync.server.serve(handler, "127.0.0.1", 0, **options) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"127.0.0.1:{server.socket.getsockname()[1]}"
        finally:
            server.shutdown()


def echo(connection: Any) -> None:
    for message in connection:
        connection.send(message)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with served(echo, max_size=None) as address:
        yield address


def probed(address: str, url: str = f"ws://{NAME}/socket?a=b", **options: Any) -> Result:
    return probe(Target(url, connect_to=address, **{"timeout": SECONDS, **options}))


@contextlib.contextmanager
def answering(answer: bytes) -> Iterator[Backend]:
    """Run a server that sends the same ANSWER to every request, and closes."""
    def serve(backend: Backend, connection: socket.socket) -> None:
        backend.heads.append(head_of(connection))
        connection.sendall(answer)

    backend = Backend(serve)
    yield backend
    backend.close()


def failure(answer: bytes, **options: Any) -> str:
    """Return the error of the probe for an ANSWER."""
    with answering(answer) as backend, pytest.raises(ProbeFailure) as found:
        probed(backend.address, **options)
    assert str(found.value).startswith(f"ws://{NAME}/socket?a=b at 127.0.0.1:")
    return str(found.value).split(": ", 1)[1]


@pytest.mark.parametrize("expect", ["handshake", "pong", "echo"])
def test_a_websocket_that_answers_is_well(server: str, expect: str) -> None:
    result = probed(server, expect=expect)
    assert (result.status, result.address, result.subprotocol) == (101, server, "")
    assert result.headers["upgrade"] == "websocket" and 0 <= result.seconds < SECONDS
    assert result.message.startswith("websocket_probe ") if expect == "echo" else result.message == ""


def test_a_subprotocol_is_chosen() -> None:
    with served(echo, subprotocols=["chat.v2"]) as address:
        assert probed(address, subprotocols=["chat.v3", "chat.v2"]).subprotocol == "chat.v2"


@given(st.sampled_from([0, 1, 125, 126, 127, 65535, 65536, 200_000]))
def test_a_text_of_any_length_comes_back(server: str, length: int) -> None:
    assert probed(server, expect="echo", send="ü" * length).message == "ü" * length


def test_a_text_that_is_expected_may_come_after_others_and_in_pieces() -> None:
    def talk(connection: Any) -> None:
        connection.send("welcome")
        assert connection.recv() == "hello"
        connection.ping()
        connection.send(["rea", "dy, ", "steady"])
        connection.recv()

    with served(talk) as address:
        assert probed(address, expect="text", send="hello", text="ady, st").message == "ready, steady"


def test_the_request_is_what_a_client_sends() -> None:
    with answering(b"HTTP/1.1 404 No\r\n\r\n") as backend:
        probed(backend.address, url="ws://a.example:8080", origin="https://a.example", headers={"Cookie": "a=b"},
               status=404, subprotocols=["x", "y"])
        probed(backend.address, url="ws://[::1]/", host="b.example", status=404)
        first, second = backend.heads
    assert first.startswith(b"GET / HTTP/1.1\r\nHost: a.example:8080\r\n") and b"Host: b.example\r\n" in second
    told = dict(fields(first))
    assert {name.lower(): told[name.lower()] for name, _value in HANDSHAKE[:2]} == {
        name.lower(): value for name, value in HANDSHAKE[:2]}
    assert (told["origin"], told["cookie"], told["sec-websocket-protocol"]) == ("https://a.example", "a=b", "x, y")
    keys = {dict(fields(head))["sec-websocket-key"] for head in (first, second)}
    assert {len(key) for key in keys} == {24} and len(keys) == 2


OWN = b"Content-Type: text/html\r\nServer: nginx\r\n\r\n<html><hr><center>nginx</center></body></html>"


@pytest.mark.parametrize(("answer", "told"), [
    (b"HTTP/1.1 200 OK\r\nServer: nginx\r\n\r\n<html>",
     "expected 101, got 200 OK from behind nginx; the answer is a page"),
    (b"HTTP/1.1 308 Gone\r\nLocation: https://x/\r\n\r\n",
     "308 Gone to https://x/ from a server without a name; the server redirects, and a handshake does not follow "
     "redirects; use the address in Location"),
    (b"HTTP/1.1 403 Forbidden\r\nServer: Tornado\r\n\r\n",
     "403 Forbidden from Tornado; the handshake is refused, often because of Origin"),
    (b"HTTP/1.1 403 Forbidden\r\n" + OWN, "403 Forbidden from nginx itself; nginx refuses: allow, deny"),
    (b"HTTP/1.1 502 Bad Gateway\r\n" + OWN, "502 Bad Gateway from nginx itself; the backend cannot be reached"),
    (b"HTTP/1.1 599 \r\n\r\n", "expected 101, got 599  from a server without a name"),
    (b"", "no answer: the connection was closed; nginx closes the connection like this if no site has this name"),
    (b"SSH-2.0-OpenSSH\r\n", "the answer is not HTTP: b'SSH-2.0-OpenSSH"),
    (b"HTTP/1.1 101 Switching\r\nSec-WebSocket-Accept: x\r\n\r\n", "101, but Sec-WebSocket-Accept is not the answer"),
    (b"HTTP/1.1 many\r\n\r\n", "the answer is not HTTP"),
])
def test_what_came_instead_is_told_with_its_likely_cause(answer: bytes, told: str) -> None:
    assert told in failure(answer)


def test_another_status_may_be_the_one_that_is_expected() -> None:
    assert failure(b"HTTP/1.1 403 No\r\n\r\n", status=404).startswith("expected 404, got 403 No from")
    with answering(b"HTTP/1.1 403 No\r\nX-Why: origin\r\n\r\n") as backend:
        assert probed(backend.address, status=403).headers == {"x-why": "origin"}
    with served(echo) as address, pytest.raises(ProbeFailure, match="expected 403, got 101"):
        probed(address, status=403)


def test_a_websocket_that_says_nothing_or_something_else_is_told() -> None:
    def silent(connection: Any) -> None:
        connection.recv()

    def closing(connection: Any) -> None:
        connection.close(4001, "too late")

    with served(silent) as address, pytest.raises(
            ProbeFailure, match=r'opened \(101\), but no message with "x" arrived: nothing more arrived in time'):
        probed(address, expect="text", text="x", timeout=0.3)
    with served(closing) as address, pytest.raises(
            ProbeFailure, match=r"opened \(101\), but no echo came: the backend closed it with 4001 \(too late\)"):
        probed(address, expect="echo")


def test_a_failed_connection_is_reported() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = f"127.0.0.1:{closed.getsockname()[1]}"
    with pytest.raises(ProbeFailure, match=f"at {address}: the connection is refused: nothing listens there"):
        probed(address)
    with pytest.raises(ProbeFailure, match="the connection failed"):
        probed("unix:/nothing/here")


def test_tls_is_checked_and_told(tmp_path: Path) -> None:
    authority = Authority("probe")
    pair = authority.issue(NAME)
    files = {"ca.pem": authority.certificate, "both.pem": pair.certificate + pair.key}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "both.pem")
    ca = str(tmp_path / "ca.pem")
    with served(echo, ssl=context) as address:
        result = probed(address, url=f"wss://{NAME}/", ca_path=ca)
        assert result.tls_version == "TLSv1.3" and result.certificate_expires.startswith("20")
        assert probed(address, url="wss://other.example/", validate_certs=False).certificate_expires == ""
        with pytest.raises(ProbeFailure, match="the certificate is not valid for this: Hostname mismatch"):
            probed(address, url="wss://other.example/", ca_path=ca)
        with pytest.raises(ProbeFailure, match="the certificate is not valid for this: "):
            probed(address, url=f"wss://{NAME}/")
    with served(echo) as address, pytest.raises(ProbeFailure, match="the port has no TLS"):
        probed(address, url=f"wss://{NAME}/", ca_path=ca)
