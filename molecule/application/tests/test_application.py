"""A page with files, an API, and a WebSocket on one site, used by a browser and by a client on the network."""

from __future__ import annotations

import json

import pytest
from testinfra.host import Host

from tests.support.scenario import browsed, host

# Null until each paragraph of the page has its text.
SHOWN = ("(() => { const all = [...document.querySelectorAll('p')]; "
         "return all.length && all.every((one) => one.textContent) "
         "? Object.fromEntries(all.map((one) => [one.id, one.textContent])) : null; })()")
RULES = "MAP *.example.com edge"


@pytest.fixture(name="host", scope="module")
def host_() -> Host:
    """Return the host with the browser and the other clients."""
    return host("browser")


def curl(host: Host, address: str, options: str = "") -> tuple[int, str, str]:
    """Return the status, the headers in lower case, and the body of an answer."""
    name, _slash, path = address.partition("/")
    answer = host.check_output(
        f"curl --silent --include --path-as-is {options} --connect-to ::edge: 'http://{name}/{path}'")
    head, _blank, body = answer.replace("\r", "").partition("\n\n")
    return int(head.split()[1]), head.lower(), body


def test_a_browser_loads_the_page_its_script_asks_the_api_and_the_socket_echoes() -> None:
    paths = ["/", "/rooms/7"]
    assert browsed("browser", SHOWN, *(f"http://app.example.com{path}" for path in paths), rules=RULES) == [
        {"page": f"page {path}", "api": "api /whoami?from=page", "socket": "echo hello"} for path in paths]


def test_the_page_of_the_other_site_is_its_own() -> None:
    assert browsed("browser", "document.title || null", "http://second.example.com/", rules=RULES) == ["WebSocket echo"]


def test_a_client_library_echoes_through_the_socket(host: Host) -> None:
    program = ("import socket; from websockets.sync.client import connect; "
               "way = socket.create_connection(('edge', 80)); "
               "opened = connect('ws://app.example.com/socket', sock=way, proxy=None); "
               "opened.send('grüße'); print(opened.recv(timeout=60))")
    assert host.check_output(f'python3 -c "{program}"') == "grüße"


def test_a_plain_request_to_the_socket_is_told_to_upgrade(host: Host) -> None:
    status, head, _body = curl(host, "app.example.com/socket")
    assert status == 426 and "upgrade: websocket" in head


def test_files_have_their_headers_and_nothing_hidden_is_served(host: Host) -> None:
    status, head, body = curl(host, "app.example.com/assets/app.js")
    assert status == 200 and "'use strict'" in body
    assert "cache-control: max-age=315360000" in head
    assert "x-frame-options: deny" in head and "x-content-type-options: nosniff" in head
    assert "cache-control: no-cache" in curl(host, "app.example.com/rooms/7")[1]
    # If a site has more than one location, the role refuses paths with dot segments.
    for path, refused in (("/.env", 404), ("/%2eenv", 404), ("/assets/../.env", 400)):
        status, _head, body = curl(host, f"app.example.com{path}")
        assert status == refused and "SECRET" not in body


def test_the_api_gets_its_own_paths_and_bodies_of_the_size_it_may(host: Host) -> None:
    told = json.loads(curl(host, "app.example.com/api/a%2Fb/whoami?x=1%202")[2])
    assert told["request"]["url"] == "/a%2Fb/whoami?x=1%202"
    assert json.loads(curl(host, "app.example.com/api/", "--data 0123456789")[2]) == {"length": 10}
    assert curl(host, "app.example.com/api/", f"--data {'x' * 1025}")[0] == 413


def test_answers_of_the_edges_own(host: Host) -> None:
    assert curl(host, "app.example.com/healthz")[::2] == (200, "ok")
    status, head, _body = curl(host, "app.example.com/old?x=1")
    assert status == 308 and "location: /rooms/1?x=1" in head


def test_an_unknown_name_is_not_answered(host: Host) -> None:
    assert host.run("curl --silent http://edge/").rc == 52


def test_a_client_says_who_it_is_in_vain(host: Host) -> None:
    body = curl(host, "app.example.com/api/whoami", "-H 'X-Forwarded-For: 6.6.6.6' -H 'X-Real-IP: 6.6.6.6'")[2]
    headers = {name.lower(): value for name, value in json.loads(body)["request"]["headers"]}
    own = host.check_output("hostname -I").split()[0]
    assert (headers["x-forwarded-for"], headers["x-real-ip"]) == (own, own)
