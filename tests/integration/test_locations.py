"""Locations on every nginx: the request that the backend receives, and the answers of nginx itself."""

from __future__ import annotations

import base64
import re
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.backends import Backend
from tests.support.client import ACCEPT, SECONDS, Answer, Client, fields, get, head_of
from tests.support.edge import Edge
from tests.support.releases import EVERY
from tests.support.served import UPGRADE, Served
from tests.support.waiting import wait_until

WHERE = pytest.mark.parametrize("where", ["site", "location"])
FOLDER = "/srv/app"
# More than the kernel buffers of an answer in transit: up to 32 MiB for a receiving socket.
FLOOD = 64 << 20
FILES = {"index.html": "the page", "app.js": "the script", "style.css": "x" * 4096, ".env": "a secret",
         ".git/config": "a secret", ".well-known/security.txt": "for everybody", "sub/index.html": "another page"}
REDIRECTING = (b"HTTP/1.1 302 Found\r\nLocation: %s\r\nX-Powered-By: PHP\r\nX-Kept: yes\r\n"
               b"Content-Length: 0\r\n\r\n")


def _redirect(backend: Backend, connection: Any) -> None:
    while head := connection.recv(65536):
        backend.heads.append(head)
        asked = head.split()[1].partition(b"?to=")[2]
        connection.sendall(REDIRECTING % (asked or b"/login?next=%2Fa"))


@dataclass
class Setup(Served):
    """An edge with one site, which each test sets itself."""

    redirecting: Backend

    def start(self, *locations: dict[str, Any], defaults: dict[str, Any] | None = None, **site: Any) -> None:
        """Serve a site with these locations, or with one for one of the backends."""
        self.serve({"server_names": ["a"], "locations": list(locations), **site},
                   upstreams=[{"name": "redirect", "servers": [self.redirecting.address]},
                              {"name": "empty", "allow_empty": True}],
                   site_defaults={"listen": [self.address], **(defaults or {})})

    def serve_one(self, where: str, said: dict[str, Any], address: str) -> None:
        """Serve one location, with a backend at an ADDRESS; the location or its site sets what is SAID."""
        self.serve({"server_names": ["a"], "listen": [self.address], **(said if where == "site" else {}),
                    "locations": [{"path": "/", "upstream": "one", **(said if where == "location" else {})}]},
                   upstreams=[{"name": "one", "servers": [address]}], site_defaults={})

    def get(self, path: str, *headers: tuple[str, str], method: str = "GET") -> Answer:
        """Send a plain request."""
        return get(self.address, "a", path, headers, method)

    def heard(self, path: str, *headers: tuple[str, str], method: str = "GET") -> str:
        """Send a plain request, and return the path that the backend received."""
        answer = self.get(path, *headers, method=method)
        assert answer.status == 200, answer
        return answer.body.split()[1].decode("latin-1")


@pytest.fixture(name="setup", scope="module")
def setup_(serving: Edge) -> Iterator[Setup]:
    """Provide an edge and its backends."""
    redirecting = Backend(_redirect)
    serving.container.write({f"{FOLDER}/{name}": text for name, text in FILES.items()})
    with Setup.on(serving, redirecting=redirecting) as setup:
        yield setup
    redirecting.close()


def answers(*statuses: int) -> list[dict[str, Any]]:
    """Return a location for each status."""
    return [{"path": f"/{status}", "respond": {"status": status}} for status in statuses]


# --- which location


def test_exact_wins_over_regex_and_regex_over_the_longest_prefix(setup: Setup) -> None:
    setup.start({"path": "/", "respond": {"status": 200}}, {"path": "/a/", "respond": {"status": 201}},
                {"path": "/a/b", "match": "exact", "respond": {"status": 202}},
                {"path": r"^/a/[bc]$", "match": "regex", "respond": {"status": 203}},
                {"path": r"^/a/[cd]$", "match": "regex", "respond": {"status": 400}})
    assert {path: setup.get(path).status for path in ("/x", "/A/", "/a/x", "/a/b", "/a/c", "/a/d", "/a/b/")} == {
        "/x": 200, "/A/": 200, "/a/x": 201, "/a/b": 202, "/a/c": 203, "/a/d": 400, "/a/b/": 201}


