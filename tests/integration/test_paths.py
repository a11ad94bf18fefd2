"""Paths on every nginx, as the client sent them: what nginx decides by, and what the backend receives."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.client import Client, fields, get
from tests.support.edge import Edge
from tests.support.http2 import Http2, unverified
from tests.support.releases import EVERY
from tests.support.served import UPGRADE, Served

ROOMS = r"^/rooms/([0-9]+)/(.+)$"
SITE: dict[str, Any] = {"server_names": ["a"], "locations": [
    {"path": "/", "respond": {"status": 403}},
    {"path": "/socket", "match": "exact", "upstream": "tell"},
    {"path": "/live", "match": "exact", "upstream": "echo", "websocket_only": True},
    {"path": "/files/", "upstream": "tell"},
    {"path": "/api/", "upstream": "tell", "strip_prefix": True},
    {"path": ROOMS, "match": "regex", "upstream": "tell", "extra_config": "proxy_set_header X-Room $1;"}]}

# A segment of two dots, and the text that may be around it, as some backends read them.
DOTS = ["..", ".%2e", "%2E.", "%2e%2E"]
BEFORE = ["/", "%2f", "%2F", "\\", "%5c", "%5C"]
AFTER = ["/", "%2f", "%2F", "\\", "%5C", ";", ";x=1/", "%3B", "?x", ""]

CLIMBING = ["/admin/../socket", "/admin/%2e%2e/socket", "/a/..%2fsocket", "/a%2f..%2fsocket", "/files/..;/admin",
            "/files/..\\admin", "/files/x\\..\\..\\admin", "/files/..%5cadmin", "/files/x/..", "/files/..?x=1",
            "/files//../admin", "/files/.;/x", "/files/%2e;a=b/x", "/.\\admin", "/files/.%5Cx",
            "/files/https://b/../x"]
CUT = ["/socket#", "/socket#/../admin", "/admin#/socket", "/files/a#b?c", "/files/#"]
BROKEN = ["/files/ x", "/files/x y", "/api/ x", "/files/a\tb", "/files/\x01", "/files/\x7f", "/files/x?a b",
          "/files/x?a\tb", "/socket HTTP/1.1\tx"]
PASSED = ["/socket", "/socket?x=../y", "/socket?to=/../../x#y", "/socket?WOPISrc=https%3A%2F%2Foffice.test%2Fwopi%2Fx",
          "/files/a%2Fb", "/files/%40scope%2fpackage", "/files/foo..bar", "/files/..foo", "/files/foo..", "/files/...",
          "/files/.../x", "/files/.x", "/files/x.", "/files/./x", "/files/x/.", "/files//x", "/files/x//", "/./socket",
          "/files/a;b=c", "/files/;x", "/files/%23x", "/files/%3Fx", "/files/a%20b", "/files/%09", "/files/caf\xc3\xa9",
          "/files/caf%C3%A9.ipynb", "/files/%252e%252e%252fx", "/files/eyJhbGciOi.J9..x-_~%3D%3D", "/files/a%5Cb",
          "/files/https://b/x", "/files/x?a=b?../..", "/files/x..%2fy", "/rooms/7/x..y"]


@pytest.fixture(name="setup", scope="module")
def setup_(serving: Edge) -> Iterator[Served]:
    """Provide an edge and its backends."""
    with Served.on(serving) as setup:
        yield setup


@pytest.fixture(name="ruled")
def ruled_(setup: Served) -> Served:
    """Serve a site with rules for paths."""
    setup.serve({**SITE, "upstream": None})
    return setup


def raw(setup: Served, target: str, *headers: tuple[str, str]) -> tuple[int, str]:
    """Request a target; return the status, and the target that the backend received."""
    setup.backend.forget()
    answer = get(setup.address, "a", target, headers)
    return answer.status, line(setup)


def line(setup: Served) -> str:
    """Return the target in the request line that the backend received; empty if it received none."""
    heard = [head.split(b"\r\n")[0].decode("latin-1") for head in setup.backend.heads]
    return "".join(one.removeprefix("GET ").removesuffix(" HTTP/1.1") for one in heard)


@EVERY
@pytest.mark.parametrize("headers", [[], UPGRADE], ids=["plain", "handshake"])
def test_what_climbs_or_is_cut_off_is_refused_before_any_rule_decides(
        ruled: Served, headers: list[tuple[str, str]]) -> None:
    for target in [*CLIMBING, *CUT]:
        assert (target, *raw(ruled, target, *headers)) == (target, 400, "")
    for target in ("/live", "/live?x=/../y"):
        assert get(ruled.address, "a", target, UPGRADE).status == 101


@EVERY
def test_two_dots_are_refused_in_every_spelling(ruled: Served) -> None:
    ruled.backend.forget()
    for before, dots, after in itertools.product(BEFORE, DOTS, AFTER):
        target = f"/files/x/y/z{before}{dots}{after}"
        assert (target, get(ruled.address, "a", target).status) == (target, 400)
    assert ruled.backend.heads == []


@EVERY
def test_what_is_no_dot_segment_passes_as_it_was_written(ruled: Served) -> None:
    for target in PASSED:
        assert (target, *raw(ruled, target)) == (target, 200, target)
    assert raw(ruled, "/api/a%2Fb//c?x=/../y") == (200, "/a%2Fb//c?x=/../y")


@EVERY
@pytest.mark.parametrize("site", [{"locations": [], "upstream": "tell"}, SITE, {"locations": [
    {"path": "/", "upstream": "tell", "rewrite_to": "/one"}]}], ids=["no rule", "rules", "rewrite_to"])
def test_no_space_and_no_control_character_reaches_a_request_line(setup: Served, site: dict[str, Any]) -> None:
    setup.serve({"upstream": None, **SITE, **site})
    for target in BROKEN:
        assert (target, *raw(setup, target)) == (target, 400, "")


@EVERY
def test_an_absolute_target_is_no_way_around(ruled: Served) -> None:
    for target in ("/admin/../socket", "/files/..;/x", "/files/x#y", "/files/a b"):
        assert (target, *raw(ruled, f"http://a{target}")) == (target, 400, "")
    assert raw(ruled, "http://a/files/x%2Fy?z=../") == (200, "/files/x%2Fy?z=../")
    assert raw(ruled, "http://a/./socket") == (200, "/./socket")


@EVERY
def test_http_2_is_no_way_around(setup: Served) -> None:
    setup.serve({**SITE, "upstream": None, "listen": [setup.other], "tls": {"self_signed": True, "redirect": False}})
    setup.backend.forget()
    refused = [*CLIMBING[:5], *CUT, "/files/ x", "/files/x y", "/files/a\tb", "/api/x y", "/files/x?a b"]
    for target in refused:
        # Some versions end the stream themselves.
        assert (target, over_http2(setup, target)) in ((target, "400"), (target, "reset"))
    assert setup.backend.heads == []
    assert over_http2(setup, "/files/x%2Fy?z=/../") == "200"
    assert line(setup) == "/files/x%2Fy?z=/../"


def over_http2(setup: Served, target: str) -> str:
    """Request a target with HTTP/2; return the status, or how the stream ended."""
    with Client(setup.other) as client, unverified(client.socket, "a") as connection:
        return Http2(connection).ask([(":method", "GET"), (":scheme", "https"), (":path", target), (":authority", "a")])


@EVERY
def test_the_groups_of_a_regular_expression_are_still_there(ruled: Served) -> None:
    for headers in ([], UPGRADE):
        answer = get(ruled.address, "a", "/rooms/17/x", headers)
        assert dict(fields(answer.body))["x-room"] == "17"


@EVERY
@pytest.mark.parametrize("site", [
    {"locations": [], "upstream": "tell"}, {"locations": [{"path": "/", "upstream": "tell"}]}, {
        **SITE, "dot_segments": "pass"}], ids=["an upstream", "one location", "the site's word"])
def test_dots_pass_where_there_is_no_rule_or_the_site_lets_them(setup: Served, site: dict[str, Any]) -> None:
    setup.serve({"server_names": ["a"], "upstream": None, **site})
    for target in ("/files/https://b/../x", "/files/x/%2e%2e/y", "/files/x/..;/y"):
        assert raw(setup, target) == (200, target)
    setup.serve({**SITE, "upstream": None, "locations": [
        {"path": "/proxy/", "upstream": "tell", "strip_prefix": True}], "dot_segments": "pass"})
    assert raw(setup, "/proxy/https://b/../x") == (200, "/https://b/../x")


@EVERY
def test_free_text_may_hold_a_rule(setup: Served) -> None:
    for where in ("site", "location"):
        text = {"extra_config": "if ($uri = /admin) { return 403; }"}
        setup.serve({"server_names": ["a"], "upstream": None, **(text if where == "site" else {}), "locations": [
            {"path": "/", "upstream": "tell", **(text if where == "location" else {})}]})
        assert [raw(setup, target)[0] for target in ("/x", "/admin", "/x/../admin", "/admin/..;/x")] == [
            200, 403, 400, 400]


def resolved(target: str) -> str:
    """Return a target's path as the most lenient backend reads it."""
    path = unquote(target.partition("?")[0].partition("#")[0], "latin-1").replace("\\", "/")
    found: list[str] = []
    for segment in path.split("/"):
        name = segment.partition(";")[0]
        if name == "..":
            del found[-1:]
        elif name not in ("", "."):
            found.append(name)
    return "/" + "/".join([*found, *([""] if found and name in ("", ".", "..") else [])])


PIECES = st.sampled_from(["/", "/", "..", ".", "%2e", "%2E", "%2f", "\\", "%5c", ";", "%3b", "#", "%23", "?", "a",
                          "files", "socket", "admin", "%25", "..;", "/../", "/./", "//"])


@EVERY
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(start=st.sampled_from(["/", "/files/", "/socket", "/admin/"]), pieces=st.lists(PIECES, max_size=8))
def test_no_backend_that_resolves_a_path_itself_gets_one_of_another_rule(
        ruled: Served, start: str, pieces: list[str]) -> None:
    target = start + "".join(pieces)
    status, got = raw(ruled, target)
    # nginx redirects /files to /files/.
    assert (status, got) in ((400, ""), (403, ""), (301, ""), (200, target))
    assert status != 200 or resolved(got) == "/socket" or resolved(got).startswith("/files/")
