"""Access control by networks, passwords, and authentication servers, for every type of request behind a path."""

from __future__ import annotations

import base64
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.backends import PLAIN, Backend, numbered
from tests.support.client import Answer, fields, get, head_of
from tests.support.edge import Edge
from tests.support.releases import EVERY
from tests.support.served import UPGRADE, Served

pytestmark = EVERY
STREAM = [("Accept", "text/event-stream")]
FORGED = [(name, "forged") for name in ("Remote-User", "remote_user", "X-Own-User")]


@dataclass
class Setup(Served):
    """An edge, a backend that records requests, and an authentication server."""

    taking: Backend
    asked: Backend
    users: dict[str, str]

    def start(self, site: dict[str, Any] | None = None, **location: Any) -> None:
        """Serve a location with access control, or a site with it."""
        self.taking.forget()
        self.asked.forget()
        self.serve({"server_names": ["a"], "upstream": None, "allowed_origins": "any", **(site or {}), "locations": [
            {"path": "/", "upstream": "taking", **location},
            {"path": "/respond", "respond": {"body": "well"}}]},
            upstreams=[{"name": "taking", "servers": [self.taking.address]},
                       {"name": "asked", "servers": [self.asked.address]}])

    def ways(self, *headers: tuple[str, str]) -> list[int]:
        """Return the statuses of a page, a POST with a body, an event stream and a handshake."""
        body = [("Content-Length", "0")]
        return [get(self.address, "a", "/x?y=1", [*kind, *headers], method).status for kind, method in (
            ([], "GET"), (body, "POST"), (STREAM, "GET"), (UPGRADE, "GET"))]

    def page(self, *headers: tuple[str, str]) -> Answer:
        """Request a page."""
        return get(self.address, "a", "/x?y=1", headers)

    def told(self, name: str) -> set[str]:
        """Return the values of a header in all requests that reached the backend."""
        return {value for head in self.taking.heads for key, value in fields(head)
                if key.replace("_", "-") == name.lower()}


def credentials(user: str, password: str = "") -> tuple[str, str]:
    """Return the header of a user with a password; the default password is the user's name."""
    return "Authorization", "Basic " + base64.b64encode(f"{user}:{password or user}".encode()).decode()


def _asked(backend: Backend, connection: socket.socket) -> None:
    """Let requests with a cookie in; the cookie names the user."""
    while head := head_of(connection):
        backend.heads.append(head)
        told = dict(fields(head))
        who = told.get("cookie", "").removeprefix("session=")
        if who == "slow":
            continue
        if who == "broken":
            answer = b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"
        elif who == "stranger":
            answer = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"
        elif who:
            answer = (PLAIN % (2, b"ok")).replace(b"\r\n", f"\r\nRemote-User: {who}\r\nX-Own-User: {who}\r\n"
                                                  "Set-Cookie: seen=1\r\n".encode(), 1)
        else:
            answer = b"HTTP/1.1 401 Who\r\nLocation: https://login.example/?to=here\r\nContent-Length: 0\r\n\r\n"
        connection.sendall(answer)


@pytest.fixture(name="setup", scope="module")
def setup_(serving: Edge) -> Iterator[Setup]:
    """Start the backends; make a hash of each type with the release's own libraries."""
    taking, asked = numbered(1), Backend(_asked)
    users = {user: serving.container.shell(f"openssl passwd {option} {user}").strip()
             for user, option in (("six", "-6"), ("five", "-5"), ("apache", "-apr1"))}
    users |= {user: serving.container.shell(f"perl -e 'print crypt(\"{user}\", $ARGV[0])' '{salt}'") for user, salt in (
        ("blowfish", "$2b$05$abcdefghijklmnopqrstuu"), ("yescrypt", "$y$j9T$abcdefghijklmnop"))}
    with Setup.on(serving, taking=taking, asked=asked, users=users) as setup:
        yield setup
    taking.close()
    asked.close()


