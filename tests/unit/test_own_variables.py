"""Variables that an inventory defines: values may use them, but those that can hold a line break are not sent."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.compiler import InventoryError
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.own_variables import defined
from tests.support.compiling import compiled

SAFE = [
    "map $http_x $own { default a; b c; }", "map $uri $own { default a; ~/x b; }",
    "geo $own { default a; 10.0.0.0/8 b; }",
    "geo $remote_addr $own { default a; }", 'split_clients "$remote_addr" $own { 50% a; * b; }',
    "map $http_x $own { default $http_y; }", "map $http_x $own { ~^(.)(?<rest>.*)$ $1; default $rest; }",
    "map $http_x $own { default $other; } map $http_y $other { default 1; }",
    "map ${http_x} $own { default ${arg_y}; }"]
BROKEN = [
    "map $uri $own { default $uri; }", "map $http_x $own { default a; b $document_uri; }",
    "map $uri $own { ~^/(.*)$ $1; }", "map $uri $own { ~^/(?<own>.*)$ x; }", "map $http_x $own { include /etc/more; }",
    "map $http_x $own { default $other; } map $uri $other { ~(.) $1; }",
    "map $http_x $own { default a; } map $http_y $own { default $request_body; }"]


def problems(text: str = "", **site: Any) -> list[str]:
    """Return the problems of a site that sends its own variable."""
    try:
        compiled({"extra_config": text, "upstreams": [{"name": "u", "servers": ["127.0.0.1:1"]}], "sites": [
            {"server_names": ["a"], "upstream": "u", "request_headers": {"X-Own": "$own"}, **site}]})
    except InventoryError as refused:
        return refused.problems
    return []


@pytest.mark.parametrize("text", SAFE)
def test_a_variable_of_the_inventorys_own_is_sent(text: str) -> None:
    assert problems(text) == []
    assert problems(text, response_headers={"X-Own": "a ${own} b"}) == []


@pytest.mark.parametrize("text", BROKEN)
def test_one_that_may_hold_a_line_break_is_not(text: str) -> None:
    (problem,) = problems(text)
    assert ".request_headers.X-Own" in problem and "can hold a line break" in problem
    # A variable that is only compared may hold anything.
    assert problems(text, request_headers={}, limits={"max_connections": 5, "key": "$own"}) == []


@pytest.mark.parametrize(("site", "sent"), [
    ({"extra_config": "set $own $http_x;"}, True), ({"extra_config": "set $own $uri;"}, False),
    ({"extra_config": "set $own a$1;"}, False), ({"extra_config": "if ($http_x ~ ^(?<own>.*)$) { set $y 1; }"}, True),
    ({"extra_config": "if ($uri ~ ^(?<own>.*)$) { set $y 1; }"}, False),
    ({"extra_config": "rewrite ^/(?<own>.*)$ /x last;"}, False),
    ({"extra_config": "auth_request_set $own $upstream_http_x;"}, True),
    ({"name": "a", "server_names": [{"regex": r"^(?<own>.+)\.example$"}]}, True),
    ({"locations": [{"path": "^/(?<own>.*)$", "match": "regex", "upstream": "u"}]}, False),
])
def test_what_is_captured_is_as_safe_as_what_it_is_captured_from(site: dict[str, Any], sent: bool) -> None:
    assert (problems(**site) == []) == sent


@pytest.mark.parametrize(("to", "told"), [
    ("/rooms/$own", ""), ("/rooms/${own}/x", ""), ("/$arg_room", ""), ("/a$uri", "can hold a line break"),
    ("/a/$http_x", "$http_x can hold a space"), ("/a/${cookie_x}", "$cookie_x can hold a space"),
    ("/a/$upstream_http_x", "can hold a space"), ("/a/$request", "can hold a space"),
    ("/a/$ssl_client_s_dn", "can hold a space"), ("/a/$host/$scheme$request_uri", ""),
    ("$own", 'does not begin with "/"'),
    ("/$own", ""), ("/a b/$own", "is not allowed in a path"), ("/$own/../x", "can match no request"),
    ("/$owns", "is not a variable of nginx"), ("/a?b=$own", "is not allowed in a path")])
def test_rewrite_to_takes_variables_that_can_stand_in_a_path(to: str, told: str) -> None:
    found = problems("map $arg_x $own { default a; }", request_headers={}, upstream=None,
                     locations=[{"path": "/", "upstream": "u", "rewrite_to": to}])
    assert (len(found) == 1 and told in found[0]) if told else found == []


def test_a_misspelt_one_is_found_with_what_was_meant() -> None:
    (problem,) = problems("map $http_x $owner_of_it { default 1; }", request_headers={"X-Own": "$owner_of_its"})
    assert '"$owner_of_its" is not a variable of nginx; did you mean "owner_of_it"?' in problem


def test_what_is_of_another_kind_is_looked_over() -> None:
    for value in (None, 5, "x", [5, None, {"locations": 7}], {"a": 1}):
        assert defined({"websocket_proxy_sites": value, "websocket_proxy_extra_config": value}) == {}
