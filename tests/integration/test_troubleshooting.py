"""The symptoms of docs/troubleshooting.md: each is caused here, and goes away with the remedy beside it there."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import Any

import pytest

from ansible_collections.wsedge.nginx.plugins.module_utils.probing import ProbeFailure, Target, probe
from tests.support.backends import PLAIN, SWITCHED, Backend, engineio_server, telling
from tests.support.client import Answer, Client, fields, get, head_of
from tests.support.container import CHECKOUT
from tests.support.edge import Edge
from tests.support.http2 import unverified
from tests.support.key_examples import HASH
from tests.support.ports import free_port
from tests.support.releases import NEWEST
from tests.support.served import UPGRADE, Served
from tests.support.waiting import wait_until

pytestmark = NEWEST
PAGE = CHECKOUT / "docs/troubleshooting.md"
MADE: set[str] = set()
EVENT = b"data: now\n\n"
PAUSE = 2.0
# RFC 6455 1.3
GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def symptom(*rows: str) -> Callable[[Any], Any]:
    """Record which rows of the page a test covers."""
    MADE.update(rows)
    return lambda test: test


def _application(backend: Backend, connection: socket.socket) -> None:
    """Act as an application that knows its name, its scheme, and its prefix only from the request headers."""
    while head := head_of(connection):
        backend.heads.append(head)
        path, told = head.split()[1].decode(), dict(fields(head))
        origin, upgrade = told.get("origin", ""), "upgrade" in told
        if told["host"].split(":")[0] != "a":
            answer = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"
        elif origin and origin.rpartition("/")[2] != told["host"]:
            answer = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"
        elif path == "/socket" and not upgrade:
            answer = b"HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n"
        elif path in ("/socket", "/silent", "/big-socket"):
            accept = base64.b64encode(hashlib.sha1((told["sec-websocket-key"] + GUID).encode()).digest())
            answer = SWITCHED[:-2] + b"Sec-WebSocket-Accept: " + accept + b"\r\nX-Big: " + b"x" * (
                5000 if path == "/big-socket" else 1) + b"\r\n\r\n"
        elif path == "/big":
            answer = (PLAIN % (2, b"ok")).replace(b"\r\n", b"\r\nX-Big: " + b"x" * 9000 + b"\r\n", 1)
        elif path == "/secure" and told["x-forwarded-proto"] != "https":
            answer = b"HTTP/1.1 302 Found\r\nLocation: https://a/secure\r\nContent-Length: 0\r\n\r\n"
        elif path == "/page":
            link = f'src="{told.get("x-forwarded-prefix", "")}/app.js"'.encode()
            answer = PLAIN % (len(link), link)
        elif path == "/slow":
            time.sleep(PAUSE)
            answer = PLAIN % (2, b"ok")
        elif path == "/events":
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n" + EVENT)
            time.sleep(PAUSE)
            return
        else:
            address = told.get("x-real-ip", "").encode()
            answer = PLAIN % (len(address), address)
        connection.sendall(answer)
        if answer.startswith(SWITCHED[:20]):
            while (data := connection.recv(65536)) and path != "/silent":
                connection.sendall(data)


@dataclass
class Setup(Served):
    """An edge with such an application, and nginx's logs of it."""

    application: Backend

    def start(self, *locations: dict[str, Any], server: str = "", site: dict[str, Any] | None = None,
              **role: Any) -> None:
        """Serve locations of the application, or one for all of its paths."""
        self.edge.container.shell("truncate -s 0 /var/log/nginx/*.log")
        self.application.forget()
        self.serve({"server_names": ["a"], "upstream": None, **(site or {}), "locations": [
            {"upstream": "app", **one} for one in locations or ({"path": "/"},)]},
            upstreams=[{"name": "app", "servers": [server or self.application.address]}], **role)

    def get(self, path: str, *headers: tuple[str, str]) -> Answer:
        """Send a plain request."""
        return get(self.address, "a", path, headers)

    def handshake(self, path: str, *headers: tuple[str, str], host: str = "a") -> Answer:
        """Send a handshake."""
        return get(self.address, host, path, [*UPGRADE, *headers])

    def logs(self, what: str, file: str = "error") -> bool:
        """Wait until nginx has logged something, which may take a moment; return True."""
        wait_until(lambda: what in self.edge.container.shell(f"cat /var/log/nginx/{file}.log"), 20)
        return True


@pytest.fixture(name="setup", scope="module")
def setup_(serving: Edge) -> Iterator[Setup]:
    """Start the application."""
    application = Backend(_application)
    with Setup.on(serving, application=application) as setup:
        yield setup
    application.close()