# --- networks


@pytest.mark.parametrize(("keys", "passes"), [
    ({"allow": ["127.0.0.0/8"]}, True), ({"allow": ["10.0.0.0/8"]}, False), ({"deny": ["127.0.0.1"]}, False),
    ({"deny": ["10.0.0.0/8"]}, True), ({"allow": ["127.0.0.0/8"], "deny": ["127.0.0.1"]}, False),
    ({"deny": ["all"]}, False), ({"allow": ["all"]}, True),
    ({"allow": ["10.0.0.0/8", "all"], "deny": ["127.0.0.1"]}, False)], ids=str)
@pytest.mark.parametrize("on", ["site", "location"])
def test_networks_hold_for_every_way(setup: Setup, keys: dict[str, Any], passes: bool, on: str) -> None:
    setup.start(keys if on == "site" else None, **(keys if on == "location" else {}))
    assert setup.ways() == ([200, 200, 200, 101] if passes else [403] * 4)
    assert get(setup.address, "a", "/respond").status == 200


def test_the_address_is_what_a_trusted_proxy_tells(setup: Setup) -> None:
    setup.start({"trusted_proxies": ["127.0.0.1"], "allow": ["192.0.2.0/24"]})
    assert setup.ways(("X-Forwarded-For", "192.0.2.7")) == [200, 200, 200, 101]
    assert setup.ways(("X-Forwarded-For", "198.51.100.7")) == setup.ways() == [403] * 4
    setup.start({"allow": ["192.0.2.0/24"]})
    assert setup.ways(("X-Forwarded-For", "192.0.2.7")) == [403] * 4


def test_a_location_has_its_own_networks_or_its_sites(setup: Setup) -> None:
    setup.start({"deny": ["127.0.0.1"]}, allow=["127.0.0.1"])
    assert setup.ways() == [403] * 4
    setup.start({"deny": ["127.0.0.1"]}, deny=[])
    assert setup.ways() == [200, 200, 200, 101]
    setup.start({"allow": ["10.0.0.0/8"]}, deny=["10.0.0.1"])
    assert setup.ways() == [403] * 4
    setup.start({"deny": ["127.0.0.1"], "maintenance": True})
    assert setup.ways() == [503] * 4


# --- passwords


def test_passwords_of_each_kind_let_users_in_and_the_backend_knows_them(setup: Setup) -> None:
    setup.start(auth={"basic": {"realm": "the edge", "users": setup.users}})
    for user in setup.users:
        assert setup.ways(credentials(user)) == [200, 200, 200, 101], user
        assert setup.ways(credentials(user, "wrong")) == [401] * 4
    assert setup.ways() == [401] * 4 and setup.ways(credentials("nobody")) == [401] * 4
    assert setup.page().headers["www-authenticate"] == 'Basic realm="the edge"'
    setup.taking.forget()
    assert setup.page(*FORGED, credentials("six")).status == 200
    assert setup.told("Remote-User") == {"six"} and setup.told("Authorization") == set()


def test_a_password_file_of_the_hosts_own_is_read(setup: Setup) -> None:
    setup.edge.container.write({"/etc/nginx/own_users": f"six:{setup.users['six']}\n"})
    setup.start({"auth": {"basic": {"file": "/etc/nginx/own_users"}}})
    assert setup.ways(credentials("six")) == [200, 200, 200, 101] and setup.ways() == [401] * 4


def test_a_client_that_passes_by_its_address_has_no_user_name(setup: Setup) -> None:
    setup.start(allow=["127.0.0.1"], auth={"basic": {"users": setup.users}, "satisfy": "any"})
    assert setup.ways(*FORGED, credentials("admin", "wrong")) == [200, 200, 200, 101]
    assert setup.told("Remote-User") == set() == setup.told("Authorization")
    setup.start(allow=["10.0.0.1"], auth={"basic": {"users": setup.users}, "satisfy": "any"})
    assert setup.ways() == [401] * 4 and setup.ways(credentials("six")) == [200, 200, 200, 101]
    setup.start(allow=["10.0.0.1"], auth={"basic": {"users": setup.users}})
    assert setup.ways(credentials("six")) == [403] * 4


