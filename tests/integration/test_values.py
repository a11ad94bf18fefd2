"""Values that arrive byte for byte, whatever they contain, as read back from a running nginx."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import pytest
from hypothesis import strategies as st

from ansible_collections.wsedge.nginx.plugins.plugin_utils.render.quoting import LONGEST_WORD
from tests.support.backends import Backend, telling
from tests.support.client import Client, fields, get
from tests.support.edge import FOLDER, RENDERER, Edge
from tests.support.examples import examples
from tests.support.ports import free_address
from tests.support.soak import broad

EXAMPLES = broad(100, 700)
NASTY = [
    "", " ", "  ", ";", "{", "}", "#", '"', "'", "\\", "\\\\", "\\\"", '"\\', "\\n", "\\t", "\\r", "\\;", "\\x41",
    "\\ ", "a;b", "a b", "a{b}c", '";', "';", '"; } server { listen 1; } #', "'; return 500; #", "*/", "/*", "//",
    "%20", "%%", "~^/(.*)", "= /", "^~", "@named", "default", "include /etc/passwd", "off", "on", "none", "on;",
    "http://127.0.0.1/", "unix:/x", "-1", "0", "1e9", "{{ x }}", "{% raw %}", "{# x #}", "ü", "€", "𝄞", "\u2028",
    "\u202e", "\ufeff", "\u00a0", "e\u0301", "\ufffd", "\U0010ffff", "`id`", "(a)", "!important", "<script>", "&amp;",
    "a" * LONGEST_WORD, "\\" * (LONGEST_WORD // 2 - 1), '"' * (LONGEST_WORD // 2 - 1), "€" * ((LONGEST_WORD - 2) // 3),
    "${scheme}", "a${scheme}b", "\\${scheme}", "\\\\${scheme}", '"${scheme}"', "'${scheme}'", "$scheme;", "{$scheme}",
]
HOSTILE = st.text(st.sampled_from(" ;{}#\"'\\/=~*a0.-[]@()\u00e9"), max_size=60)
PRINTABLE = st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="$"), max_size=80)
WITH_VARIABLE = st.lists(HOSTILE | st.just("${scheme}"), max_size=6).map("".join)
HEADER = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E, exclude_characters="$"), min_size=1,
                 max_size=80).filter(lambda value: value == value.strip())


@cache
def values() -> list[str]:
    """Return the values for the tests with every nginx."""
    return [*NASTY, *examples(HOSTILE, EXAMPLES), *examples(PRINTABLE, EXAMPLES), *examples(WITH_VARIABLE, EXAMPLES)]


@cache
def header_values() -> list[str]:
    """Return values of headers that the inventory may contain."""
    return [value for value in NASTY if value and value.isascii() and value == value.strip() and len(value) <= 1900
            ] + examples(HEADER, EXAMPLES)


@pytest.fixture(scope="module")
def backend() -> Iterator[Backend]:
    """Provide a backend that returns the requests that it receives."""
    backend = telling()
    yield backend
    backend.close()


@pytest.fixture(scope="module")
def addresses(serving: Edge, backend: Backend) -> Iterator[tuple[str, str]]:
    """Serve each value at its own path, and all header values on one request; provide both addresses."""
    site, direct = free_address(), free_address()
    headers = {f"X-{number}": value for number, value in enumerate(header_values())}
    serving.start(
        {"upstreams": [{"name": "tell", "servers": [backend.address]}],
         "sites": [{"server_names": ["a"], "listen": [site], "upstream": "tell", "request_headers": headers}]},
        {"values.conf": RENDERER.render("values.conf.j2", {"listen": direct, "values": values()})})
    yield site, direct
    serving.stop()


def test_every_value_is_served_byte_for_byte(addresses: tuple[str, str]) -> None:
    assert len(values()) > EXAMPLES * 2
    wrong = []
    for first in range(0, len(values()), 100):
        with Client(addresses[1]) as client:
            for number, value in enumerate(values()[first:first + 100], first):
                expected = value.replace("${scheme}", "http").replace("$scheme", "http")
                served = client.ask("a", f"/{number}").body.decode(errors="replace")
                if served != expected:
                    wrong.append((value, served))
    assert wrong == []


def test_every_header_value_reaches_the_backend_byte_for_byte(addresses: tuple[str, str]) -> None:
    assert len(header_values()) > EXAMPLES * 0.8
    told = dict(fields(get(addresses[0], "a", "/").body))
    expected = {f"x-{number}": value.replace("${scheme}", "http").replace("$scheme", "http")
                for number, value in enumerate(header_values())}
    assert {name: told.get(name) for name in expected} == expected


def test_nothing_but_what_was_written_is_in_the_configuration(serving: Edge, addresses: tuple[str, str]) -> None:
    # A value that became configuration would add a file, a server, or a port.
    dump = serving.dump()
    assert dump.count("# configuration file /etc/nginx/conf.d/") == 1
    assert dump.count(f"# configuration file {FOLDER}/") == 7
