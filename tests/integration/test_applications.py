"""Real applications behind the edge, over TLS on another port than 443: they work, and accept no foreign Origin.

Applications that are slow to install are in test_more_applications.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support.edge import Edge
from tests.support.ports import free_port
from tests.support.published import NAME, Published, installed
from tests.support.releases import NEWEST
from tests.support.soak import SOAK

PREFIXES = pytest.mark.parametrize("prefix", ["", "/tools"], ids=["root", "prefix"])


@pytest.fixture(scope="module")
def programs() -> Path:
    """Install the applications; return the folder of their programs."""
    return installed("requirements")


@pytest.fixture(name="site", params=[0, 8443] if SOAK else [0], ids=["own-port", "mapped-port"][:2 if SOAK else 1])
def site_(serving: Edge, request: pytest.FixtureRequest) -> Iterator[Published]:
    """Provide a site without an application."""
    yield Published(serving, request.param)
    serving.stop()


@NEWEST
@PREFIXES
def test_django_takes_a_form_and_a_websocket_of_its_own_origin(site: Published, programs: Path, prefix: str) -> None:
    site.serve_as_documented("Django with Channels", prefix)
    with site.running(programs / "daphne", "--port", site.backend, f"--root-path={prefix}", "django_app:application"):
        token = site.get(f"{prefix}/form")[1]
        how = {"Cookie": f"csrftoken={token}", "X-CSRFToken": token}
        assert site.get(f"{prefix}/form", b"", **how, Origin=site.origin) == (200, "taken")
        for origin in site.foreign:
            assert site.get(f"{prefix}/form", b"", **how, Origin=origin)[0] == 403
        with site.open(f"{prefix}/ws") as connection:
            connection.send("x")
            assert connection.recv(10) == "x"
        # Channels compares only names, not ports.
        assert site.refused(f"{prefix}/ws", site.foreign[:1]) == {403}


@NEWEST
def test_a_client_leads_django_past_no_location(site: Published, programs: Path) -> None:
    site.serve(locations=[{"path": "/form", "match": "exact", "respond": {"status": 403}},
                          {"path": "/", "upstream": "app"}])
    with site.running(programs / "daphne", "--port", site.backend, "django_app:application"):
        assert site.get("/form")[0] == 403
        # Daphne removes this prefix from the path, whoever sends it.
        assert site.get("/x/form", **{"Daphne-Root-Path": "/x"})[0] == 404


@NEWEST
def test_an_edge_asks_django_who_somebody_is(site: Published, programs: Path) -> None:
    site.serve(allowed_origins="same_host", auth={"request": {
        "upstream": "app", "path": "/who", "response_headers": ["Remote-User"],
        "login": "https://$http_host/login"}}, locations=[
            {"path": "/", "upstream": "app"}, {"path": "/login", "upstream": "app", "auth": False}])
    with site.running(programs / "daphne", "--port", site.backend, "django_app:application"):
        assert site.get("/told")[0] == 302
        assert site.refused("/ws", [site.origin]) == {401}
        _status, _body, cookie = site.ask("/login?user=alice")
        how = {"Cookie": cookie.split(";")[0]}
        assert site.get("/told", **how, **{"Remote-User": "mallory"}) == (200, "alice")
        forged = {"Cookie": f"{how['Cookie']}x"}
        assert site.get("/told", **forged)[0] == 302
        with site.open("/ws", additional_headers=how) as connection:
            connection.send("x")
            assert connection.recv(10) == "x"
        assert site.refused("/ws", site.foreign, additional_headers=how) == {403}


@NEWEST
def test_a_session_proxy_logs_a_visitor_in_for_pages_and_websockets(
        site: Published, programs: Path, tmp_path: Path) -> None:
    proxy = free_port()
    ask = {"upstream": "proxy", "path": "/auth/verify", "login": "https://$http_host/auth/login?rd=$request_uri",
           "request_headers": {"X-Forwarded-Uri": None}}

    def serve(**more: Any) -> None:
        site.serve(others=[{"name": "proxy", "servers": [f"127.0.0.1:{proxy}"]}], allowed_origins="same_host",
                   auth={"request": {**ask, **more}}, locations=[
                       {"path": "/", "upstream": "app"}, {"path": "/auth/", "upstream": "proxy", "auth": False}])

    serve()
    users = tmp_path / "users.json"
    users.write_text(json.dumps({"alice": {"password": "open"}}))
    with (site.running(programs / "daphne", "--port", site.backend, "django_app:application"),
          site.running_on(proxy, programs / "python", programs / "authwert", "--port", proxy, "--domain", NAME,
                          "--rootpath", "/auth", "--cookieid", "session", "--userinf", users)):
        assert site.get("/told")[0] == 302
        assert site.refused("/ws", [site.origin]) == {401}
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        assert site.get("/auth/login?rd=/told", b"username=alice&password=wrong", **form)[0] == 403
        status, _body, cookie = site.ask("/auth/login?rd=/told", b"username=alice&password=open", **form)
        how = {"Cookie": cookie}
        assert status == 303 and site.get("/told", **how) == (200, "nobody")
        with site.open("/ws", additional_headers=how) as connection:
            connection.send("x")
            assert connection.recv(10) == "x"
        assert site.refused("/ws", site.foreign, additional_headers=how) == {403}
        # If the session proxy gets X-Forwarded-Uri, it answers with its own redirect, which nginx treats as an error.
        serve(request_headers={})
        assert site.get("/told")[0] == 500 and site.get("/told", **how)[0] == 200
        serve()
        assert site.get("/auth/login?logout=1", **how)[0] == 200
        assert site.get("/told", **how)[0] == 302
        assert site.refused("/ws", [site.origin], additional_headers=how) == {401}


@pytest.fixture(name="socketio")
def socketio_(programs: Path) -> Iterator[list[str]]:
    """Run two servers that do not know each other; provide their addresses."""
    ports = [free_port(), free_port()]
    with ExitStack() as stack:
        for port in ports:
            stack.enter_context(Published.running_on(
                port, programs / "uvicorn", "socketio_app:application", "--port", port))
        yield [f"127.0.0.1:{port}" for port in ports]


@NEWEST
def test_socketio_on_several_servers_keeps_each_client_at_its_own(site: Published, socketio: list[str]) -> None:
    site.serve_as_documented("Socket.IO", "", *socketio)
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


@NEWEST
@pytest.mark.parametrize(("balancing", "query"), [
    ({"hash": {"key": "$arg_client", "consistent": True}}, "?client={}"), ("ip_hash", "")], ids=["argument", "address"])
def test_socketio_clients_without_cookies_stay_at_their_servers(
        site: Published, programs: Path, socketio: list[str], balancing: object, query: str) -> None:
    site.serve(*socketio, upstream={"load_balancing": balancing},
               locations=[{"path": "/socket.io/", "upstream": "app"}])
    found = site.client(programs, "socketio_client.py", query, 8)
    assert [(one.get("said"), one.get("transport"), len(one.get("answered", []))) for one in found] == [
        ([f"hello {number}"], "websocket", 1) for number in range(8)], found
    servers = {one["answered"][0] for one in found}
    # All clients have one address, and each has its own query argument.
    assert len(servers) == (1 if balancing == "ip_hash" else 2)


@NEWEST
def test_sticky_loses_socketio_clients_without_cookies(site: Published, socketio: list[str]) -> None:
    site.serve_as_documented("Socket.IO", "", *socketio)
    statuses = set()
    for _client in range(20):
        path = "/socket.io/?EIO=4&transport=polling"
        statuses.add(site.get(f"{path}&sid={json.loads(site.get(path)[1][1:])['sid']}", b"40")[0])
    assert statuses == {200, 400}


@NEWEST
@PREFIXES
def test_mosquitto_brings_a_message_back_over_a_websocket(site: Published, programs: Path, prefix: str) -> None:
    site.serve_as_documented("Mosquitto", prefix)
    site.edge.container.write({"/tmp/mosquitto.conf": f"listener {site.backend} 127.0.0.1\nprotocol websockets\n"
                               "allow_anonymous true\n"})
    with site.running_on_the_edge("mosquitto -c /tmp/mosquitto.conf"):
        assert site.client(programs, "mqtt_client.py", f"{prefix}/mqtt") == [["rooms/7", 100000]]
        assert site.get(f"{prefix}/mqtt")[0] == 426
