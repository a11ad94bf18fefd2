"""Live connections and plain requests at one path: how nginx separates them, their settings, and access control."""

from __future__ import annotations

import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import h2.config
import h2.connection
import h2.events
import pytest

from tests.support.backends import SWITCHED, Backend
from tests.support.client import HANDSHAKE, Answer, Client, fields, get, head_of
from tests.support.edge import Edge
from tests.support.ports import free_address
from tests.support.releases import EVERY
from tests.support.served import Served
from tests.support.waiting import wait_until

pytestmark = EVERY

UPGRADE = [("Upgrade", "websocket"), *HANDSHAKE]
STREAM = [("Accept", "text/event-stream")]
# A client requests a page, an event stream, or a WebSocket.
WAYS: dict[str, list[tuple[str, str]]] = {"plain": [], "stream": STREAM, "socket": UPGRADE}
LOGS = {"access_log": "/var/log/nginx/plain.log", "live_access_log": "/var/log/nginx/live.log"}
SHORT = 1.0
TIME = "1s"


@dataclass
class Setup(Served):
    """An edge with a backend that upgrades on request, and otherwise returns the request."""

    both: Backend = field(default_factory=lambda: Backend(_both))

    def serve_location(self, site: dict[str, Any] | None = None, others: dict[str, str] | None = None,
                       **location: Any) -> None:
        """Serve one location of one site."""
        location = {"path": "/", "upstream": "both", **location}
        self.serve({"server_names": ["a"], "upstream": None, "locations": [location], **(site or {})},
                   upstreams=[{"name": "both", "servers": [self.both.address]},
                              {"name": "dead", "servers": ["127.0.0.1:1"]}], others=others)
        self.both.forget()

    def ask(self, way: str, path: str = "/", method: str = "GET") -> Answer:
        """Send a request of one of the WAYS."""
        return get(self.address, "a", path, WAYS[way], method)

    def logged(self, question: Callable[[], object]) -> str:
        """Return which of the LOGS has a new line after a question."""
        path = "cd /var/log/nginx; cat plain.log 2>/dev/null | wc -l; cat live.log 2>/dev/null | wc -l"
        before = self.edge.container.shell(path).split()
        question()
        wait_until(lambda: self.edge.container.shell(path).split() != before)
        after = self.edge.container.shell(path).split()
        return "plain" if after[0] != before[0] else "live"


def _both(backend: Backend, connection: socket.socket) -> None:
    while head := head_of(connection):
        backend.heads.append(head)
        if b"\r\nUpgrade: websocket\r\n" in head:
            connection.sendall(SWITCHED)
            while data := connection.recv(65536):
                connection.sendall(data)
            return
        length = int(dict(fields(head)).get("content-length", 0))
        body = b""
        while len(body) < length:
            body += connection.recv(length - len(body))
        status = int(found[1]) if (found := re.search(rb"[?&]status=(\d+)", head)) else 200
        told = head.split(b"\r\n")[0] + b"\n" + body
        connection.sendall(b"HTTP/1.1 %d Told\r\nContent-Length: %d\r\n\r\n%s" % (status, len(told), told))


def _permit(_backend: Backend, connection: socket.socket) -> None:
    status = re.search(rb"status(?:=|%3D)(\d+)", head_of(connection))
    assert status
    connection.sendall(b"HTTP/1.1 %s Told\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % status[1])


@pytest.fixture(scope="module")
def setup(serving: Edge) -> Iterator[Setup]:
    """Provide an edge that serves nothing yet."""
    with Setup.on(serving) as served:
        yield served
        served.both.close()


# --- live requests


@pytest.fixture(scope="module")
def logging(setup: Setup) -> Setup:
    """Serve a location that logs live connections and plain requests separately, and one without event streams."""
    both = {"upstream": "both", **LOGS, "live_access_log_format": "combined"}
    setup.serve({"server_names": ["a"], "upstream": None, "locations": [
        {"path": "/", **both}, {"path": "/none/", "event_streams": False, **both}]},
        upstreams=[{"name": "both", "servers": [setup.both.address]}])
    return setup


@pytest.mark.parametrize(("accept", "way"), [
    ("text/event-stream", "live"), ("Text/EVENT-Stream", "live"), ("application/json, text/event-stream", "live"),
    ("text/event-stream;q=0.9, */*", "live"), ("text/html,text/event-stream ; charset=utf-8,text/plain", "live"),
    ("\ttext/event-stream\t", "live"), ("*/*", "plain"), ("text/*", "plain"), ("text/event-streams", "plain"),
    ("xtext/event-stream", "plain"), ("text/event-stream-x", "plain"), ("text/event-stream/x", "plain"), ("", "plain")])
def test_a_request_that_accepts_event_streams_is_live(logging: Setup, accept: str, way: str) -> None:
    assert logging.logged(lambda: get(logging.address, "a", "/", [("Accept", accept)])) == way
    assert logging.logged(lambda: get(logging.address, "a", "/none/", [("Accept", accept)])) == "plain"


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "DELETE"])
def test_a_request_is_live_whatever_its_method(logging: Setup, method: str) -> None:
    assert logging.logged(lambda: get(logging.address, "a", "/", STREAM, method)) == "live"


