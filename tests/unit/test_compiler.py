"""From inventory variables to the model: defaults, references, and every problem with its inventory path."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.compiler import InventoryError, compile_model
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.headers import FORWARDED
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.host import Host
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.model import (
    Answer,
    Header,
    LiveParams,
    Location,
    Model,
    ProbeSettings,
    Proxy,
    ProxyParams,
    Server,
    Site,
)
from tests.support.compiling import values, whole

KEEPALIVE = "so_keepalive=230s:30s:4"
HOST = Host(ipv6=True, nginx_version=(1, 26, 3))
RECIPE: dict[str, Any] = {
    "websocket_proxy_upstreams": [{"name": "ws_node", "servers": ["127.0.0.1:3000"]}],
    "websocket_proxy_sites": [{"server_names": ["example.com"], "upstream": "ws_node"}],
}


def compiled(site: dict[str, Any], **role: Any) -> Model:
    """Compile the recipe with these keys in its site, and these variables."""
    variables = copy.deepcopy(RECIPE)
    variables["websocket_proxy_sites"][0].update(site)
    variables.update(role)
    return compile_model(variables, HOST)


def problems(**variables: Any) -> list[str]:
    """Return the problems of the recipe with these variables."""
    with pytest.raises(InventoryError) as found:
        compile_model({**RECIPE, **variables}, HOST)
    return found.value.problems


def sites(*given: Any) -> list[str]:
    """Return the problems of these sites, without the variable's name."""
    found = problems(websocket_proxy_sites=list(given))
    assert all(problem.startswith("websocket_proxy_sites") for problem in found)
    return [problem.removeprefix("websocket_proxy_sites") for problem in found]


def test_the_recipe_needs_two_variables_and_gets_every_default() -> None:
    model = compile_model(RECIPE, HOST)
    proxy = Proxy(
        proxy_pass="http://websocket_proxy_ws_node", prefix=None, request_headers=[], hidden_headers=[],
        redirects=[], cookie_path=None, params="proxy_params", directives=[["proxy_read_timeout", "60s"]])
    plain = Location(
        match=["/"], maintenance=False, websocket_only=False, files=None, answer=None, response_headers=[], proxy=proxy)
    probe = ProbeSettings("websocket_proxy_sites[0]", True, False, None, {})
    assert model.sites == [Site(
        name="example.com", server_tokens_off=False, server_names=["example.com"],
        listen=[["80", KEEPALIVE], ["[::]:80", KEEPALIVE]], trusted_proxies=[],
        real_ip_header="X-Forwarded-For", extra_config=None, reject_other_upgrades=False, refused=None,
        early="$websocket_proxy_host$websocket_proxy_live", client_max_body_size="256m", tls=None, redirect=None,
        client_header_timeout="20s", auth_requests=[],
        locations=[replace(plain, probe=probe, is_live="$websocket_proxy_live", live=replace(
            plain, probe=probe, match=["@websocket_proxy_live_1"],
            proxy=replace(proxy, params="live_params", directives=[])))])]
    assert model.proxy_params == [ProxyParams(
        "proxy_params", [Header("Host", "$websocket_proxy_host"), Header("X-Real-IP", "$remote_addr"),
                         Header("X-Forwarded-For", "$remote_addr"), Header("X-Forwarded-Proto", "$scheme"),
                         *(Header(name, "") for name in FORWARDED)],
        hidden_headers=[], headers_hash_bucket_size=256, headers_hash_max_size=None, http2=False, directives=[
            ["proxy_send_timeout", "60s"], ["proxy_connect_timeout", "5s"],
            ["proxy_next_upstream", "error", "timeout"], ["proxy_ignore_headers", "X-Accel-Redirect"]])]
    assert model.live_params == [LiveParams("live_params", model.proxy_params[0], [
        ["proxy_read_timeout", "86400s"], ["proxy_buffering", "off"], ["proxy_buffer_size", "4k"],
        ["proxy_buffers", "8", "4k"], ["proxy_busy_buffers_size", "8k"], ["gzip", "off"]])]
    assert model.upstreams[0].servers == [Server("127.0.0.1:3000", [])]
    assert (model.worker_processes, model.worker_connections, model.package) == ("auto", 16384, "nginx")


def proxies(model: Model) -> list[Proxy]:
    """Return the settings for upstreams in the locations of the first site, including those that they share."""
    return [whole(model, location.proxy) for location in model.sites[0].locations if location.proxy]


def test_a_host_without_ipv6_listens_only_on_ipv4() -> None:
    assert compile_model(RECIPE, Host()).sites[0].listen == [["80", KEEPALIVE]]


def test_an_ipv6_address_on_a_host_without_ipv6_is_refused() -> None:
    variables = copy.deepcopy(RECIPE)
    variables["websocket_proxy_sites"][0]["listen"] = ["[::1]:80"]
    with pytest.raises(InventoryError, match="cannot open IPv6 sockets"):
        compile_model(variables, Host())


