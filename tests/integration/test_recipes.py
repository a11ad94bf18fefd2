"""The inventories of the documentation, served unchanged and tested with requests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from tests.support.container import Container
from tests.support.edge import Edge
from tests.support.pki import Authority
from tests.support.recipes import recipes
from tests.support.releases import EVERY

# The address of nginx, and those from which the balancer of one recipe and another client send requests.
EDGE, BALANCER, CLIENT = "127.0.0.1:80", "10.0.0.99", "192.0.2.99"
CA = Authority("internal")
INTERNAL = CA.issue("app.internal.example")
Ask = Callable[..., list[dict[str, Any]]]


@pytest.fixture(name="ask", scope="module")
def ask_(image: str) -> Iterator[Ask]:
    """Provide a function that serves a recipe and sends requests to it."""
    container = Container(image, "none", "--cap-add", "NET_ADMIN")
    edge = Edge(container)
    container.write({"/srv/example/index.html": "the page", "/srv/example/assets/app.js": "a script",
                     "/srv/example/.env": "a secret", "/etc/ssl/internal-ca.pem": CA.certificate,
                     "/root/internal.pem": INTERNAL.certificate + INTERNAL.key})
    container.write({"/srv/shop/current/public/app.css": "a style", "/srv/shop/current/public/index.php":
                     "<?php $uri = $_SERVER['REQUEST_URI']; header('Content-Length: ' . strlen($uri)); echo $uri;"})
    container.shell("mkdir -p /run/jupyter /run/php; $(ls /usr/sbin/php-fpm*) --daemonize; "
                    "ln -s $(ls /run/php/php*-fpm.sock) /run/php/php-fpm.sock")
    container.shell(f"for address in {BALANCER} {CLIENT} 10.0.0.12 10.0.0.13 10.0.1.1 10.0.1.2; "
                    "do ip address add $address/32 dev lo; done")

    def ask(name: str, questions: Sequence[dict[str, Any]], certificate: str = "") -> list[dict[str, Any]]:
        recipe = recipes()[name]
        hosts = [host for group, names in recipe["groups"].items() if group != "websocket_proxies" for host in names]
        container.shell("".join(f"echo '127.0.1.{number} {host}' >> /etc/hosts; "
                                for number, host in enumerate(hosts, start=1)))
        model = edge.compiled({key.removeprefix("websocket_proxy_"): value
                               for key, value in recipe["variables"].items()}, recipe["groups"], recipe["hostvars"])
        backends = [server.address for upstream in model.upstreams for server in upstream.servers]
        assert edge.start_model(model) == ""
        try:
            return edge.asked([{"to": EDGE, **question} for question in questions], backends, certificate)
        finally:
            edge.stop()
            container.shell("rm -f /run/jupyter/*.sock")

    yield ask
    container.remove()


def told(answer: dict[str, Any]) -> tuple[str, str, str]:
    """Return the backend that received the request, its path, and its Host."""
    server, request, *headers = answer["body"].split("\r\n")
    return server, request.split()[1], next(line[6:] for line in headers if line.startswith("Host: "))


def statuses(answers: list[dict[str, Any]]) -> list[int]:
    """Return the statuses of answers."""
    return [answer["status"] for answer in answers]


@EVERY
def test_a_socket_beside_a_page(ask: Ask) -> None:
    host = "app.example.com"
    answers = ask("socket-beside-a-page", [
        {"host": host, "path": "/socket?room=1", "upgrade": True}, {"host": host, "path": "/api?a=%2F"},
        {"host": host, "path": "/socket"}, {"host": host, "path": "/healthz"}, {"host": "x", "path": "/"}])
    assert statuses(answers) == [101, 200, 426, 200, 0]
    assert [told(answer) for answer in answers[:2]] == [
        ("127.0.0.1:3000", "/socket?room=1", host), ("127.0.0.1:3000", "/api?a=%2F", host)]
    assert answers[2]["headers"]["upgrade"] == "websocket" and answers[3]["body"] == "ok\n"


@EVERY
def test_several_applications(ask: Ask) -> None:
    tools = "tools.example.com"
    answers = ask("several-applications", [
        {"host": "chat.example.com", "path": "/", "upgrade": True},
        {"host": f"{tools}:8080", "path": "/grafana/api/live/ws", "upgrade": True},
        {"host": tools, "path": "/jupyter/api/kernels", "upgrade": True}, {"host": tools, "path": "/"},
        {"host": tools, "path": "/grafana/", "headers": "Upgrade: h2c\r\n"}, {"host": tools, "path": "/other"}])
    assert statuses(answers) == [101, 101, 101, 302, 400, 404]
    assert [told(answer) for answer in answers[:3]] == [
        ("127.0.0.1:3000", "/", "chat.example.com"), ("127.0.0.1:3001", "/api/live/ws", f"{tools}:8080"),
        ("unix:/run/jupyter/jupyter.sock", "/jupyter/api/kernels", tools)]
    assert answers[3]["headers"]["location"] == "/grafana/"
    assert answers[5]["headers"]["x-content-type-options"] == "nosniff"


@EVERY
def test_several_hosts(ask: Ask) -> None:
    rooms = [{"host": "rooms.example.com", "path": f"/?room={room}", "upgrade": True} for room in range(24)]
    answers = ask("several-hosts", [*rooms, *rooms])
    assert set(statuses(answers)) == {101}
    servers = [told(answer)[0] for answer in answers]
    assert set(servers) == {"rooms1.example.com:3000", "10.0.0.12:3000"}
    assert servers[:24] == servers[24:]


@EVERY
def test_socketio_on_several_hosts(ask: Ask) -> None:
    path = "/socket.io/?EIO=4&transport=polling"
    (first,) = ask("socketio-on-several-hosts", [{"host": "chat.example.com", "path": path}])
    cookie = first["headers"]["set-cookie"].split(";")[0]
    assert cookie.startswith("route=")
    answers = ask("socketio-on-several-hosts", [
        {"host": "chat.example.com", "path": path, "headers": f"Cookie: {cookie}\r\n", "upgrade": upgrade}
        for upgrade in (False, True) * 5])
    assert statuses(answers) == [200, 101] * 5
    assert {told(answer)[0] for answer in answers} == {told(first)[0]}


@EVERY
def test_behind_a_load_balancer(ask: Ask) -> None:
    forwarded = "X-Forwarded-For: 203.0.113.7\r\nX-Forwarded-Proto: %s\r\n"
    balanced = {"host": "app.example.com", "source": BALANCER}
    answers = ask("behind-a-load-balancer", [
        {**balanced, "path": "/chat", "headers": forwarded % "https", "upgrade": True},
        {**balanced, "path": "/chat", "headers": forwarded % "http"},
        {**balanced, "path": "/chat", "headers": forwarded % "https", "upgrade": True, "source": CLIENT},
        {"host": "10.0.0.5", "path": "/healthz", "source": BALANCER}])
    assert statuses(answers) == [101, 308, 101, 200]
    assert "X-Real-IP: 203.0.113.7\r\n" in answers[0]["body"] and f"X-Real-IP: {CLIENT}\r\n" in answers[2]["body"]
    assert "X-Forwarded-Proto: https\r\n" in answers[0]["body"]
    assert "X-Forwarded-Proto: http\r\n" in answers[2]["body"]
    assert {told(answer)[0] for answer in (answers[0], answers[2])} <= {"10.0.1.1:8080", "10.0.1.2:8080"}
    assert answers[1]["headers"]["location"] == "https://app.example.com/chat"


@EVERY
def test_a_static_site_with_a_socket(ask: Ask) -> None:
    paths = ["/", "/some/route", "/assets/app.js", "/assets/none.js", "/.env", "/robots.txt", "/live"]
    answers = ask("static-site-with-a-socket", [
        *({"host": "www.example.com", "path": path} for path in paths),
        {"host": "example.com", "path": "/live?token=1", "upgrade": True}])
    assert statuses(answers) == [200, 200, 200, 404, 404, 200, 426, 101]
    assert [answer["body"] for answer in answers[:3]] == ["the page", "the page", "a script"]
    assert answers[0]["headers"]["cache-control"] == "no-cache"
    assert answers[2]["headers"]["cache-control"] == "max-age=315360000"
    assert answers[0]["headers"]["x-frame-options"] == "DENY"
    assert told(answers[7]) == ("127.0.0.1:3000", "/socket/websocket?token=1", "example.com")


@EVERY
def test_an_application_with_tls(ask: Ask) -> None:
    host, secure = "www.app.example.com", "127.0.0.1:443"
    answers = ask("an-application-with-tls", [
        {"to": secure, "tls": True, "host": host, "path": "/socket?x=1", "upgrade": True},
        {"to": secure, "tls": True, "host": host, "path": "/"}, {"host": host, "path": "/a?b=c"},
        {"host": host, "path": "/socket", "upgrade": True}], "/root/internal.pem")
    assert statuses(answers) == [101, 200, 308, 403]
    assert {told(answer)[0] for answer in answers[:2]} <= {"10.0.1.1:8443", "10.0.1.2:8443"}
    assert told(answers[0])[1:] == ("/socket?x=1", host) and "X-Forwarded-Proto: https\r\n" in answers[0]["body"]
    assert answers[1]["headers"]["strict-transport-security"] == "max-age=3600"
    assert answers[2]["headers"]["location"] == f"https://{host}/a?b=c"


@EVERY
def test_an_application_for_known_users(ask: Ask) -> None:
    alice = "Authorization: Basic YWxpY2U6YWxpY2U=\r\n"
    secure: dict[str, Any] = {"to": "127.0.0.1:443", "tls": True, "host": "app.example.com", "path": "/"}
    answers = ask("an-application-for-known-users", [
        {**secure, "upgrade": True}, {**secure, "upgrade": True, "headers": alice},
        {**secure, "upgrade": True, "headers": f"{alice}Origin: https://evil.example\r\n"},
        {**secure, "source": CLIENT}, {**secure, "path": "/admin/", "headers": alice},
        {**secure, "path": "/admin/", "source": "10.0.0.12"}, {"host": "app.example.com", "path": "/"}])
    assert statuses(answers) == [401, 101, 403, 200, 403, 200, 308]
    assert "Remote-User" not in answers[3]["body"]


def test_every_recipe_is_asked() -> None:
    asked = {name.removeprefix("test_").replace("_", "-") for name in globals()}
    assert all(asked & {name, f"a-{name}"} for name in recipes())


@EVERY
def test_laravel_with_reverb(ask: Ask) -> None:
    host = "shop.example.com"
    answers = ask("laravel-with-reverb", [
        {"host": host, "path": "/app/key?protocol=7", "upgrade": True}, {"host": host, "path": "/app/key"},
        {"host": host, "path": "/rooms?a=1"}, {"host": host, "path": "/app.css"}, {"host": host, "path": "/index.php"}])
    assert statuses(answers) == [101, 426, 200, 200, 200]
    assert told(answers[0]) == ("127.0.0.1:8080", "/app/key?protocol=7", host)
    assert [answer["body"] for answer in answers[2:]] == ["/rooms?a=1", "a style", "/index.php"]