@pytest.mark.parametrize("hostile", [r'^/a"b$', r"^/a;b$", r"^/a\{2}$", r"^/a b$", "^/(a|b){1,2}$"])
def test_a_regular_expression_is_what_it_says_whatever_is_in_it(setup: Setup, hostile: str) -> None:
    setup.start({"path": hostile, "match": "regex", "respond": {"status": 201}})
    asked = {r'^/a"b$': "/a%22b", r"^/a;b$": "/a;b", r"^/a\{2}$": "/a%7B2%7D", r"^/a b$": "/a%20b",
             "^/(a|b){1,2}$": "/ab"}[hostile]
    assert setup.get(asked).status == 201
    assert setup.get("/other").status == 404


def test_a_regular_expression_that_is_none_is_refused_by_the_test_with_its_text(setup: Setup) -> None:
    setup.edge.stop()
    setup.edge.put({"sites": [{"server_names": ["a"], "locations": [
        {"path": "^/(a", "match": "regex", "respond": {}}]}]})
    assert '"^/(a"' in setup.edge.test()


# --- the path that the backend receives

ODD = ["/app/", "/app/x", "/app/a%2Fb", "/app/a%2fb?x=1&y=%20", "/app/%41", "/app/a//b", "/app//", "/app/?", "/app/?x",
       "/app/a%20b", "/app/%3Fx", "/app/caf%C3%A9", "/app/a+b;c=d", "/app/X"]


def test_without_more_said_the_backend_gets_the_path_as_it_was_sent(setup: Setup) -> None:
    setup.start(upstream="tell")
    for path in [*ODD, "/../x", "//", "/%2e%2e/x", "/a/../b"]:
        answer = setup.get(path)
        # nginx itself refuses a path that leads above the root.
        assert answer.status == (400 if path in ("/../x", "/%2e%2e/x") else 200)
        if answer.status == 200:
            assert answer.body.split()[1].decode() == path


# Each change of a prefix, and what the backend receives instead of the prefix.
MOVES: list[tuple[dict[str, Any], str]] = [
    ({"strip_prefix": True}, ""), ({"replace_prefix": "/guacamole/"}, "/guacamole"),
    ({"replace_prefix": "/a/b.c/"}, "/a/b.c"), ({"replace_prefix": "/"}, "")]


@pytest.mark.parametrize(("how", "instead"), MOVES, ids=str)
def test_another_prefix_or_none_is_in_its_place_and_the_rest_as_it_was_sent(
        setup: Setup, how: dict[str, Any], instead: str) -> None:
    setup.start({"path": "/app/", "upstream": "tell", **how})
    for path in ODD:
        assert setup.heard(path) == instead + path.removeprefix("/app")
    assert setup.get("/APP/x").status == 404
    assert setup.get("/apple").status == 404


@pytest.mark.parametrize("path", [
    "/%61pp/x", "//app/x", "/./app/x", "/y/../app/x", "/app/%2e%2e/app/x", "/app/..%2fapp/x", "/app/x/./y", "/app/x/..",
    "/app/%2E%2e%2Fapp/x?y"])
def test_a_path_behind_such_a_prefix_is_refused_where_it_is_not_written_plainly(setup: Setup, path: str) -> None:
    for how, _instead in MOVES[:2]:
        setup.start({"path": "/app/", "upstream": "tell", **how})
        assert setup.get(path).status == 400


@pytest.mark.parametrize("path", ["/app/.x", "/app/..x/y..", "/app/x?y=/../z", "/app/..."])
def test_strip_prefix_keeps_dots_that_mean_nothing(setup: Setup, path: str) -> None:
    setup.start({"path": "/app/", "upstream": "tell", "strip_prefix": True})
    assert setup.heard(path) == path.removeprefix("/app")


def test_a_page_at_a_prefix_without_its_slash_is_redirected_there_and_a_handshake_is_not(setup: Setup) -> None:
    setup.start({"path": "/app/", "upstream": "echo", "strip_prefix": True})
    for path in ("/app", "/app?room=1", "/app/", "/app/x"):
        with Client(setup.address) as client:
            answer = client.ask("a", path, UPGRADE)
            assert (answer.status, answer.headers["sec-websocket-accept"]) == (101, ACCEPT)
            client.echo(b"hello")
    for how, instead in MOVES:
        setup.start({"path": "/app/", "upstream": "tell", **how})
        for path, location in (("/app", "/app/"), ("/app?room=1%2F", "/app/?room=1%2F")):
            answer = setup.get(path)
            assert (answer.status, answer.headers["location"]) == (308, location)
            assert setup.get(path, ("Accept", "text/event-stream")).body.split()[1].decode() == (
                instead + location.removeprefix("/app"))