def test_paths_that_no_location_has_are_refused() -> None:
    site = {"upstream": None, "locations": [{"path": "/socket", "upstream": "ws_node"}]}
    (rest,) = compiled(site).sites[0].locations[1:]
    assert (rest.match, rest.answer) == (["/"], Answer(404, "", None))


def test_a_locations_own_time_wins_over_its_sites() -> None:
    model = compiled({"read_timeout": "5m", "send_timeout": 30,
                      "locations": [{"path": "/a", "upstream": "ws_node", "read_timeout": 90}]})
    assert [(found["proxy_read_timeout"], found["proxy_send_timeout"]) for found in (
        values(model, location.proxy) for location in model.sites[0].locations)] == [("5m", "30s"), ("90s", "30s")]


def test_headers_merge_by_name_without_regard_to_case_and_the_location_wins() -> None:
    model = compiled({"request_headers": {"x-real-ip": "$http_x_client", "X-One": "site", "X-Two": "site"},
                      "locations": [{"path": "/a", "upstream": "ws_node",
                                     "request_headers": {"x-one": "location", "X-Forwarded-For": None}}]})
    usual = ("Host", *FORWARDED)
    above, below = ({header.name: header.value for header in one.request_headers if header.name not in usual}
                    for one in proxies(model))
    assert above == {"X-Forwarded-For": "$remote_addr", "X-Forwarded-Proto": "$scheme",
                     "x-real-ip": "$http_x_client", "X-One": "site", "X-Two": "site"}
    assert below == {"X-Forwarded-Proto": "$scheme", "x-real-ip": "$http_x_client", "X-Two": "site",
                     "x-one": "location", "X-Forwarded-For": ""}


@pytest.mark.parametrize(("role", "site", "rejects"), [
    (None, None, False), ("reject", None, True), ("ignore", "reject", True), ("reject", "ignore", False)])
def test_a_sites_word_on_other_upgrades_wins(role: str | None, site: str | None, rejects: bool) -> None:
    model = compiled({"other_upgrades": site}, **({"websocket_proxy_other_upgrades": role} if role else {}))
    assert model.sites[0].reject_other_upgrades is rejects


def test_long_and_many_names_get_the_hash_sizes_that_they_need() -> None:
    assert compiled({}).server_names_hash_bucket_size is None
    assert compiled({"server_names": ["a" * 46 + ".de"]}).server_names_hash_bucket_size == 128
    assert compiled({"server_names": [f"host{i}.example.com" for i in range(1000)]}).server_names_hash_max_size == 4096


def test_a_wildcard_gives_its_site_a_name_that_a_file_can_have() -> None:
    assert compiled({"server_names": ["*.example.com"]}).sites[0].name == "_.example.com"
    assert compiled({"server_names": ["[::1]"]}).sites[0].name == "__1"


def test_all_problems_are_told_at_once_with_their_paths() -> None:
    found = problems(
        websocket_proxy_site=[],
        websocket_proxy_upstreams=[{"name": "chat", "servers": []}, {"name": "chat", "servers": ["10.0.0.1:70000"]}],
        websocket_proxy_sites=[{"server_names": [""], "locations": [{"path": "x", "upstream": "chta"}]}])
    assert found == [
        'websocket_proxy_site: not a variable of this role; did you mean "websocket_proxy_sites"?',
        "websocket_proxy_upstreams[0].servers: the list is empty; an upstream needs at least one server",
        'websocket_proxy_upstreams[1].name: "chat" is already the name of websocket_proxy_upstreams[0].name',
        'websocket_proxy_upstreams[1].servers[0]: "10.0.0.1:70000": "70000" is not a port from 1 to 65535',
        "websocket_proxy_sites[0].server_names[0]: an empty server name",
        'websocket_proxy_sites[0].locations[0].path: "x" does not begin with "/"',
        'websocket_proxy_sites[0].locations[0].upstream: "chta" is not an upstream; did you mean "chat"?',
    ]