def test_a_location_can_be_open_on_a_guarded_site(setup: Setup) -> None:
    setup.start({"auth": {"basic": {"users": setup.users}}}, auth=False)
    assert setup.ways() == [200, 200, 200, 101]


# --- an authentication server


def ask(**more: Any) -> dict[str, Any]:
    """Return ``auth`` with the request to the authentication server."""
    return {"request": {"upstream": "asked", "path": "/auth?app=a", "response_headers": ["Remote-User", "X-Own-User"],
                        "timeout": "1s", **more}}


def test_a_server_lets_in_whom_it_knows_and_the_backend_hears_who_it_is(setup: Setup) -> None:
    setup.start(auth=ask())
    assert setup.ways() == [401] * 4 and not setup.taking.heads
    assert setup.ways(("Cookie", "session=stranger"), *FORGED) == [403] * 4
    assert setup.ways(("Cookie", "session=broken")) == [500] * 4 and not setup.taking.heads
    assert setup.ways(("Cookie", "session=alice"), *FORGED) == [200, 200, 200, 101]
    assert setup.told("Remote-User") == setup.told("X-Own-User") == {"alice"}
    assert setup.page(("Cookie", "session=alice")).headers["set-cookie"] == "seen=1"
    assert setup.page(("Cookie", "session=slow")).status == 500


def test_the_server_hears_what_is_asked_for_and_of_no_upgrade_or_body(setup: Setup) -> None:
    setup.start(auth=ask(request_headers={"X-App": "chat"}))
    setup.ways(("Cookie", "session=alice"), ("X-Original-URI", "/forged"), ("X-Forwarded-Method", "forged"))
    heads = setup.asked.heads
    assert len(heads) == 4 and {head.split(b"\r\n")[0] for head in heads} == {b"GET /auth?app=a HTTP/1.1"}
    for head, method in zip(heads, ("GET", "POST", "GET", "GET"), strict=True):
        told = dict(fields(head))
        assert told["x-original-uri"] == told["x-forwarded-uri"] == "/x?y=1"
        assert told["x-original-url"] == "http://a/x?y=1" and told["x-forwarded-host"] == told["host"] == "a"
        assert told["x-original-method"] == told["x-forwarded-method"] == method and told["x-app"] == "chat"
        assert (told["x-real-ip"], told["x-forwarded-proto"]) == ("127.0.0.1", "http")
        assert not {"upgrade", "connection", "content-length", "sec-websocket-key"} & told.keys()


def test_pages_are_sent_to_log_in_and_live_connections_are_not(setup: Setup) -> None:
    for login, to in (("https://login.example/?rd=$scheme://$host/", "https://login.example/?rd=http://a/"),
                      ("answer", "https://login.example/?to=here")):
        setup.start(auth=ask(login=login))
        assert setup.ways() == [302, 302, 401, 401]
        assert setup.page().headers["location"] == to
        assert setup.ways(("Cookie", "session=stranger")) == [403] * 4


def test_nothing_around_makes_another_answer_of_a_refusal(setup: Setup) -> None:
    setup.edge.container.write({"/srv/page/login": "log in"})
    setup.serve({"server_names": ["a"], "upstream": "taking", "auth": ask(), "allowed_origins": "any",
                 "extra_config": "proxy_intercept_errors on;\nerror_page 401 403 500 502 =200 /login;\n"
                                 "location = /login { root /srv/page; }\nproxy_cache tests; proxy_cache_valid any 1m;\n"
                                 "proxy_ignore_headers Cache-Control Set-Cookie;"},
                upstreams=[{"name": "taking", "servers": [setup.taking.address]},
                           {"name": "asked", "servers": [setup.asked.address]}],
                extra_config="proxy_cache_path /tmp/cache keys_zone=tests:1m;")
    setup.taking.forget()
    assert setup.page(("Cookie", "session=alice")).status == 200
    seen = len(setup.taking.heads)
    for cookie in ([], [("Cookie", "session=stranger")], [("Cookie", "session=broken")], [("Cookie", "session=slow")]):
        assert setup.page(*cookie).body == b"log in"
    assert len(setup.taking.heads) == seen