def test_a_backend_is_told_its_prefix(setup: Setup) -> None:
    def told(*headers: tuple[str, str]) -> list[str]:
        return [value for name, value in fields(setup.get("/my.app/x", *headers).body) if name == "x-forwarded-prefix"]

    location = {"path": "/my.app/", "upstream": "tell", "strip_prefix": True}
    forged = ("X-Forwarded-Prefix", "/outer")
    setup.start(location)
    assert told() == told(forged) == ["/my.app"]
    setup.start(location, trusted_proxies=["127.0.0.0/8"])
    assert told() == ["/my.app"] and told(forged) == ["/outer/my.app"]
    setup.start({**location, "request_headers": {"x-forwarded-prefix": "/own"}})
    assert told(forged) == ["/own"]
    setup.start({**location, "extra_config": "proxy_set_header X-Forwarded-Prefix /free;"})
    assert told(forged) == ["/free"]
    setup.start({"path": "/my.app/", "upstream": "tell"})
    assert told(forged) == []
    setup.start({"path": "/my.app/", "upstream": "tell", "replace_prefix": "/x/"})
    assert told(forged) == []


def test_redirects_and_cookies_of_a_backend_behind_another_prefix_come_back(setup: Setup) -> None:
    def answer(_backend: Backend, connection: socket.socket) -> None:
        to = head_of(connection).split()[1].rpartition(b"=")[2]
        connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: %s\r\nSet-Cookie: a=b; Path=/guacamole\r\n"
                           b"Content-Length: 0\r\nConnection: close\r\n\r\n" % to)

    backend = Backend(answer)
    setup.serve({"server_names": ["a"], "upstream": None, "locations": [
        {"path": "/app/", "upstream": "own", "replace_prefix": "/guacamole/"}]},
        upstreams=[{"name": "own", "servers": [backend.address]}])
    for answered, passed in (("/guacamole/x", "/app/x"), ("http://a/guacamole/x", "/app/x"), ("x", "x"), ("/y", "/y"),
                             ("https://a/guacamole/", "/app/"), ("https://b/guacamole/", "https://b/guacamole/")):
        found = setup.get(f"/app/x?to={answered}").headers
        assert (found["location"], found["set-cookie"]) == (passed, "a=b; Path=/app")
    setup.serve({"server_names": ["a"], "upstream": None, "locations": [
        {"path": "/", "upstream": "own", "replace_prefix": "/guacamole/"}]},
        upstreams=[{"name": "own", "servers": [backend.address]}])
    found = setup.get("/x?to=/guacamole/y").headers
    assert (found["location"], found["set-cookie"]) == ("/y", "a=b; Path=/")
    backend.close()


def test_a_prefix_that_is_not_stripped_is_one_with_its_slash(setup: Setup) -> None:
    setup.start({"path": "/app/", "upstream": "echo"}, {"path": "/own/", "upstream": "echo"},
                {"path": "/own", "match": "exact", "upstream": "echo"})
    for headers in ([], UPGRADE):
        assert (setup.get("/app", *headers).status, setup.get("/app", *headers).headers["location"]) == (301, "/app/")
    assert setup.get("/own", *UPGRADE).status == 101


def test_a_redirect_of_a_backend_behind_a_stripped_prefix_leads_to_the_prefix(setup: Setup) -> None:
    setup.start({"path": "/app/", "upstream": "redirect", "strip_prefix": True},
                {"path": "/off/", "upstream": "redirect", "strip_prefix": True, "proxy_redirect": "off"})
    assert setup.get("/app/x").headers["location"] == "/app/login?next=%2Fa"
    assert setup.get("/app", ("Accept", "text/event-stream")).headers["location"] == "/app/login?next=%2Fa"
    assert setup.get("/off/x").headers["location"] == "/login?next=%2Fa"


@pytest.mark.parametrize(("answered", "passed"), [
    ("/app/login", "/app/login"), ("/app", "/app"), ("/app?x=1", "/app?x=1"), ("/apple", "/app/apple"),
    ("/", "/app/"), ("//other.test/x", "//other.test/x"), ("https://other.test/app/", "https://other.test/app/"),
    ("login", "login"), ("http://a/login", "/app/login"), ("https://a/login?x", "/app/login?x"),
    ("https://a/", "/app/"), ("http://a/app/x", "http://a/app/x"), ("https://a/app", "https://a/app"), ("https://ab/x", "https://ab/x"),
    ("https://other.test/x", "https://other.test/x")])