def test_each_row_of_the_page_is_made_here() -> None:
    rows = re.findall(r"^\| (?!what you see|---)(.+?) \|", PAGE.read_text(), re.MULTILINE)
    assert set(rows) == MADE


# --- the handshake fails


@symptom("403 behind nginx")
def test_an_application_that_is_told_another_name_refuses_its_own_origin(setup: Setup) -> None:
    setup.start({"path": "/", "host": "a:1"})
    assert setup.handshake("/socket", ("Origin", "http://a")).status == 403
    setup.start()
    assert setup.handshake("/socket", ("Origin", "http://a")).status == 101


@symptom("400 behind nginx")
def test_an_application_refuses_a_host_that_it_does_not_know(setup: Setup) -> None:
    setup.start({"path": "/", "host": "app.internal"})
    assert setup.handshake("/socket").status == 400
    setup.start()
    assert setup.handshake("/socket").status == 101


@symptom("403 with `allowed_origins`")
def test_a_page_of_another_origin_is_told_which_key_refuses_it(setup: Setup) -> None:
    setup.start({"path": "/", "allowed_origins": ["http://b"], "request_headers": {"Origin": None}})
    answer = setup.handshake("/socket", ("Origin", "http://a"))
    assert (answer.status, b"allowed_origins" in answer.body) == (403, True)
    setup.start({"path": "/", "allowed_origins": "same_host"})
    assert setup.handshake("/socket", ("Origin", "http://a")).status == 101


@symptom("403 from nginx itself, on port 80")
def test_a_site_with_tls_opens_no_socket_without(setup: Setup) -> None:
    setup.start(site={"tls": {"self_signed": True, "redirect_listen": [setup.other]}})
    answer = get(setup.other, "a", "/socket", UPGRADE)
    assert (answer.status, b"wss://a" in answer.body) == (403, True)


@symptom("400 from nginx itself")
def test_nginx_refuses_dots_and_other_upgrades(setup: Setup) -> None:
    setup.start({"path": "/socket"}, site={"other_upgrades": "reject"})
    for path in ("/x/../socket", "/socket#top"):
        assert setup.handshake(path).status == 400
    assert setup.get("/socket", ("Upgrade", "h2c")).status == 400
    assert setup.handshake("/socket").status == 101


@symptom("401 or 403 from nginx itself")
def test_a_guard_holds_for_a_socket_too(setup: Setup) -> None:
    for guard in ({"extra_config": "deny all;"}, {"deny": ["all"]}, {"allow": ["192.0.2.0/24"]}):
        setup.start({"path": "/", **guard})
        assert setup.handshake("/socket").status == 403
    setup.start({"path": "/", "auth": {"basic": {"users": {"alice": HASH}}}})
    assert setup.handshake("/socket").status == setup.get("/").status == 401
    setup.start({"path": "/", "extra_config": "auth_basic private; auth_basic_user_file /etc/nginx/nobody;"})
    assert setup.handshake("/socket").status == setup.get("/").status == 401


@symptom("404")
def test_a_path_without_a_location_is_not_found(setup: Setup) -> None:
    setup.start({"path": "/app/"})
    assert setup.handshake("/socket").status == 404
    setup.start({"path": "/app/", "strip_prefix": True})
    assert setup.handshake("/app/socket").status == 101


@symptom("429 from nginx itself")
def test_a_client_that_opens_too_much_is_told(setup: Setup) -> None:
    setup.start({"path": "/", "limits": {"handshakes_per_second": 1, "burst": 0}})
    assert [setup.handshake("/socket").status for _one in range(3)][1:] == [429, 429]
    setup.start()
    assert setup.handshake("/socket").status == 101


@symptom("426 from nginx itself", "426 behind nginx")
def test_who_has_to_upgrade_is_told(setup: Setup) -> None:
    setup.start({"path": "/", "websocket_only": True})
    assert setup.get("/socket").status == 426 and not setup.application.heads
    setup.start()
    # This is the rest of a handshake after a load balancer that does not support WebSockets.
    assert setup.get("/socket", *UPGRADE[1:]).status == 426
    assert setup.application.heads


@symptom("301, 302, 307 or 308")
def test_a_handshake_follows_no_redirect(setup: Setup) -> None:
    setup.start({"path": "/old", "match": "exact", "upstream": None, "redirect": {"to": "/socket"}}, {"path": "/"})
    answer = setup.handshake("/old")
    assert (answer.status, answer.headers["location"]) == (308, "/socket")