def test_identity_headers_cannot_be_forged_on_locations_without_auth(setup: Setup) -> None:
    setup.serve({"server_names": ["a"], "upstream": "taking", "auth": ask(), "allowed_origins": "any", "locations": [
        {"path": "/x", "upstream": "taking", "auth": False}]}, {"server_names": ["b"], "upstream": "taking"},
        upstreams=[{"name": "taking", "servers": [setup.taking.address]},
                   {"name": "asked", "servers": [setup.asked.address]}])
    setup.taking.forget()
    for host in ("a", "b"):
        assert get(setup.address, host, "/x", FORGED).status == 200
    assert not any(b"X-Own-User" in head or b"Remote-User" in head for head in setup.taking.heads)
    setup.start({"trusted_proxies": ["127.0.0.1"]}, allow=["127.0.0.1"],
                auth={"basic": {"users": setup.users}, "satisfy": "any"})
    assert setup.page(("Remote-User", "forged")).status == 200 and setup.told("Remote-User") == set()


def test_a_path_that_the_backend_may_resolve_is_refused_before_a_server_decides_by_it(setup: Setup) -> None:
    setup.serve({"server_names": ["a"], "upstream": "taking", "auth": ask(), "allowed_origins": "any"},
                upstreams=[{"name": "taking", "servers": [setup.taking.address]},
                           {"name": "asked", "servers": [setup.asked.address]}])
    assert get(setup.address, "a", "/public/../admin", [("Cookie", "session=alice")]).status == 400


def test_clients_cannot_request_the_internal_location_of_auth_request(setup: Setup) -> None:
    setup.start(auth=ask())
    for path in ("/websocket_proxy_auth_1", "/x/../websocket_proxy_auth_1", "//websocket_proxy_auth_1"):
        assert get(setup.address, "a", path).status in (400, 401, 404)
    assert not any(b"GET /websocket" in head for head in setup.asked.heads)


def test_both_have_to_let_in_or_one_of_them(setup: Setup) -> None:
    both = {**ask(), "basic": {"users": setup.users}}
    cookie = ("Cookie", "session=alice")
    for satisfy, one, two in (("all", 401, 200), ("any", 200, 200)):
        setup.start(auth={**both, "satisfy": satisfy})
        assert setup.page(cookie).status == setup.page(credentials("six")).status == one
        assert setup.page(cookie, credentials("six")).status == two and setup.page().status == 401


@pytest.mark.parametrize("keys", [{"websocket_only": True}, {"separate_live": False}, {"event_streams": False},
                                  {"path": "/x", "strip_prefix": False}], ids=str)
def test_no_kind_of_location_lets_anybody_by(setup: Setup, keys: dict[str, Any]) -> None:
    setup.start(auth=ask(login="https://login.example/"), **keys)
    assert not {200, 101} & set(setup.ways()) and not setup.taking.heads
    assert setup.ways(("Cookie", "session=alice"))[3] == 101


def test_files_are_guarded_and_a_preflight_is_like_any_request(setup: Setup) -> None:
    setup.edge.container.write({"/srv/guarded/x": "a file"})
    setup.start(upstream=None, root="/srv/guarded", auth=ask())
    assert (setup.page().status, setup.page(("Cookie", "session=alice")).status) == (401, 200)
    setup.start(auth=ask())
    assert get(setup.address, "a", "/", [("Access-Control-Request-Method", "GET")], "OPTIONS").status == 401