def test_a_redirect_of_a_backend_that_knows_its_prefix_stays(setup: Setup, answered: str, passed: str) -> None:
    setup.start({"path": "/app/", "upstream": "redirect", "strip_prefix": True})
    for path in ("/app/x", "/app"):
        answer = setup.get(f"{path}?to={answered}", ("Accept", "text/event-stream"))
        assert answer.headers["location"] == passed


def test_rewrite_to_gives_the_backend_one_path_with_the_clients_arguments(setup: Setup) -> None:
    setup.start({"path": "/ws", "upstream": "tell", "rewrite_to": "/socket/websocket"},
                {"path": "^/v[0-9]$", "match": "regex", "upstream": "tell", "rewrite_to": "/v"})
    assert setup.heard("/ws/any/thing?x=a%2Fb") == "/socket/websocket?x=a%2Fb"
    assert setup.heard("/v7") == "/v"


def test_rewrite_to_takes_variables_of_nginx_and_of_the_inventory(setup: Setup) -> None:
    setup.start({"path": "/ws", "upstream": "tell", "rewrite_to": "/rooms/$arg_room/${scheme}"},
                {"path": "/chosen", "upstream": "tell", "rewrite_to": "/$chosen"},
                extra_config="set $chosen lobby; if ($arg_room = a%2Fb) { set $chosen special; }")
    assert setup.heard("/ws/x?room=a%2Fb") == "/rooms/a%2Fb/http?room=a%2Fb"
    assert setup.heard("/chosen/x?room=../etc") == "/lobby?room=../etc"
    assert setup.heard("/chosen?room=a%2Fb") == "/special?room=a%2Fb"


@WHERE
def test_proxy_redirect_replaces_the_beginning_of_location(setup: Setup, where: str) -> None:
    setup.serve_one(where, {"proxy_redirect": {"/login": "https://$host/login"}}, setup.redirecting.address)
    assert setup.get("/").headers["location"] == "https://a/login?next=%2Fa"


# --- only WebSockets, maintenance


def test_a_plain_request_to_a_websocket_is_told_to_upgrade(setup: Setup) -> None:
    setup.start({"path": "/ws", "upstream": "echo", "websocket_only": True, "response_headers": {"X-Site": "a"}})
    for headers in ([], [("Upgrade", "h2c"), ("Connection", "Upgrade")]):
        answer = setup.get("/ws", *headers)
        assert (answer.status, answer.headers["upgrade"], answer.headers["sec-websocket-version"]) == (
            426, "websocket", "13")
        assert answer.headers["x-site"] == "a"
        with Client(setup.address) as client:
            client.send("a", "/ws", headers)
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += client.socket.recv(1)
        assert "upgrade" in {value for name, value in fields(head) if name == "connection"}
    with Client(setup.address) as client:
        answer = client.ask("a", "/ws", UPGRADE)
        assert (answer.status, answer.headers["x-site"], answer.headers["upgrade"]) == (101, "a", "websocket")
        client.echo(b"hello")


@pytest.mark.parametrize("where", ["site", "location", "defaults"])
def test_maintenance_refuses_what_is_new_and_leaves_open_websockets(setup: Setup, where: str) -> None:
    location = {"path": "/", "upstream": "echo"}
    setup.start(location)
    with Client(setup.address) as client:
        assert client.ask("a", "/", UPGRADE).status == 101
        said = {"maintenance": True}
        setup.edge.reload({
            "upstreams": [{"name": "echo", "servers": [setup.echo]}],
            "site_defaults": said if where == "defaults" else {},
            "sites": [{"server_names": ["a"], "listen": [setup.address], **(said if where == "site" else {}),
                       "locations": [{**location, **(said if where == "location" else {})}]}]})
        for headers in ([], UPGRADE):
            answer = setup.get("/", *headers)
            assert (answer.status, answer.headers["retry-after"]) == (503, "120")
        client.echo(b"still here")


# --- files


def test_a_location_is_served_whose_site_is_in_maintenance_where_it_says_so(setup: Setup) -> None:
    setup.start({"path": "/x", "upstream": "tell", "maintenance": False}, maintenance=True)
    assert (setup.get("/x").status, setup.get("/y").status) == (200, 503)


