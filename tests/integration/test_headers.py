"""What the backend hears."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.backends import telling
from tests.support.client import fields, get
from tests.support.edge import Edge
from tests.support.ports import free_address

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
    """Ask the edge; return the header fields that the backend heard."""
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
    # nginx knows no way to escape a dollar sign: the backslash is one more character.
    assert values(told, "x-escaped") == ["\\http"]


def test_a_number_is_a_value(address: str) -> None:
    assert values(heard(address, "/over"), "x-number") == ["17"]
