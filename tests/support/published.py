"""A real application behind the edge, over TLS on a port other than 443, as users publish it."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import socket
import ssl
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import pytest
import yaml
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from .container import CHECKOUT
from .edge import Edge
from .ports import free_port
from .waiting import wait_until

PROGRAMS = Path(__file__).parent / "applications"
NAME = "app.example.com"
TABLE = {one["name"]: one for one in yaml.safe_load((CHECKOUT / "docs/applications.yml").read_text())}


def _is_up(port: int, unix: str = "") -> bool:
    with socket.socket(socket.AF_UNIX if unix else socket.AF_INET) as probe:
        return probe.connect_ex(unix or ("127.0.0.1", port)) == 0


def installed(requirements: str) -> Path:
    """Install the packages of a requirements file in their own virtual environment; return its folder of programs."""
    uv, folder = CHECKOUT / ".cache/uv/bin/uv", CHECKOUT / ".cache/applications" / requirements
    subprocess.run([uv, "venv", "--quiet", "--allow-existing", folder], check=True)
    subprocess.run([uv, "pip", "install", "--quiet", "--python", folder / "bin/python", "--requirements",
                    PROGRAMS / f"{requirements}.txt"], check=True)
    return folder / "bin"


class WebSocket:
    """An open WebSocket, without threads.

    websockets.sync reads in one thread and writes in another. Before Python 3.13, TLS has no lock for that.
    """

    def __init__(self, runner: asyncio.Runner, connection: ClientConnection) -> None:
        self._runner = runner
        self._connection = connection

    def send(self, message: str | bytes) -> None:
        """Send a message."""
        self._runner.run(self._connection.send(message))

    def recv(self, seconds: float) -> str | bytes:
        """Wait for a message."""
        return self._runner.run(asyncio.wait_for(self._connection.recv(), seconds))

    def close(self) -> None:
        """Close the WebSocket."""
        self._runner.run(self._connection.close())


class Published:
    """One application; its URLs have the port that nginx listens on, or one that a firewall maps to this port."""

    def __init__(self, edge: Edge, named: int = 0) -> None:
        self.edge = edge
        self.port = free_port()
        self.named = named or self.port
        self.backend = free_port()
        self.origin = f"https://{NAME}:{self.named}"
        self.foreign = ["https://evil.example.com", f"https://{NAME}", f"https://{NAME}:{self.named + 1}"]

    def serve(self, *servers: str, upstream: Mapping[str, Any] | None = None,
              others: Sequence[Mapping[str, Any]] = (), **keys: Any) -> None:
        """Serve the application on a port of 127.0.0.1, with OTHERS as further upstreams."""
        self.edge.stop()
        self.edge.start({
            "upstreams": [{"name": "app", "servers": list(servers) or [f"127.0.0.1:{self.backend}"],
                           **(upstream or {})}, *others],
            "sites": [{"server_names": [NAME], "listen": [f"127.0.0.1:{self.port}"],
                       "tls": {"self_signed": True, "redirect": False},
                       **(keys if "locations" in keys else {"upstream": "app", **keys})}]})

    def serve_as_documented(self, application: str, prefix: str = "", *servers: str, **more: Any) -> None:
        """Serve the application with its keys from docs/applications.yml, at the root of its site or below a PREFIX."""
        said = TABLE[application]
        location = {**said.get("location", {}), **(said.get("below_prefix", {}) if prefix else {}), **more}
        self.serve(*servers, upstream=said.get("upstream"), locations=[
            {"path": f"{prefix}{location.pop('path', '/')}", "upstream": "app", **location}])

    @contextmanager
    def running(self, *command: object, unix: str = "", seconds: int = 60, **environment: str) -> Iterator[None]:
        """Run the application until the end of the block."""
        with self.running_on(self.backend, *command, unix=unix, seconds=seconds, **environment):
            yield

    @staticmethod
    @contextmanager
    def running_on(port: int, *command: object, unix: str = "", seconds: int = 60,
                   **environment: str) -> Iterator[None]:
        """Run an application that listens on a PORT until the end of the block."""
        # Streamlit asks a site on the Internet for its own address when a foreign origin connects. With these proxies,
        # it reaches no site.
        nowhere = dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9")
        # NiceGUI behaves differently if pytest runs it.
        ours = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
        with NamedTemporaryFile("w+", suffix=".log") as log:
            process = subprocess.Popen([str(word) for word in command], cwd=PROGRAMS, stdin=subprocess.DEVNULL,
                                       stdout=log, stderr=subprocess.STDOUT,
                                       env={**ours, **nowhere, **environment})
            try:
                wait_until(lambda: _is_up(port, unix) or process.poll() is not None, seconds)
                assert process.poll() is None, Path(log.name).read_text()
                yield
            finally:
                process.terminate()
                process.wait(20)

    @contextmanager
    def running_on_the_edge(self, command: str, seconds: int = 60) -> Iterator[None]:
        """Run an application from a Debian package on the edge itself until the end of the block."""
        shell = self.edge.container.shell
        pid = shell(f"setsid sh -c 'exec {command}' > /tmp/application.log 2>&1 & echo $!").strip()
        try:
            wait_until(lambda: _is_up(self.backend) or self.edge.container.run(f"kill -0 {pid}")[0] != 0, seconds)
            assert _is_up(self.backend), shell("cat /tmp/application.log")
            yield
        finally:
            self.edge.container.run(f"pkill -TERM -s {pid}; sleep 1; pkill -KILL -s {pid}")

    def client(self, programs: Path, script: str, *arguments: object) -> Any:
        """Run a client for the application's own protocol; return the JSON that it prints."""
        done = subprocess.run([programs / "python", PROGRAMS / script, NAME, str(self.port), *map(str, arguments)],
                              capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def get(self, path: str, data: bytes | None = None, **headers: str) -> tuple[int, str]:
        """Request a path, by POST if there is DATA; return the status and the body."""
        status, body, _cookie = self.ask(path, data, **headers)
        return status, body

    def ask(self, path: str, data: bytes | None = None, method: str = "", **headers: str) -> tuple[int, str, str]:
        """Request a path; return the status, the body and the cookies of the answer."""
        context = self._context()
        connection = http.client.HTTPSConnection(NAME, self.named, context=context)
        connection.sock = context.wrap_socket(self._connected(), server_hostname=NAME)
        with closing(connection):
            connection.request(method or ("GET" if data is None else "POST"), path, data, headers)
            answer = connection.getresponse()
            cookies = [one.split(";")[0] for one in answer.headers.get_all("Set-Cookie") or []]
            return answer.status, answer.read().decode(errors="replace"), "; ".join(cookies)

    def _connected(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=60)

    @contextmanager
    def open(self, path: str, origin: str = "", **how: Any) -> Iterator[WebSocket]:
        """Open a WebSocket as a browser with a page of ORIGIN does."""
        with asyncio.Runner() as runner:
            async def opened() -> ClientConnection:
                return await connect(f"wss://{NAME}:{self.named}{path}", sock=self._connected(), ssl=self._context(),
                                     origin=origin or self.origin, open_timeout=60, proxy=None, **how)

            socket_ = WebSocket(runner, runner.run(opened()))
            try:
                yield socket_
            finally:
                socket_.close()

    def refused(self, path: str, origins: Sequence[str] = (), **how: Any) -> set[int]:
        """Return the statuses with which handshakes from pages of other sites are refused."""
        statuses = set()
        for origin in origins or self.foreign:
            with pytest.raises(InvalidStatus) as refusal, self.open(path, origin=origin, **how):
                pass
            statuses.add(refusal.value.response.status_code)
        return statuses

    @staticmethod
    def _context() -> ssl.SSLContext:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context