def test_a_site_in_maintenance_is_so_for_paths_that_it_does_not_have(setup: Setup) -> None:
    setup.start({"path": "/x", "upstream": "tell"}, maintenance=True, response_headers={"X-Site": "a"})
    for path in ("/x", "/other"):
        answer = setup.get(path)
        assert (answer.status, answer.headers["retry-after"], answer.headers["x-site"]) == (503, "120", "a")


def test_hidden_files_are_no_matter_of_other_locations(setup: Setup) -> None:
    setup.start({"path": "/", "root": FOLDER}, {"path": "^/api/", "match": "regex", "respond": {"status": 203}},
                {"path": "/.env", "match": "exact", "root": FOLDER})
    assert (setup.get("/api/.hidden").status, setup.get("/.git/config").status, setup.get("/.env").status) == (
        203, 404, 404)


def test_files_are_served_and_nothing_hidden_or_outside(setup: Setup) -> None:
    setup.start({"path": "/", "root": FOLDER})
    assert {path: (setup.get(path).status, setup.get(path).body) for path in (
        "/", "/app.js", "/sub/", "/.well-known/security.txt")} == {
        "/": (200, b"the page"), "/app.js": (200, b"the script"), "/sub/": (200, b"another page"),
        "/.well-known/security.txt": (200, b"for everybody")}
    for path in ("/.env", "/%2eenv", "/.git/config", "/sub/../.env", "//.env", "/nothing"):
        assert setup.get(path).status == 404, path
    for path in ("/../etc/passwd", "/%2e%2e/etc/passwd", "/..%2f..%2fetc/passwd", "/sub/../../etc/passwd"):
        assert setup.get(path).status == 400, path
    assert setup.get("/app.js", method="POST").status == 405


def test_a_single_page_application_gets_its_page_for_every_path_of_its_own(setup: Setup) -> None:
    setup.start({"path": "/", "root": FOLDER, "try_files": ["$uri", "/index.html"], "expires": "epoch"},
                {"path": "/app.js", "match": "exact", "root": FOLDER, "expires": "1h"},
                {"path": "/ws", "upstream": "echo"})
    assert (setup.get("/rooms/7").status, setup.get("/rooms/7").body) == (200, b"the page")
    assert setup.get("/rooms/7").headers["cache-control"] == "no-cache"
    assert setup.get("/app.js").headers["cache-control"] == "max-age=3600"
    assert setup.get("/.env").status == 404
    with Client(setup.address) as client:
        assert client.ask("a", "/ws", UPGRADE).status == 101
        client.echo(b"hello")


def test_try_files_can_end_with_a_status(setup: Setup) -> None:
    setup.start({"path": "/", "root": FOLDER, "try_files": ["$uri", "$uri/", "=410"]})
    assert (setup.get("/nothing").status, setup.get("/sub/").body) == (410, b"another page")


# --- answers of nginx itself


@pytest.mark.parametrize(("redirect", "status", "location"), [
    ({"to": "/new"}, 308, "/new?x=a%2Fb"), ({"to": "/new", "status": 301}, 301, "/new?x=a%2Fb"),
    ({"to": "/new", "status": 302}, 302, "/new?x=a%2Fb"), ({"to": "/new", "status": 307}, 307, "/new?x=a%2Fb"),
    ({"to": "https://$host$request_uri", "status": 308}, 308, "https://a/old?x=a%2Fb"),
    ({"to": "/new?y=1"}, 308, "/new?y=1"), ({"to": "https://b.example/"}, 308, "https://b.example/?x=a%2Fb")])
def test_a_redirect_keeps_the_arguments(setup: Setup, redirect: dict[str, Any], status: int, location: str) -> None:
    setup.start({"path": "/old", "redirect": redirect})
    answer = setup.get("/old?x=a%2Fb", method="POST")
    assert (answer.status, answer.headers["location"]) == (status, location)


@pytest.mark.parametrize("body", [
    "ok\n", "", "User-agent: *\nDisallow: /*?*$\n\tx", '"; } return 500; #', "\\n\\", "grüße"])
def test_an_answer_has_the_body_that_the_inventory_says(setup: Setup, body: str) -> None:
    setup.start({"path": "/x", "match": "exact",
                 "respond": {"status": 203, "body": body, "content_type": "text/plain; charset=utf-8"}})
    answer = setup.get("/x")
    assert (answer.status, answer.body.decode(), answer.headers.get("content-type")) == (
        203, body, "text/plain; charset=utf-8")


