"""The nginx maps that read the headers of trusted proxies."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.forwarded import positions, schemes

CLIENT, PROXIES = "192.0.2.1", ["10.0.0.1", "10.0.0.2", "fd00::1", "[fd00::2]:1", "10.0.0.3:80"]
SCHEMES = {"https": "https", "wss": "https", "http": "http", "ws": "http", "HTTPS": "https", "Ws": "http"}
COMMA = st.sampled_from([",", ", ", " ,", "\t, "])


def first(expressions: dict[str, str], text: str) -> str:
    """Return the value of an nginx map for a text; empty by default."""
    for expression, value in expressions.items():
        spelled = expression.replace("(?<", "(?P<")
        spelled = spelled.replace(r"\k<websocket_proxy_address>", "(?P=websocket_proxy_address)")
        flags = re.IGNORECASE if spelled.startswith("~*") else 0
        if re.search(spelled.removeprefix("~").removeprefix("*"), text, flags):
            return value
    return ""


def scheme(remote: str, forwarded_for: str, proto: str) -> str:
    """Return the scheme that nginx uses."""
    position = first(positions(), f"{remote} {forwarded_for}") or "0"
    return first(schemes(), f"{position}:{proto}")


@given(before=st.lists(st.sampled_from(["6.6.6.6", CLIENT, "unknown", "fd00::1"]), max_size=3),
       after=st.lists(st.sampled_from(PROXIES), max_size=4), client=st.sampled_from([CLIENT, "2001:db8::1"]),
       port=st.sampled_from(["", ":4711"]), protos=st.lists(st.sampled_from(sorted(SCHEMES)), min_size=1, max_size=8),
       comma=COMMA)
def test_a_list_has_the_scheme_at_the_place_of_the_address(
        before: list[str], after: list[str], client: str, port: str, protos: list[str], comma: str) -> None:
    written = f"[{client}]{port}" if port and ":" in client else client + port
    forwarded_for = comma.join([*before, written, *after])
    read = [SCHEMES[proto] for proto in protos]
    expected = read[0] if len(set(read)) == 1 else read[-1 - len(after)] if len(after) < len(read) else read[-1]
    assert scheme(client, forwarded_for, comma.join(protos)) == expected


@pytest.mark.parametrize(("proto", "expected"), [
    ("", ""), ("gopher", ""), ("https", "https"), (" wss ", "https"), ("ws", "http"), ("httpss", ""), ("xhttps", ""),
    ("https gopher", ""), ("https, gopher", ""), ("gopher, https", "https"), ("http, wss", "https"), ("https;x", "")])
def test_without_a_place_it_is_the_last(proto: str, expected: str) -> None:
    assert scheme("192.0.2.1", "", proto) == scheme("192.0.2.1", "unknown", proto) == expected


@given(st.text(st.sampled_from("https,ws :;.1\t[]|"), max_size=40), st.text(st.sampled_from("htpsw, \t:"), max_size=40))
def test_nothing_but_the_two_schemes_comes_of_what_anybody_writes(forwarded_for: str, proto: str) -> None:
    assert scheme("1.1.1.1", forwarded_for, proto) in ("", "http", "https")