@pytest.mark.parametrize("path", ["/", "/none/"])
def test_only_a_handshake_that_passes_is_live(logging: Setup, path: str) -> None:
    assert logging.logged(lambda: get(logging.address, "a", path, UPGRADE)) == "live"
    assert logging.logged(lambda: get(logging.address, "a", path, [("Upgrade", "h2c")])) == "plain"
    assert logging.logged(lambda: get(logging.address, "a", path, UPGRADE, "POST")) == "plain"
    assert logging.logged(lambda: get(logging.address, "a", path)) == "plain"


def test_the_body_of_a_live_request_arrives_whole(logging: Setup) -> None:
    body = bytes(range(256)) * 2000
    with Client(logging.address) as client:
        client.send("a", "/x", [*STREAM, ("Content-Length", str(len(body)))], "POST")
        client.socket.sendall(body)
        assert client.answer().body == b"POST /x HTTP/1.1\n" + body


# --- settings of both


@pytest.mark.parametrize(("location", "asked", "told"), [
    ({"path": "/"}, "/a%2Fb%20c//d?e=%2F", "/a%2Fb%20c//d?e=%2F"),
    ({"path": "/app/", "strip_prefix": True}, "/app/a%2Fb%20c//d?e=%2F", "/a%2Fb%20c//d?e=%2F"),
    ({"path": "/socket", "match": "exact", "rewrite_to": "/x/y"}, "/socket?e=f", "/x/y?e=f"),
    ({"path": "^/([a-z]+)/([0-9]+)$", "match": "regex",
      "extra_config": "proxy_set_header X-Two $2;"}, "/abc/42", "/abc/42"),
    ({"path": "/old/", "extra_config": "rewrite ^/old/(.*)$ /new/$1 break;"}, "/old/x", "/new/x"),
    ({"path": "~ odd", "match": "regex", "rewrite_to": "/"}, "/~%20odd", "/"),
], ids=lambda value: value if isinstance(value, str) else "")
def test_the_backend_is_asked_for_the_same_path(setup: Setup, location: dict[str, Any], asked: str, told: str) -> None:
    setup.serve_location(**location)
    for way in WAYS:
        assert setup.ask(way, asked).status == (101 if way == "socket" else 200)
    assert [head.split()[1].decode() for head in setup.both.heads] == [told] * 3
    if "X-Two" in location.get("extra_config", ""):
        assert [dict(fields(head))["x-two"] for head in setup.both.heads] == ["42"] * 3


@pytest.mark.parametrize("events", [True, False])
def test_a_request_that_comes_back_to_its_location_is_served_there(setup: Setup, events: bool) -> None:
    def serve(backend: Backend, connection: socket.socket) -> None:
        head = head_of(connection)
        backend.heads.append(head)
        elsewhere = b"" if b"/store/" in head else b"X-Accel-Redirect: /store/x\r\n"
        connection.sendall(b"HTTP/1.1 200 OK\r\n%sContent-Length: 0\r\nConnection: close\r\n\r\n" % elsewhere)

    sending = Backend(serve)
    setup.serve({"server_names": ["a"], "upstream": None, "event_streams": events, "accel_redirect": True,
                 "locations": [
        {"path": "/", "upstream": "both", "extra_config": "rewrite ^/v1/(.*)$ /v2/$1 last;"},
        {"path": "/store/", "upstream": "sending"}, {"path": "/sending/", "upstream": "sending"}]},
        upstreams=[{"name": "both", "servers": [setup.both.address]},
                   {"name": "sending", "servers": [sending.address]}])
    assert [setup.ask(way, "/v1/x").status for way in WAYS] == [200, 200, 101]
    assert [setup.ask(way, "/sending/x").status for way in WAYS] == [200, 200, 200]
    assert [head.split()[1] for head in sending.heads] == [b"/sending/x", b"/store/x"] * 3
    # If the site does not allow it, a backend reaches no other location, and the client does not get the header.
    for text in ("", "proxy_ignore_headers X-Accel-Redirect Vary;"):
        sending.forget()
        setup.serve({"server_names": ["a"], "upstream": "sending", "locations": [
            {"path": "/sending/", "upstream": "sending", "extra_config": text}]},
            upstreams=[{"name": "sending", "servers": [sending.address]}])
        answers = [setup.ask(way, "/sending/x") for way in WAYS]
        assert [head.split()[1] for head in sending.heads] == [b"/sending/x"] * 3
        assert not any("x-accel-redirect" in answer.headers for answer in answers)
    sending.close()