@pytest.mark.parametrize(("site", "problem"), [
    ({"server_names": ["a.b"], "upstrem": "ws_node"}, '[0]: "upstrem" is not a key here; did you mean "upstream"?'),
    ({"server_names": ["a.b"], "upstream": "ws_nod"},
     '[0].upstream: "ws_nod" is not an upstream; did you mean "ws_node"?'),
    ({"server_names": "a.b", "upstream": "ws_node"}, '[0].server_names: "a.b" is not a list of server names'),
    ({"server_names": [], "upstream": "ws_node"}, "[0].server_names: the list is empty"),
    ({"upstream": "ws_node"}, '[0]: "server_names" is missing'),
    ({"server_names": ["a.b"]}, '[0]: "upstream" or "locations" is missing'),
    ({"server_names": ["a.b"], "locations": {}}, "[0].locations: {} is not a list of locations"),
    ({"server_names": ["a.b"], "upstream": "ws_node", "listen": 80}, "[0].listen: 80 is not a list"),
    ({"server_names": ["a.b"], "upstream": "ws_node", "listen": ["80", "[::]:80"]},
     '[0].listen[1]: "[::]:80" is the same socket as websocket_proxy_sites[0].listen[0]'),
    ({"server_names": ["a.b"], "upstream": "ws_node", "read_timeout": True}, "[0].read_timeout: true is not a time"),
    ({"server_names": ["a.b"], "upstream": "ws_node", "request_headers": {"Host": "x"}},
     "[0].request_headers.Host: the role itself sets this header"),
    ({"server_names": ["a.b"], "upstream": "ws_node", "request_headers": {"upgrade": "x"}}, "other_upgrades"),
    ({"server_names": ["a.b"], "upstream": "ws_node", "request_headers": {"X-A": "1", "x-a": "2"}},
     "[0].request_headers.x-a: header names ignore case; this one is already"),
    ({"server_names": ["a.b"], "upstream": "ws_node", "request_headers": ["X-A"]}, "not a mapping of header names"),
    ({"server_names": ["a.b"], "upstream": "ws_node", "locations": [{"path": "/", "upstream": "ws_node"}]},
     '[0].locations[0].path: "/" is already the path of websocket_proxy_sites[0].upstream'),
    ({"server_names": ["a.b", "A.B"], "upstream": "ws_node"},
     '[0].server_names[1]: "A.B" is already websocket_proxy_sites[0].server_names[0]'),
    ({"server_names": ["a.b"], "locations": [{"upstream": "ws_node"}]}, '[0].locations[0]: "path" is missing'),
    ({"server_names": ["a.b"], "locations": [{"path": "/"}]},
     "[0].locations[0]: a location needs exactly one of upstream, root, fastcgi, redirect, respond; found none"),
    ("a.b", '[0]: "a.b" is not a mapping'),
    ({"server_names": ["a.b"], "upstream": "ws_node", "other_upgrades": "drop"}, "is not one of ignore, reject"),
])
def test_a_mistake_in_a_site_is_told_once_with_its_place_and_remedy(site: Any, problem: str) -> None:
    found = sites(site)
    assert len(found) == 1, found
    assert problem in found[0]


def test_the_same_name_on_the_same_port_twice_is_refused() -> None:
    assert sites({"name": "one", "server_names": ["a.b"], "upstream": "ws_node"},
                 {"name": "two", "server_names": ["c.d", "A.b"], "upstream": "ws_node", "listen": ["*:80"]}) == [
        '[1].server_names[1]: "a.b" on 80 is already used by websocket_proxy_sites[0].server_names[0]']


def test_the_same_name_on_another_port_needs_a_name_of_its_own() -> None:
    other = {"server_names": ["example.com"], "upstream": "ws_node", "listen": [8080]}
    assert sites(RECIPE["websocket_proxy_sites"][0], other) == [
        '[1].name: give the site a "name", because "example.com" is already the name of websocket_proxy_sites[0].name']
    compile_model({**RECIPE, "websocket_proxy_sites": [*RECIPE["websocket_proxy_sites"], {"name": "b", **other}]}, HOST)


def test_fewer_files_than_connections_are_refused() -> None:
    assert problems(websocket_proxy_worker_rlimit_nofile=1000) == [
        "websocket_proxy_worker_rlimit_nofile: 1000 is less than websocket_proxy_worker_connections, 16384: "
        "each connection needs a file descriptor"]


def test_a_drop_in_has_no_say_in_the_main_context_and_hides_the_version_site_by_site() -> None:
    assert problems(websocket_proxy_nginx_conf="drop_in", websocket_proxy_worker_connections=1000,
                    websocket_proxy_worker_shutdown_timeout="5m") == [
        f"{name}: with websocket_proxy_nginx_conf: drop_in, this can only be set in nginx.conf, which the role does "
        "not write then" for name in ("websocket_proxy_worker_connections", "websocket_proxy_worker_shutdown_timeout")]
    assert compiled({}, websocket_proxy_nginx_conf="drop_in").sites[0].server_tokens_off


@pytest.mark.parametrize("variable", ["websocket_proxy_sites", "websocket_proxy_upstreams"])
@pytest.mark.parametrize("value", ["text", 5, {"name": "x"}])
def test_a_list_of_another_type_is_refused(variable: str, value: object) -> None:
    assert any(problem.startswith(f"{variable}: ") and "is not a list of" in problem
               for problem in problems(**{variable: value}))


DATA = st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
                    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
                        st.sampled_from(["name", "server_names", "listen", "upstream", "locations", "path", "servers",
                                         "keepalive", "request_headers", "read_timeout", "load_balancing", "hash",
                                         "sticky", "random", "key", "cookie", "address", "group", "proxy_bind",
                                         "weight", "next_upstream"]) | st.text(max_size=5),
                        inner, max_size=5), max_leaves=25)


@given(upstreams=DATA, items=DATA)
def test_no_inventory_whatsoever_ends_in_anything_but_a_model_or_problems(upstreams: Any, items: Any) -> None:
    try:
        compile_model({"websocket_proxy_upstreams": upstreams, "websocket_proxy_sites": items}, Host())
    except InventoryError as error:
        assert error.problems
        assert all(problem.startswith("websocket_proxy_") and "\n" not in problem for problem in error.problems)