@symptom("`Empty reply from server`, no answer")
def test_a_name_of_no_site_has_no_answer(setup: Setup) -> None:
    setup.start()
    with Client(setup.address) as client:
        client.send("b", "/socket", UPGRADE)
        assert client.socket.recv(1) == b""
    setup.start(site={"listen": [{"address": "127.0.0.1", "port": int(setup.address.rpartition(":")[2]),
                                  "default_server": True}]})
    assert setup.handshake("/nothing", host="b").status == 400


# Accepts every handshake at a unix socket that only root may open.
TAKING = """import os, socket
listener = socket.socket(socket.AF_UNIX)
listener.bind("PATH")
os.chmod("PATH", 0o600)
listener.listen()
while True:
    listener.accept()[0].sendall(b"HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\n\\r\\n")
"""


@symptom("502, error log `Permission denied` on a unix socket")
def test_nginx_has_to_be_able_to_open_a_unix_socket(setup: Setup) -> None:
    path = "/run/tests.sock"
    setup.start(server=f"unix:{path}")
    setup.edge.container.write({"/tmp/taking.py": TAKING.replace("PATH", path)})
    pid = setup.edge.container.shell("python3 /tmp/taking.py > /dev/null 2>&1 & "
                                     f"until [ -S {path} ]; do sleep 0.05; done; echo $!").strip()
    try:
        assert setup.handshake("/socket").status == 502
        assert setup.logs(f"connect() to unix:{path} failed (13: Permission denied)")
        setup.edge.container.shell(f"chgrp www-data {path}; chmod 660 {path}")
        assert setup.handshake("/socket").status == 101
    finally:
        setup.edge.container.shell(f"kill {pid}; rm {path}")


@symptom("502, error log `Connection refused`")
def test_nothing_listens_at_the_address(setup: Setup) -> None:
    setup.start(server=f"127.0.0.1:{free_port()}")
    assert setup.handshake("/socket").status == 502
    assert setup.logs("failed (111: Connection refused)")


@symptom("502, error log `upstream sent too big header`")
def test_the_head_of_an_answer_needs_room(setup: Setup) -> None:
    setup.start()
    assert setup.handshake("/big-socket").status == 502
    assert setup.logs("upstream sent too big header")
    assert setup.get("/big").status == 502
    setup.start({"path": "/", "live_buffer_size": "8k", "buffer_size": "16k"})
    assert (setup.handshake("/big-socket").status, setup.get("/big").status) == (101, 200)


@symptom("503 from nginx itself")
def test_an_upstream_without_servers_and_maintenance_are_503(setup: Setup) -> None:
    setup.start({"path": "/", "maintenance": True})
    assert setup.handshake("/socket").status == 503
    setup.start()
    assert setup.handshake("/socket").status == 101
    setup.serve({"server_names": ["a"], "upstream": "none"}, upstreams=[
        {"name": "none", "servers": [], "allow_empty": True}])
    assert setup.handshake("/socket").status == 503


@symptom("504")
def test_a_backend_that_does_not_answer_in_time_is_504(setup: Setup) -> None:
    setup.start({"path": "/", "read_timeout": "1s"})
    assert setup.get("/slow").status == 504
    setup.start()
    assert setup.get("/slow").status == 200


# --- after the handshake


@symptom("closed after the same number of seconds each time")
def test_a_silent_socket_is_cut_and_one_with_heartbeats_is_not(setup: Setup) -> None:
    setup.start({"path": "/", "upstream": "echo", "live_read_timeout": "2s"})
    for heartbeat in (False, True):
        with Client(setup.address) as client:
            assert client.ask("a", "/socket", UPGRADE).status == 101
            for _second in range(4 if heartbeat else 0):
                client.echo(b"ping")
                time.sleep(1)
            assert heartbeat or client.seconds_until_closed() > 1.5


@symptom("open, and nothing comes")
def test_a_probe_that_expects_an_answer_finds_silence(setup: Setup) -> None:
    setup.start({"path": "/"}, {"path": "/echo", "upstream": "echo"})
    probe(Target("ws://a/silent", setup.address, expect="handshake"))
    with pytest.raises(ProbeFailure, match=r"no answer|nothing"):
        probe(Target("ws://a/silent", setup.address, expect="echo", timeout=2))
    probe(Target("ws://a/echo", setup.address, expect="echo"))