def test_all_ways_have_the_same_headers(setup: Setup) -> None:
    setup.serve_location(request_headers={"X-Edge": "$remote_addr"}, response_headers={"X-Page": "yes"},
                         extra_config="add_header X-Free yes always;")
    for way in WAYS:
        headers = setup.ask(way).headers
        assert (headers["x-page"], headers["x-free"]) == ("yes", "yes")
    own = ("upgrade", "connection", "accept", "sec-websocket-key", "sec-websocket-version")
    plain, stream, handshake = ([one for one in fields(head) if one[0] not in own] for head in setup.both.heads)
    assert plain == stream == handshake and ("x-edge", "127.0.0.1") in plain


@pytest.mark.parametrize("status", [401, 404, 418, 500])
def test_a_status_of_the_backends_passes(setup: Setup, status: int) -> None:
    setup.serve_location(site={"extra_config": "error_page 418 /never;"})
    for way in ("plain", "stream"):
        assert setup.ask(way, f"/?status={status}").status == status
    assert len(setup.both.heads) == 2


# --- times


@dataclass
class Timed:
    """A silent backend behind locations with one short time each."""

    address: str


@pytest.fixture(scope="module")
def timed(setup: Setup) -> Iterator[Timed]:
    """Serve the locations."""
    def serve(backend: Backend, connection: socket.socket) -> None:
        head = head_of(connection)
        backend.heads.append(head)
        if b"/begun" in head:
            connection.sendall(SWITCHED if b"\r\nUpgrade: w" in head else
                               b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        connection.recv(1)

    silent = Backend(serve)
    keys = {"upstream": "silent", "next_upstream": []}
    setup.serve({"server_names": ["a"], "upstream": None, "locations": [
        {"path": "/plain/", "read_timeout": TIME, **keys}, {"path": "/live/", "live_read_timeout": TIME, **keys},
        {"path": "/both/", "separate_live": False, "read_timeout": TIME, **keys},
        {"path": "/only/", "websocket_only": True, "live_read_timeout": TIME, **keys}]},
        upstreams=[{"name": "silent", "servers": [silent.address]}])
    yield Timed(setup.address)
    silent.close()


@pytest.mark.parametrize(("path", "way", "ends"), [
    ("/plain/", "plain", True), ("/plain/", "stream", False), ("/plain/", "socket", False),
    ("/live/", "plain", False), ("/live/", "stream", True), ("/live/", "socket", True),
    ("/both/", "plain", True), ("/both/", "stream", True), ("/both/", "socket", True), ("/only/", "socket", True)])
def test_each_way_ends_by_its_own_time_of_silence(timed: Timed, path: str, way: str, ends: bool) -> None:
    with Client(timed.address) as client:
        started = time.monotonic()
        client.send("a", f"{path}begun", WAYS[way])
        # nginx buffers the head of a plain answer until more arrives.
        if ends or way != "plain":
            assert head_of(client.socket).split()[1] == (b"101" if way == "socket" else b"200")
        if ends:
            client.seconds_until_closed()
            assert time.monotonic() - started > SHORT * 0.9
        else:
            assert client.stays_open(SHORT * 2)


@pytest.mark.parametrize(("path", "way"), [("/plain/", "plain"), ("/live/", "stream"), ("/live/", "socket")])
def test_a_backend_that_answers_nothing_is_given_up_when_that_time_ends(timed: Timed, path: str, way: str) -> None:
    started = time.monotonic()
    assert get(timed.address, "a", path, WAYS[way]).status == 504
    assert time.monotonic() - started > SHORT * 0.9


# --- access control

GUARDS: dict[str, tuple[str, Sequence[int]]] = {
    "deny": ("deny all;", [403]),
    "auth_basic": ("auth_basic x;\nauth_basic_user_file /etc/nginx/none;", [401, 403, 500]),
    "auth_request": ("auth_request /absent;", [500]),
    "auth_request that refuses": ("auth_request /refusing;", [401]),
    "satisfy": ("satisfy any;\ndeny all;\nauth_basic x;\nauth_basic_user_file /etc/nginx/none;", [401, 403, 500]),
    # One connection is already open.
    "limit_conn": ("limit_conn all 1;", [503]),
    "return": ("return 402;", [402]),
    "if": ("if ($http_host = a) {\n    return 402;\n}", [402]),
    "referers": ("valid_referers example.com;\nif ($invalid_referer) {\n    return 402;\n}", [402]),
    "limit_except": ("limit_except PUT {\n    deny all;\n}", [403]),
    "internal": ("internal;", [404]),
    "rewrite": ("rewrite ^ /refusing last;", [401]),
    "set": ('set $x "no";\nif ($x = no) {\n    return 402;\n}', [402]),
}


@pytest.mark.parametrize("guard", GUARDS)
def test_what_guards_a_location_guards_its_live_connections(setup: Setup, guard: str) -> None:
    text, statuses = GUARDS[guard]
    setup.serve({"server_names": ["a"], "upstream": None, "locations": [
        {"path": "/", "upstream": "both", "extra_config": text},
        {"path": "/held", "upstream": "both", "extra_config": "limit_conn all 9;"},
        {"path": "/refusing", "match": "exact", "respond": {"status": 401}},
        {"path": "/absent", "match": "exact", "respond": {"status": 404}}]},
        upstreams=[{"name": "both", "servers": [setup.both.address]}],
        extra_config="limit_conn_zone $server_name zone=all:32k;")
    setup.both.forget()
    with Client(setup.address) as holding:
        assert holding.ask("a", "/held", UPGRADE).status == 101
        answers = [setup.ask(way).status for way in WAYS]
        answers += [get(setup.address, "a", "/", [*headers, ("X-Original-URL", "/held"), *STREAM], method).status
                    for headers in (UPGRADE, STREAM) for method in ("GET", "POST", "HEAD")]
    assert set(answers) <= set(statuses), answers
    assert len(setup.both.heads) == 1


@pytest.mark.parametrize("separate", [True, False])
@pytest.mark.parametrize("status", [200, 401, 403])
def test_a_location_may_be_asked_for_permission(setup: Setup, status: int, separate: bool) -> None:
    setup.serve({"server_names": ["a"], "upstream": None, "locations": [
        {"path": "/", "upstream": "both", "extra_config": "auth_request /permission;"},
        {"path": "/permission", "match": "exact", "upstream": "permission", "separate_live": separate,
         "rewrite_to": f"/status={status}", "extra_config": "internal;"}]},
        upstreams=[{"name": name, "servers": [setup.both.address if name == "both" else permission.address]}
                   for permission in [Backend(_permit)] for name in ("both", "permission")])
    expected = {"plain": 200, "stream": 200, "socket": 101} if status == 200 else dict.fromkeys(WAYS, status)
    assert {way: setup.ask(way).status for way in WAYS} == expected


def test_a_limit_of_requests_counts_each_way_once(setup: Setup) -> None:
    setup.serve({"server_names": ["a"], "upstream": None, "locations": [
        {"path": "/", "upstream": "both", "extra_config": "limit_req zone=few burst=3 nodelay;"}]},
        upstreams=[{"name": "both", "servers": [setup.both.address]}],
        extra_config="limit_req_zone $server_name zone=few:32k rate=1r/m;")
    assert [setup.ask(way).status for way in (*WAYS, "socket", "stream", "plain")] == [200, 200, 101, 101, 503, 503]


def test_maintenance_a_hidden_path_and_another_upgrade_are_refused_before(setup: Setup) -> None:
    setup.serve_location(maintenance=True)
    assert {setup.ask(way).status for way in WAYS} == {503}
    setup.serve_location(path="/app/", strip_prefix=True)
    assert {setup.ask(way, path).status for way in WAYS for path in ("/%61pp/x", "/app/./x", "/app/%2e%2e/x")} == {400}
    setup.serve_location(site={"other_upgrades": "reject"})
    refused = [get(setup.address, "a", "/", [*STREAM, ("Upgrade", "h2c"), ("Connection", "Upgrade")]).status]
    assert refused == [400] and not setup.both.heads


def test_no_request_names_the_location_of_live_connections(setup: Setup) -> None:
    setup.serve_location(path="/guarded", extra_config="deny all;")
    for path in ("/@websocket_proxy_live_1", "@websocket_proxy_live_1", "/%40websocket_proxy_live_1"):
        with Client(setup.address) as client:
            client.send("a", path, UPGRADE)
            assert head_of(client.socket).split()[1] in (b"404", b"400")
    assert not setup.both.heads


# --- errors

PAGES = "error_page 401 403 429 502 /sorry;\nlocation = /sorry {\n    internal;\n    return 200 sorry;\n}"
ERRORS = {
    401: {"extra_config": "auth_basic x;\nauth_basic_user_file /etc/nginx/nginx.conf;"},
    403: {"extra_config": "deny all;"},
    429: {"extra_config": "limit_req zone=none;\nlimit_req_status 429;"},
    502: {"upstream": "dead"},
}


@pytest.mark.parametrize("status", ERRORS)
def test_pages_for_errors_are_for_plain_requests_and_live_ones_get_the_bare_status(setup: Setup, status: int) -> None:
    setup.serve({"server_names": ["a"], "upstream": None, "extra_config": PAGES,
                 "locations": [{"path": "/", "upstream": "both", **ERRORS[status]}]},
                upstreams=[{"name": "both", "servers": [setup.both.address]},
                           {"name": "dead", "servers": ["127.0.0.1:1"]}],
                extra_config="limit_req_zone $server_name zone=none:32k rate=1r/m;")
    if status == 429:
        setup.ask("plain")
    assert setup.ask("plain").body == b"sorry"
    for way in ("stream", "socket"):
        answer = setup.ask(way)
        assert answer.status == status and b"sorry" not in answer.body


def test_a_locations_own_pages_are_for_plain_requests(setup: Setup) -> None:
    setup.serve_location(path="/x", extra_config="error_page 403 = /x?page;\nerror_page 418 = /x?other;\ndeny all;",
                         site={"extra_config": "location = /page {\n    return 200 page;\n}"})
    assert [setup.ask(way, "/x").status for way in ("stream", "socket")] == [403, 403]


# --- buffers


def _heads_of(size: int) -> Backend:
    def serve(backend: Backend, connection: socket.socket) -> None:
        while head := head_of(connection):
            backend.heads.append(head)
            upgrade = b"\r\nUpgrade: websocket\r\n" in head
            start = SWITCHED if upgrade else b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
            connection.sendall(start[:-2] + b"X-Large: " + b"x" * size + b"\r\n\r\n")
            if upgrade:
                connection.recv(1)
                return
    return Backend(serve)


@pytest.mark.parametrize("size", ["1k", "2k", "4k", "8k", "16k", "1m"])
def test_the_head_of_a_live_answer_has_to_fit_into_its_own_buffer(setup: Setup, size: str) -> None:
    large = _heads_of(3000)
    fits = size not in ("1k", "2k")
    setup.serve({"server_names": ["a"], "upstream": None, "locations": [
        {"path": "/live/", "upstream": "large", "live_buffer_size": size},
        {"path": "/plain/", "upstream": "large", "buffer_size": size, "live_buffer_size": "4k"},
        {"path": "/only/", "upstream": "large", "websocket_only": True, "live_buffer_size": size, "gzip": True}]},
        upstreams=[{"name": "large", "servers": [large.address]}])
    expected = {("/live/", "plain"): 200, ("/plain/", "stream"): 200, ("/plain/", "socket"): 101,
                ("/live/", "stream"): 200 if fits else 502, ("/live/", "socket"): 101 if fits else 502,
                ("/plain/", "plain"): 200 if fits else 502, ("/only/", "socket"): 101 if fits else 502}
    assert {(path, way): setup.ask(way, path).status for path, way in expected} == expected
    large.close()


# --- event streams


class Events:
    """A backend that sends an event on each call, and does not support compression."""

    def __init__(self) -> None:
        self._go = threading.Semaphore(0)
        self.backend = Backend(self._serve)

    def _serve(self, _backend: Backend, connection: socket.socket) -> None:
        head_of(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for number in range(3):
            self._go.acquire()
            event = b"data: %d\n\n" % number
            connection.sendall(b"%x\r\n%s\r\n" % (len(event), event))
        connection.recv(1)

    def send(self) -> None:
        """Send the next event."""
        self._go.release()


def _plain_reader(connection: socket.socket) -> Callable[[bytes], None]:
    connection.sendall(b"GET /events HTTP/1.1\r\nHost: a.example\r\nAccept: text/event-stream\r\n"
                       b"Accept-Encoding: gzip\r\n\r\n")
    head = head_of(connection)
    assert head.split()[1] == b"200" and b"gzip" not in head
    received = bytearray()

    def read(until: bytes) -> None:
        while until not in received:
            piece = connection.recv(4096)
            assert piece
            received.extend(piece)

    return read


def _http2_reader(connection: socket.socket, at_once: bool) -> Callable[[bytes], None]:
    peer = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
    peer.initiate_connection()
    peer.send_headers(1, [(":method", "GET"), (":path", "/events"), (":scheme", "https"), (":authority", "a.example"),
                          ("accept", "text/event-stream"), ("accept-encoding", "gzip")], end_stream=True)
    connection.sendall(peer.data_to_send())
    received = bytearray()
    heads: list[dict[str, str]] = []

    def read(until: bytes) -> None:
        while until not in received or not heads:
            for event in peer.receive_data(connection.recv(65536)):
                if isinstance(event, h2.events.ResponseReceived):
                    heads.append({str(name): str(value) for name, value in event.headers})
                if isinstance(event, h2.events.DataReceived):
                    received.extend(event.data)
        assert heads[0][":status"] == "200" and "content-encoding" not in heads[0]

    if at_once:
        read(b"")
    return read


@pytest.mark.parametrize("protocol", ["http/1.1", "http/1.1 with TLS", "h2 with TLS"])
def test_each_event_arrives_before_the_next_is_sent(setup: Setup, protocol: str) -> None:
    events, secure = Events(), free_address()
    setup.serve({"server_names": ["a.example"], "upstream": None, "locations": [
        {"path": "/", "upstream": "events", "gzip": True}],
        **({"listen": [secure], "tls": {"self_signed": True, "redirect": False}} if "TLS" in protocol else {})},
        upstreams=[{"name": "events", "servers": [events.backend.address]}],
        extra_config="gzip_types *;\ngzip_min_length 1;")
    host, port = (secure if "TLS" in protocol else setup.address).rsplit(":", 1)
    with socket.create_connection((host, int(port)), 10) as connection:
        if "TLS" in protocol:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            context.set_alpn_protocols([protocol.split()[0]])
            connection = context.wrap_socket(connection, server_hostname="a.example")
        # The head arrives before the first event, except with HTTP/2 and an old nginx.
        at_once = setup.edge.nginx_version >= (1, 26)
        read = _http2_reader(connection, at_once) if protocol.startswith("h2") else _plain_reader(connection)
        for number in range(3):
            events.send()
            read(b"data: %d\n\n" % number)
    events.backend.close()


# --- logs


def test_the_line_of_a_live_connection_tells_how_long_it_lived_and_its_bytes_each_way(setup: Setup) -> None:
    setup.serve_location(**LOGS)
    there = bytes(5000)

    def ask() -> None:
        with Client(setup.address) as client:
            assert client.ask("a", "/", UPGRADE).status == 101
            time.sleep(0.5)
            client.exchange(there, there)

    assert setup.logged(ask) == "live"
    line = setup.edge.container.shell("tail -n 1 /var/log/nginx/live.log")
    found = re.search(r'" 101 .* upgrade=websocket seconds=([\d.]+) received=(\d+) sent=(\d+) ', line)
    assert found, line
    assert 0.5 <= float(found[1]) < 30
    # The handshake and its answer are a few hundred bytes.
    assert 5000 < int(found[2]) < 6000 and 5000 < int(found[3]) < 6000, line


# --- free text


@pytest.mark.parametrize("text", ["location /x/ {\n}", "alias /srv/;"])
def test_nginx_refuses_in_a_named_location_what_the_role_refuses_there(setup: Setup, text: str) -> None:
    setup.edge.stop()
    setup.edge.put({"allow_no_sites": True}, {
        "named.conf": f"server {{ listen {setup.address}; location @named {{\n{text}\n}} }}"})
    assert "named location" in setup.edge.test()


def test_with_one_location_for_both_any_free_text_is_taken(setup: Setup) -> None:
    setup.serve_location(path="/x", separate_live=False, extra_config="location /x/y {\n    return 402;\n}")
    assert [setup.ask(way, "/x/y").status for way in WAYS] == [402] * 3
    assert [setup.ask(way, "/x").status for way in WAYS] == [200, 200, 101]