def test_what_has_no_server_and_what_has_no_location_is_told_apart(setup: Setup) -> None:
    setup.start({"path": "/empty", "upstream": "empty"})
    assert (setup.get("/empty").status, setup.get("/other").status) == (503, 404)
    setup.start({"path": "/empty", "upstream": "empty"}, {"path": "/", "redirect": {"to": "/empty"}})
    assert setup.get("/other").status == 308


# --- keys


def test_response_headers_are_added_replaced_and_removed_on_every_answer(setup: Setup) -> None:
    setup.start({"path": "/", "upstream": "redirect", "response_headers": {"x-powered-by": None, "X-Two": "location"}},
                {"path": "/own", "respond": {"status": 404}}, {"path": "/ws", "upstream": "echo"},
                response_headers={"X-Two": "site", "X-Frame-Options": "DENY", "X-Kept": None},
                defaults={"response_headers": {"X-Three": "defaults", "X-Kept": "defaults", "X-Frame-Options": "d"}})
    answer = setup.get("/")
    assert {name: value for name, value in answer.headers.items() if name.startswith("x-")} == {
        "x-two": "location", "x-frame-options": "DENY", "x-three": "defaults"}
    for path, headers in (("/own", []), ("/ws", UPGRADE)):
        answer = setup.get(path, *headers)
        assert answer.status in (404, 101)
        assert "x-kept" not in answer.headers
        assert (answer.headers["x-two"], answer.headers["x-frame-options"]) == ("site", "DENY")


@pytest.mark.parametrize(("host", "heard"), [
    (None, "a:{port}"), ("$websocket_proxy_host", "a:{port}"), ("$host", "a"), ("$http_host", "A:{port}"),
    ("backend.example", "backend.example"),
    ("b.example:8080", "b.example:8080")])
def test_the_backend_gets_the_host_that_the_inventory_says(setup: Setup, host: str | None, heard: str) -> None:
    setup.start({"path": "/", "upstream": "tell", **({"host": host} if host else {})})
    port = setup.address.rsplit(":", 1)[1]
    with Client(setup.address) as client:
        told = dict(fields(client.ask(f"A:{port}", "/").body))
    assert told["host"] == heard.format(port=port)


def test_a_subrequest_for_permission_goes_without_the_body(setup: Setup) -> None:
    setup.start({"path": "/permission", "match": "exact", "upstream": "tell", "extra_config":
                 'internal;\nproxy_pass_request_body off;\nproxy_set_header Content-Length "";\n'
                 'proxy_set_header Upgrade "";\nproxy_set_header Connection "";'},
                {"path": "/", "upstream": "tell", "extra_config": "auth_request /permission;"})
    setup.backend.forget()
    assert post(setup, "/x", 5) == 200
    permission, request = setup.backend.heads
    assert "content-length" not in dict(fields(permission)) and dict(fields(request))["content-length"] == "5"


def post(setup: Setup, path: str, length: int) -> int:
    """Send a request with a body; return the status."""
    with Client(setup.address) as client:
        client.send("a", path, [("Content-Length", str(length))], method="POST")
        client.socket.sendall(bytes(length))
        return client.answer().status


def test_a_body_that_many_applications_take_passes_where_nothing_is_said(setup: Setup) -> None:
    setup.start({"path": "/", "upstream": "tell"})
    assert post(setup, "/", 20 << 20) == 200
    setup.start({"path": "/", "upstream": "tell", "extra_config": "client_max_body_size 5k;"})
    assert (post(setup, "/", 5120), post(setup, "/", 5121)) == (200, 413)
    setup.start({"path": "/", "upstream": "tell"}, extra_config="client_max_body_size 5k;")
    assert (post(setup, "/", 5120), post(setup, "/", 5121)) == (200, 413)


def test_client_max_body_size_is_each_locations_own(setup: Setup) -> None:
    setup.start({"path": "/small", "upstream": "tell", "client_max_body_size": "1k"},
                {"path": "/any", "upstream": "tell", "client_max_body_size": 0}, {"path": "/site", "upstream": "tell"},
                client_max_body_size="2k")
    assert [post(setup, path, length) for path, length in (("/small", 1024), ("/small", 1025), ("/site", 2048),
                                                           ("/site", 2049))] == [200, 413, 200, 413]
    assert post(setup, "/any", 2 << 20) == 200


