"""Request headers that the backend receives."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.backends import engineio_server, telling
from tests.support.client import Client, fields, get
from tests.support.edge import Edge
from tests.support.http2 import Http2, unverified
from tests.support.ports import free_address, free_port
from tests.support.releases import EVERY
from tests.support.served import UPGRADE, Served

LITERAL = 'a;b {c} "d" \'e\' \\f \\" #g \\n ;}'


@pytest.fixture(scope="module")
def address(serving: Edge) -> Iterator[str]:
    """Serve a site with headers of its own, and locations that change them."""
    backend, address = telling(), free_address()
    serving.start({
        "upstreams": [{"name": "tell", "servers": [backend.address]}],
        "sites": [{
            "server_names": ["example.com", "*.example.com"], "listen": [address], "upstream": "tell",
            "request_headers": {"X-Edge": "site", "X-Site": "site", "X-Literal": LITERAL},
            "locations": [{"path": "/over", "upstream": "tell", "request_headers": {
                "x-EDGE": "location", "X-Site": None, "x-forwarded-proto": "https", "X-Real-IP": None,
                "X-Client": "$remote_addr:${server_port}", "X-Escaped": "\\$scheme", "X-Number": 17}}],
        }],
    })
    yield address
    serving.stop()
    backend.close()


def heard(address: str, path: str, *headers: tuple[str, str], host: str = "example.com") -> list[tuple[str, str]]:
    """Send a request to the edge; return the header fields that the backend received."""
    return fields(get(address, host, path, headers).body)


def values(told: list[tuple[str, str]], name: str) -> list[str]:
    """Return the values of one header."""
    return [value for one, value in told if one == name]


def test_the_backend_is_asked_in_http_1_1(address: str) -> None:
    assert get(address, "example.com", "/a?b=c%20d").body.startswith(b"GET /a?b=c%20d HTTP/1.1\r\n")


def test_an_http_1_0_client_is_no_reason_to_ask_in_http_1_0(address: str) -> None:
    assert get(address, "example.com", "/", version="HTTP/1.0").body.startswith(b"GET / HTTP/1.1\r\n")


@pytest.mark.parametrize("host", ["example.com", "chat.example.com"])
def test_the_backend_hears_the_host_that_the_client_asked_for(address: str, host: str) -> None:
    assert values(heard(address, "/", host=host), "host") == [host]


def test_the_backend_hears_who_the_client_is_and_how_it_came(address: str) -> None:
    told = heard(address, "/")
    assert values(told, "x-real-ip") == ["127.0.0.1"]
    assert values(told, "x-forwarded-for") == ["127.0.0.1"]
    assert values(told, "x-forwarded-proto") == ["http"]


def test_what_a_client_says_about_itself_is_replaced(address: str) -> None:
    told = heard(address, "/", ("X-Forwarded-For", "10.9.9.9"), ("x-real-ip", "10.9.9.9"),
                 ("X-FORWARDED-PROTO", "https"), ("X-Forwarded-For", "10.9.9.8"))
    assert values(told, "x-real-ip") == ["127.0.0.1"]
    assert values(told, "x-forwarded-for") == ["127.0.0.1"]
    assert values(told, "x-forwarded-proto") == ["http"]


def test_other_headers_of_the_client_pass(address: str) -> None:
    told = heard(address, "/", ("Cookie", "a=b"), ("Origin", "http://example.com"), ("X-Other", "1"))
    assert values(told, "cookie") == ["a=b"]
    assert values(told, "origin") == ["http://example.com"]
    assert values(told, "x-other") == ["1"]


def test_a_site_adds_headers(address: str) -> None:
    told = heard(address, "/", ("X-Edge", "forged"))
    assert values(told, "x-edge") == ["site"]
    assert values(told, "x-site") == ["site"]


def test_a_location_wins_over_its_site_whatever_the_case(address: str) -> None:
    told = heard(address, "/over")
    assert values(told, "x-edge") == ["location"]
    assert values(told, "x-forwarded-proto") == ["https"]


def test_what_a_location_does_not_name_it_inherits(address: str) -> None:
    told = heard(address, "/over")
    assert values(told, "x-forwarded-for") == ["127.0.0.1"]
    assert values(told, "x-literal") == [LITERAL]


def test_null_removes_a_header_the_clients_own_too(address: str) -> None:
    told = heard(address, "/over", ("X-Site", "forged"), ("X-Real-IP", "forged"))
    assert values(told, "x-site") == values(told, "x-real-ip") == []


def test_signs_with_a_meaning_for_nginx_arrive_as_they_are(address: str) -> None:
    assert values(heard(address, "/"), "x-literal") == [LITERAL]


def test_a_variable_stands_for_its_value(address: str) -> None:
    told = heard(address, "/over")
    assert values(told, "x-client") == ["127.0.0.1:" + address.split(":")[1]]
    # nginx cannot escape a dollar sign: the backslash is one more character.
    assert values(told, "x-escaped") == ["\\http"]


def test_a_number_is_a_value(address: str) -> None:
    assert values(heard(address, "/over"), "x-number") == ["17"]


# --- the name and port that a client asked for


@pytest.fixture(name="setup", scope="module")
def setup_(serving: Edge) -> Iterator[Served]:
    """Provide an edge whose sites each test sets itself."""
    with Served.on(serving) as setup:
        yield setup


def hosts(setup: Served, site: dict[str, Any], *asked: tuple[str, str], source: str = "",
          proto: str = "https") -> list[str | None]:
    """Return the Host that the backend receives for each target and Host; None if nginx answers itself."""
    setup.serve({"server_names": ["a", "[::1]"], **site})
    found: list[str | None] = []
    for target, host in asked:
        with Client(setup.address, source=source) as client:
            answer = client.ask(host, target, [("X-Forwarded-Proto", proto)])
        found.append(dict(fields(answer.body))["host"] if answer.status == 200 else None)
    return found


@EVERY
def test_the_host_is_the_sites_name_with_the_port_that_the_client_named(setup: Served) -> None:
    expected = {"a": "a", "A:8443": "a:8443", "a.:8443": "a:8443", "a:1": "a:1", "a:65535": "a:65535", "a:80": "a",
                "a:443": "a:443", "a:": "a", "[::1]:8443": "[::1]:8443", "[::1]": "[::1]", "[::1]:80": "[::1]"}
    assert hosts(setup, {}, *(("/x", host) for host in expected)) == list(expected.values())
    # Newer versions refuse an invalid port.
    for host in ("a:123456", "a:8o"):
        assert hosts(setup, {}, ("/x", host)) in (["a"], [None])


@EVERY
def test_an_absolute_target_names_the_port_itself(setup: Served) -> None:
    expected = {"http://a/x": "a", "http://a:8443/x": "a:8443", "http://A:8443/?x": "a:8443", "http://a:80/": "a",
                "http://a": "a", "http://a:8443": "a:8443", "http://[::1]/x": "[::1]", "http://[::1]:81/x": "[::1]:81",
                "http://a/x://b:82/": "a", "http://a/?x://b:82/": "a"}
    assert hosts(setup, {}, *((target, "b:8080") for target in expected)) == list(expected.values())
    assert hosts(setup, {}, ("/x://b:82/", "a"), ("/?http://b:82/ x", "a:81"), ("//b:82/", "a:81")) in (
        ["a", "a:81", "a:81"], ["a", None, "a:81"])


@EVERY
def test_the_port_goes_without_saying_in_the_scheme_that_the_backend_is_told(setup: Served) -> None:
    asked = [("/", "a:80"), ("/", "a:443"), ("/", "a:8443")]
    assert hosts(setup, {}, *asked) == ["a", "a:443", "a:8443"]
    for proto in ("https", "WSS"):
        assert hosts(setup, {"request_headers": {"x-forwarded-proto": proto}}, *asked) == ["a:80", "a", "a:8443"]
    assert hosts(setup, {"request_headers": {"X-Forwarded-Proto": None}}, *asked) == ["a", "a:443", "a:8443"]
    trusted = {"trusted_proxies": ["127.0.8.0/24"]}
    assert hosts(setup, trusted, *asked, source="127.0.8.1") == ["a:80", "a", "a:8443"]
    assert hosts(setup, trusted, *asked, source="127.0.8.1", proto="ws") == ["a", "a:443", "a:8443"]
    assert hosts(setup, trusted, *asked) == ["a", "a:443", "a:8443"]


@EVERY
def test_the_port_comes_with_http_2(setup: Served) -> None:
    setup.serve({"server_names": ["a"], "listen": [setup.other], "tls": {"self_signed": True, "redirect": False}})
    setup.backend.forget()
    for host in ("a:8443", "a:443", "a"):
        with Client(setup.other) as client, unverified(client.socket, "a") as connection:
            assert Http2(connection).ask([(":method", "GET"), (":scheme", "https"), (":path", "/"),
                                          (":authority", host)]) == "200"
    assert [dict(fields(head))["host"] for head in setup.backend.heads] == ["a:8443", "a", "a"]


@EVERY
def test_a_port_in_host_takes_nothing_from_a_regular_expression(setup: Served) -> None:
    setup.serve({"server_names": ["a"], "locations": [
        {"path": "^/rooms/([0-9]+)$", "match": "regex", "upstream": "tell",
         "extra_config": "proxy_set_header X-Room $1;"}]})
    told = dict(fields(get(setup.address, "a:8443", "/rooms/17").body))
    assert (told["host"], told["x-room"]) == ("a:8443", "17")


@EVERY
def test_an_application_accepts_its_own_origin_on_another_port(setup: Served) -> None:
    application = engineio_server(free_port())
    setup.serve({"server_names": ["a"], "upstream": "engineio"},
                upstreams=[{"name": "engineio", "servers": [application.address]}])

    def status(host: str, origin: str, *headers: tuple[str, str], transport: str = "polling") -> int:
        return get(setup.address, host, f"/engine.io/?EIO=4&transport={transport}", [
            ("Origin", origin), *headers]).status

    # The clients' port may be another one that is mapped to nginx's port.
    own = setup.address.replace("127.0.0.1", "a")
    for host, origin in ((own, own), ("a:8443", "a:8443"), ("a", "a"), ("a:80", "a")):
        assert status(host, f"http://{origin}") == 200
        assert status(host, f"http://{origin}", *UPGRADE, transport="websocket") == 101
    assert status("a:8443", "http://a:8444") == status("a", "http://b") == 400
    application.close()


# --- headers that only a proxy may set

SPOKEN = [
    "Forwarded", "Proxy", "Remote-User", "Remote-Groups", "X-Remote-User", "X-Forwarded-User", "X-Forwarded-Host",
    "X-Forwarded-Port", "X-Forwarded-Ssl", "X-Forwarded-Server", "X-Original-URL", "X-Rewrite-URL",
    "Daphne-Root-Path", "True-Client-IP", "X-Client-IP", "X-SSL-Client-Verify", "X-SSL-Client-S-DN",
    "X-SSL-Client-CN", "X-SSL-Client-Cert", "X-Forwarded-Client-Cert"]


def spoken(setup: Served, names: list[str], source: str = "", path: str = "/") -> set[str]:
    """Return the names of the headers that are passed on, in lower case."""
    with Client(setup.address, source=source) as client:
        told = dict(fields(client.ask("a", path, [(name, "forged") for name in names]).body))
    return {name.lower() for name in names if told.get(name.lower()) == "forged"}


@EVERY
def test_what_is_a_proxys_to_say_is_passed_on_from_trusted_proxies_only(setup: Served) -> None:
    through = {"X-Original-URL": "$http_x_original_url"}
    setup.serve({"server_names": ["a"], "trusted_proxies": ["127.0.8.0/24"], "locations": [
        {"path": "/", "upstream": "tell"}, {"path": "/through", "upstream": "tell", "request_headers": through}]})
    for names in (SPOKEN, [name.upper() for name in SPOKEN]):
        assert spoken(setup, names) == set()
        # Of several lines of Forwarded, nginx before 1.23 knows only the client's own.
        missing = {"forwarded"} if setup.edge.nginx_version < (1, 23) else set()
        assert spoken(setup, names, source="127.0.8.1") == {name.lower() for name in SPOKEN} - missing
        assert spoken(setup, names, path="/through") == {"x-original-url"}


@EVERY
@pytest.mark.parametrize("where", ["http", "site", "host"])
def test_an_underscore_is_no_way_around(setup: Served, where: str) -> None:
    on = {"extra_config": "underscores_in_headers on;"}
    site = {"server_names": ["a"], "trusted_proxies": ["127.0.8.0/24"], "upstream": "tell",
            "request_headers": {"X-Tenant-Name": "own", "X_Kept_Name": "$http_x_kept_name"}, "listen": [
                {"address": "127.0.0.1", "port": int(setup.address.split(":")[1]), "default_server": True}]}
    others = {"theirs.conf": "underscores_in_headers on;"} if where == "host" else {}
    setup.edge.container.shell("rm -f /etc/nginx/conf.d/*")
    setup.edge.container.write({f"/etc/nginx/conf.d/{name}": text for name, text in others.items()})
    setup.edge.look()
    setup.serve({**site, **(on if where == "site" else {})}, others=others, **(on if where == "http" else {}))
    names = [*SPOKEN, "X-Forwarded-For", "X-Forwarded-Proto", "X-Real-IP", "X-Tenant-Name"]
    spelled = {name.replace("-", "_") for name in names} | {name.replace("-", "_", 1) for name in names}
    spelled -= {"Forwarded", "Proxy"}
    for source in ("127.0.0.1", "127.0.8.1"):
        assert spoken(setup, sorted(spelled), source) == set()
        assert spoken(setup, ["X_Api_Key", "X_Kept_Name"], source) == {"x_api_key", "x_kept_name"}