@symptom("Socket.IO: `Session ID unknown`")
def test_a_session_is_known_to_one_server(setup: Setup) -> None:
    with ExitStack() as stack:
        servers = [engineio_server(free_port()) for _one in range(2)]
        for server in servers:
            stack.callback(server.close)
        path = "/engine.io/?EIO=4&transport=polling"
        for balancing in ("round_robin", {"sticky": {"cookie": "route"}}):
            setup.serve({"server_names": ["a"], "upstream": "io"}, upstreams=[
                {"name": "io", "servers": [one.address for one in servers], "load_balancing": balancing}])
            statuses = set()
            for _session in range(4):
                with closing(http.client.HTTPConnection(setup.address, timeout=30)) as client:
                    client.request("GET", path, headers={"Host": "a"})
                    first = client.getresponse()
                    sid = json.loads(first.read()[1:])["sid"]
                    cookie = first.headers.get("Set-Cookie", "").split(";")[0]
                    client.request("POST", f"{path}&sid={sid}", b"4hello", {"Host": "a", "Cookie": cookie})
                    statuses.add(client.getresponse().status)
            assert (400 in statuses) == (balancing == "round_robin"), statuses


@symptom("499 in the log")
def test_a_client_that_gives_up_is_logged_as_499(setup: Setup) -> None:
    setup.start()
    with Client(setup.address) as client:
        client.send("a", "/slow")
        wait_until(lambda: any(b"/slow" in head for head in setup.application.heads))
    assert setup.logs('"GET /slow HTTP/1.1" 499', "access")


# --- pages and uploads


@symptom("413")
def test_a_body_that_is_too_large_is_413(setup: Setup) -> None:
    backend = telling()
    large = ("Content-Length", str(300 << 20))
    setup.start(server=backend.address)
    assert setup.get("/", large).status == 413
    setup.start({"path": "/", "client_max_body_size": 0}, server=backend.address)
    with Client(setup.address) as client:
        client.send("a", "/", [large])
        assert client.stays_open(1)
    backend.close()


@symptom("414, or 400 `Request Header Or Cookie Too Large`")
def test_large_cookies_and_addresses_need_room(setup: Setup) -> None:
    setup.start()
    assert setup.get("/", ("Cookie", "x" * 9000)).status == 400
    assert setup.get("/?" + "x" * 9000).status == 414
    setup.start(large_client_header_buffers="8 32k")
    assert setup.get("/", ("Cookie", "x" * 9000)).status == setup.get("/?" + "x" * 9000).status == 200


@symptom("events come late or all at once")
def test_a_stream_that_says_nothing_of_itself_is_held_back(setup: Setup) -> None:
    def seconds(**keys: Any) -> float:
        setup.start({"path": "/", **keys}, site={"tls": {"self_signed": True, "redirect": False, "http2": False}})
        began = time.monotonic()
        with Client(setup.address) as client, unverified(client.socket, "a", "http/1.1") as client.socket:
            client.send("a", "/events")
            head_of(client.socket)
            client.socket.recv(1)
            return time.monotonic() - began

    held, at_once = seconds(), seconds(buffering=False)
    assert held > at_once + PAUSE / 2


@symptom("scripts and styles are 404 below a prefix")
def test_links_of_a_page_need_the_prefix(setup: Setup) -> None:
    setup.start({"path": "/tools/", "rewrite_to": "/page"})
    assert setup.get("/tools/").body == b'src="/app.js"'
    assert setup.get("/app.js").status == 404
    setup.start({"path": "/tools/", "strip_prefix": True})
    assert setup.get("/tools/page").body == b'src="/tools/app.js"'
    assert setup.get("/tools/app.js").status == 200


@symptom("redirects in a circle, or links with `http://`")
def test_an_application_learns_from_a_trusted_proxy_that_tls_ends_before_it(setup: Setup) -> None:
    balanced = ("X-Forwarded-Proto", "https")
    setup.start()
    answer = setup.get("/secure", balanced)
    assert (answer.status, answer.headers["location"]) == (302, "https://a/secure")
    setup.start(site={"trusted_proxies": ["127.0.0.1"]})
    assert setup.get("/secure", balanced, ("X-Forwarded-For", "192.0.2.7")).status == 200


@symptom("every client has one address")
def test_an_address_comes_from_a_trusted_proxy(setup: Setup) -> None:
    balanced = ("X-Forwarded-For", "192.0.2.7")
    setup.start()
    assert setup.get("/", balanced).body == b"127.0.0.1"
    setup.start(site={"trusted_proxies": ["127.0.0.1"]})
    assert setup.get("/", balanced).body == b"192.0.2.7"
