"""Real applications behind the edge, over TLS on another port than 443: they accept their own Origin, and no other.

Users name the port on which nginx listens, or one that a firewall maps to it.

Only ``make soak`` collects this module: it installs the applications.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import ssl
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.support.container import CHECKOUT
from tests.support.edge import Edge
from tests.support.ports import free_port
from tests.support.releases import NEWEST
from tests.support.waiting import wait_until

FOLDER = CHECKOUT / "tests/support/applications"
CACHE = CHECKOUT / ".cache/applications"
NAME = "app.example.com"
PREFIXES = pytest.mark.parametrize("prefix", ["", "/tools"], ids=["root", "prefix"])


@pytest.fixture(scope="module")
def programs() -> Path:
    """Install the applications; give the folder of their programs."""
    uv = CHECKOUT / ".cache/uv/bin/uv"
    subprocess.run([uv, "venv", "--quiet", "--allow-existing", CACHE], check=True)
    subprocess.run([uv, "pip", "install", "--quiet", "--python", CACHE / "bin/python", "--requirements",
                    FOLDER / "requirements.txt"], check=True)
    return CACHE / "bin"


class Site:
    """One application behind the edge."""

    def __init__(self, edge: Edge, named: int = 0) -> None:
        self.edge = edge
        self.port = free_port()
        self.named = named or self.port
        self.backend = free_port()
        self.origin = f"https://{NAME}:{self.named}"
        self.foreign = ["https://evil.example.com", f"https://{NAME}", f"https://{NAME}:{self.named + 1}"]

    def serve(self, *servers: str, upstream: Mapping[str, Any] | None = None, **keys: Any) -> None:
        """Serve it on a port of 127.0.0.1."""
        self.edge.stop()
        self.edge.start({
            "upstreams": [{"name": "app", "servers": list(servers) or [f"127.0.0.1:{self.backend}"],
                           **(upstream or {})}],
            "sites": [{"server_names": [NAME], "listen": [f"127.0.0.1:{self.port}"],
                       "tls": {"self_signed": True, "redirect": False},
                       **(keys if "locations" in keys else {"upstream": "app", **keys})}]})

    @contextmanager
    def running(self, *command: object, port: int = 0, unix: str = "") -> Iterator[None]:
        """Run the application until the end of the block."""
        # Streamlit asks a site on the Internet for its own address when it meets a foreign origin.
        nowhere = dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9")
        process = subprocess.Popen([str(word) for word in command], cwd=FOLDER, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                   env={**os.environ, **nowhere})
        try:
            def up() -> bool:
                with socket.socket(socket.AF_UNIX if unix else socket.AF_INET) as probe:
                    return probe.connect_ex(unix or ("127.0.0.1", port or self.backend)) == 0

            wait_until(lambda: up() or process.poll() is not None, 60)
            assert process.poll() is None, process.stdout and process.stdout.read()
            yield
        finally:
            process.terminate()
            process.wait(20)

    def get(self, path: str, data: bytes | None = None, **headers: str) -> tuple[int, str]:
        """Ask for a path, with DATA in a POST; return the status and the body."""
        status, body, _cookie = self.ask(path, data, **headers)
        return status, body

    def ask(self, path: str, data: bytes | None = None, **headers: str) -> tuple[int, str, str]:
        """Return the status, the body and the cookies of an answer."""
        context = self._context()
        connection = http.client.HTTPSConnection(NAME, self.named, context=context)
        connection.sock = context.wrap_socket(self._connected(), server_hostname=NAME)
        with closing(connection):
            connection.request("GET" if data is None else "POST", path, data, headers)
            answer = connection.getresponse()
            cookies = [one.split(";")[0] for one in answer.headers.get_all("Set-Cookie") or []]
            return answer.status, answer.read().decode(), "; ".join(cookies)

    def _connected(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def open(self, path: str, origin: str = "", **how: Any) -> ClientConnection:
        """Open a WebSocket as a browser with a page of ORIGIN does."""
        return connect(f"wss://{NAME}:{self.named}{path}", sock=self._connected(),
                       ssl=self._context(), origin=origin or self.origin, open_timeout=60, **how)

    def refused(self, path: str, origins: Sequence[str] = (), **how: Any) -> set[int]:
        """Return the statuses with which handshakes from pages of other sites are refused."""
        statuses = set()
        for origin in origins or self.foreign:
            with pytest.raises(InvalidStatus) as refusal:
                self.open(path, origin=origin, **how)
            statuses.add(refusal.value.response.status_code)
        return statuses

    @staticmethod
    def _context() -> ssl.SSLContext:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context


@pytest.fixture(name="site", params=[0, 8443], ids=["own-port", "mapped-port"])
def site_(serving: Edge, request: pytest.FixtureRequest) -> Iterator[Site]:
    """Give a site without an application."""
    yield Site(serving, request.param)
    serving.stop()


@NEWEST
@PREFIXES
def test_django_takes_a_form_and_a_websocket_of_its_own_origin(site: Site, programs: Path, prefix: str) -> None:
    site.serve(locations=[{"path": f"{prefix}/", "upstream": "app"}])
    with site.running(programs / "daphne", "--port", site.backend, f"--root-path={prefix}", "django_app:application"):
        token = site.get(f"{prefix}/form")[1]
        how = {"Cookie": f"csrftoken={token}", "X-CSRFToken": token}
        assert site.get(f"{prefix}/form", b"", **how, Origin=site.origin) == (200, "taken")
        for origin in site.foreign:
            assert site.get(f"{prefix}/form", b"", **how, Origin=origin)[0] == 403
        with site.open(f"{prefix}/ws") as connection:
            connection.send("x")
            assert connection.recv(10) == "x"
        # Channels compares names, and no ports.
        assert site.refused(f"{prefix}/ws", site.foreign[:1]) == {403}


@NEWEST
def test_a_client_leads_django_past_no_location(site: Site, programs: Path) -> None:
    site.serve(locations=[{"path": "/form", "match": "exact", "respond": {"status": 403}},
                          {"path": "/", "upstream": "app"}])
    with site.running(programs / "daphne", "--port", site.backend, "django_app:application"):
        assert site.get("/form")[0] == 403
        # Daphne takes this prefix off the path, whoever sends it.
        assert site.get("/x/form", **{"Daphne-Root-Path": "/x"})[0] == 404


@NEWEST
@PREFIXES
def test_streamlit_takes_a_websocket_of_its_own_origin(site: Site, programs: Path, prefix: str) -> None:
    site.serve(locations=[{"path": f"{prefix}/", "upstream": "app"}])
    with site.running(programs / "streamlit", "run", "streamlit_app.py", "--server.port", site.backend,
                      "--server.address", "127.0.0.1", "--server.headless", "true",
                      "--browser.gatherUsageStats", "false", "--server.baseUrlPath", prefix):
        assert "Streamlit" in site.get(f"{prefix}/")[1]
        with site.open(f"{prefix}/_stcore/stream", subprotocols=["streamlit"]) as connection:
            # BackMsg.rerun_script: the page asks for its contents.
            connection.send(b"Z\0")
            while b"hello" not in connection.recv(60):
                pass
        assert site.refused(f"{prefix}/_stcore/stream", subprotocols=["streamlit"]) == {403}


@NEWEST
@PREFIXES
def test_bokeh_takes_a_websocket_of_the_origin_that_it_is_told(site: Site, programs: Path, prefix: str) -> None:
    site.serve(locations=[{"path": f"{prefix}/", "upstream": "app"}])
    with site.running(programs / "bokeh", "serve", "bokeh_app.py", "--port", site.backend, "--address", "127.0.0.1",
                      "--allow-websocket-origin", f"{NAME}:{site.named}", f"--prefix={prefix}"):
        found = re.search(r'"token":"([^"]+)"', site.get(f"{prefix}/bokeh_app")[1])
        assert found
        protocols = ["bokeh", found[1]]
        with site.open(f"{prefix}/bokeh_app/ws", subprotocols=protocols) as connection:
            assert json.loads(connection.recv(10))["msgtype"] == "ACK"
        assert site.refused(f"{prefix}/bokeh_app/ws", subprotocols=protocols) == {403}


@NEWEST
@PREFIXES
def test_jupyter_runs_code_for_its_own_origin(site: Site, programs: Path, prefix: str) -> None:
    site.serve(locations=[{"path": f"{prefix}/", "upstream": "app", "buffering": False,
                           "client_max_body_size": "100m"}])
    with site.running(programs / "jupyter", "server", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1",
                      f"--ServerApp.port={site.backend}", "--IdentityProvider.token=secret",
                      "--ServerApp.allow_remote_access=True", f"--ServerApp.base_url={prefix}/"):
        status, answer = site.get(f"{prefix}/api/kernels", b"{}", Authorization="token secret")
        assert status == 201, answer
        channels = f"{prefix}/api/kernels/{json.loads(answer)['id']}/channels"
        # As a browser: with a cookie, because who shows a token may come from any origin.
        login = {"Cookie": site.ask(f"{prefix}/api?token=secret")[2]}
        with site.open(channels, additional_headers=login) as connection:
            connection.send(json.dumps({
                "header": {"msg_id": "1", "msg_type": "execute_request", "session": "s", "username": "",
                           "version": "5.0"},
                "parent_header": {}, "metadata": {}, "channel": "shell",
                "content": {"code": "print(6 * 7)", "silent": False}}))
            while (message := json.loads(connection.recv(60)))["msg_type"] != "stream":
                pass
            assert message["content"]["text"] == "42\n"
        assert site.refused(channels, additional_headers=login) == {403}


@NEWEST
def test_socketio_on_several_servers_keeps_each_client_at_its_own(site: Site, programs: Path) -> None:
    ports = [free_port(), free_port()]
    site.serve(*(f"127.0.0.1:{port}" for port in ports), upstream={"load_balancing": {"sticky": {"cookie": "route"}}},
               locations=[{"path": "/socket.io/", "upstream": "app", "buffering": False}])
    with ExitStack() as stack:
        for port in ports:
            stack.enter_context(site.running(
                programs / "uvicorn", "socketio_app:application", "--port", port, port=port))
        for _client in range(8):
            path = "/socket.io/?EIO=4&transport=polling"
            _status, body, cookie = site.ask(path, Origin=site.origin)
            path += f"&sid={json.loads(body[1:])['sid']}"
            how = {"Origin": site.origin, "Cookie": cookie}
            assert site.get(path, b"40", **how) == (200, "OK")
            assert site.get(path, **how)[0] == 200
            assert site.get(path, b'420["message","x"]', **how) == (200, "OK")
            assert '"x"' in site.get(path, **how)[1]
        assert site.get("/socket.io/?EIO=4&transport=polling", Origin="https://evil.example.com")[0] == 400