def test_gzip_is_each_locations_own(setup: Setup) -> None:
    accept = ("Accept-Encoding", "gzip")
    setup.edge.container.write({f"{FOLDER}/long.html": "x" * 4096})
    setup.edge.container.write({f"{FOLDER}/other.html": "x" * 4096})
    for site, one in ((None, False), (False, True)):
        setup.start({"path": "/", "root": FOLDER},
                    {"path": "/long.html", "match": "exact", "root": FOLDER, "gzip": one}, gzip=site)
        encodings = [setup.get(path, accept).headers.get("content-encoding") for path in ("/other.html", "/long.html")]
        assert encodings == (["gzip", None] if one is False else [None, "gzip"])


def test_each_location_has_its_own_log_in_the_format_that_it_says(setup: Setup) -> None:
    logs = {name: f"/var/log/nginx/{name}.log" for name in ("one", "two")}
    setup.edge.container.shell("rm -f /var/log/nginx/one.log /var/log/nginx/two.log; : > /var/log/nginx/access.log")
    setup.start({"path": "/one", "upstream": "tell", "access_log": logs["one"], "access_log_format": "websocket"},
                {"path": "/two", "upstream": "tell", "access_log": logs["two"], "access_log_format": "combined"},
                {"path": "/off", "upstream": "tell", "access_log": "off"}, {"path": "/other", "upstream": "tell"},
                access_log_format="websocket")
    for path in ("/one", "/two", "/off", "/other"):
        assert setup.get(path).status == 200
    read = setup.edge.container.shell
    wait_until(lambda: read("cat /var/log/nginx/access.log"))
    assert "host=a upgrade= seconds=0." in read(f"cat {logs['one']}")
    assert f"upstream={setup.backend.address}" in read(f"cat {logs['one']}")
    assert read(f"cut -d' ' -f6,7 {logs['two']}") == '"GET /two\n'
    assert "host=" not in read(f"cat {logs['two']}") and "host=a" in read("cat /var/log/nginx/access.log")
    assert [line.split()[6] for line in read("cat /var/log/nginx/access.log").splitlines()] == ["/other"]


@EVERY
def test_no_client_writes_a_field_of_the_log(setup: Setup) -> None:
    log = "/var/log/nginx/fields.log"
    setup.edge.container.shell(f"rm -f {log}")
    setup.start({"path": "/", "upstream": "tell", "access_log": log, "access_log_format": "websocket"},
                listen=[{"address": setup.address.split(":")[0], "port": int(setup.address.split(":")[1]),
                         "default_server": True}])
    hostile = ["6.6.6.6 - -", 'x [1/Jan/2000:00:00:00 +0000] "GET /forged HTTP/1.1" 200',
               "a upgrade=websocket seconds=9", "a\tb", 'a"b', "a=b", "ü"]
    for value in hostile:
        user = base64.b64encode(f"{value}:secret".encode()).decode()
        assert setup.get("/", ("Authorization", f"Basic {user}")).status == 200
        with Client(setup.address) as client:
            # Newer versions refuse an invalid host.
            assert client.ask(value, "/").status in (200, 400)
    assert setup.get("/", ("Authorization", "Basic " + base64.b64encode(b"anna:x").decode())).status == 200
    wait_until(lambda: " - anna [" in setup.edge.container.shell(f"cat {log}"))
    field = r'"(?:[^"\\]|\\x[0-9A-F]{2})*"'
    form = (rf"127\.0\.0\.1 - \S+ \[\S+ \+0000\] {field} \d+ \d+ {field} {field} "
            r"host=\S* upgrade= seconds=[\d.]+ received=\d+ sent=\d+ upstream=\S+ connect=\S+ header=\S+")
    lines = setup.edge.container.shell(f"cat {log}").splitlines()
    assert len(lines) > len(hostile)
    assert [one for one in lines if not re.fullmatch(form, one)] == []


def test_a_site_says_where_its_locations_log(setup: Setup) -> None:
    log, own = "/var/log/nginx/site.log", "/var/log/nginx/own.log"
    setup.edge.container.shell(f"rm -f {log} {own}")
    setup.start({"path": "/one", "upstream": "tell"}, {"path": "/own", "upstream": "tell", "access_log": own},
                access_log=log)
    for path in ("/one", "/own", "/other"):
        assert setup.get(path).status in (200, 404)
    wait_until(lambda: [setup.edge.container.shell(f"cut -d' ' -f7 {name}").split() for name in (log, own)] == [
        ["/one", "/other"], ["/own"]])


@WHERE
@pytest.mark.parametrize(("buffering", "early"), [(False, True), (True, False)])
def test_what_is_not_buffered_comes_as_it_is_sent(setup: Setup, where: str, buffering: bool, early: bool) -> None:
    go_on = threading.Event()

    def serve(_backend: Backend, connection: Any) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf")
        go_on.wait(SECONDS)
        connection.sendall(b"done")

    slow = Backend(serve)
    setup.serve_one(where, {"buffering": buffering}, slow.address)
    with Client(setup.address, SECONDS if early else 1) as client:
        client.send("a", "/")
        try:
            while not client.socket.recv(65536).endswith(b"half"):
                pass
            came = True
        except TimeoutError:
            came = False
    assert came is early
    go_on.set()
    slow.close()


def _large(backend: Backend, connection: Any) -> None:
    backend.heads.append(connection.recv(65536))
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Large: " + b"x" * 12000 + b"\r\nContent-Length: 2\r\n\r\nok")


@WHERE
def test_buffer_size_has_room_for_large_headers(setup: Setup, where: str) -> None:
    large = Backend(_large)
    for said, status in (({}, 502), ({"buffer_size": "16k"}, 200)):
        setup.serve_one(where, said, large.address)
        assert setup.get("/").status == status
    large.close()


def _flood(backend: Backend, connection: Any) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
    backend.heads.append(connection.recv(65536))
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % FLOOD)
    for _piece in range(FLOOD >> 16):
        connection.sendall(bytes(65536))


@WHERE
@pytest.mark.parametrize(("buffers", "taken"), [(8, False), (1024, True)])
def test_so_many_buffers_take_of_an_answer_what_the_client_has_not_read(
        setup: Setup, where: str, buffers: int, taken: bool) -> None:
    flood = Backend(_flood)
    setup.serve_one(where, {"buffer_size": "64k", "buffers": buffers, "extra_config": "proxy_max_temp_file_size 0;"},
                    flood.address)
    with Client(setup.address) as client:
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        client.send("a", "/")
        wait_until(lambda: flood.heads)
        if taken:
            wait_until(lambda: not flood.open)
        else:
            time.sleep(1)
            assert flood.open
    flood.close()


@WHERE
@pytest.mark.parametrize(("key", "sent"), [("client_body_timeout", b"half"), ("keepalive_timeout", b"")])
def test_a_client_that_waits_too_long_is_given_up(setup: Setup, where: str, key: str, sent: bytes) -> None:
    setup.serve_one(where, {key: "1s"}, setup.backend.address)
    started = time.monotonic()
    with Client(setup.address) as client:
        if sent:
            client.send("a", "/", [("Content-Length", "100")], method="POST")
            client.socket.sendall(sent)
        else:
            assert client.ask("a", "/").status == 200
        client.seconds_until_closed()
    assert time.monotonic() - started > 0.9


@WHERE
def test_a_client_that_reads_nothing_is_given_up_when_client_send_timeout_ends(setup: Setup, where: str) -> None:
    setup.serve_one(where, {"client_send_timeout": "1s"}, setup.echo)
    with Client(setup.address) as client:
        assert client.ask("a", "/", UPGRADE).status == 101
        client.socket.settimeout(0.2)
        frame = bytes([0x82, 0xFE]) + (60000).to_bytes(2, "big") + bytes(4) + bytes(60000)
        deadline = time.monotonic() + SECONDS
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            while time.monotonic() < deadline:
                try:
                    client.socket.sendall(frame)
                except TimeoutError:
                    continue


def test_what_the_defaults_say_holds_where_a_site_says_nothing(setup: Setup) -> None:
    setup.start({"path": "/", "upstream": "tell"}, {"path": "/own", "upstream": "tell", "host": "own.example"},
                defaults={"host": "defaults.example", "request_headers": {"X-Edge": "defaults", "X-Two": "defaults"}},
                request_headers={"x-two": "site"})
    told = dict(fields(setup.get("/").body))
    assert (told["host"], told["x-edge"], told["x-two"]) == ("defaults.example", "defaults", "site")
    assert dict(fields(setup.get("/own").body))["host"] == "own.example"
