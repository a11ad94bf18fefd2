"""Upstreams: their servers, load balancing, and their problems."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.vars.hostvars import HostVars
from ansible.vars.manager import VariableManager

from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.compiler import InventoryError, compile_model
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.host import Host
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.model import (
    Answer,
    Model,
    Server,
    Share,
    Sources,
    Upstream,
)
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.upstreams import Inventory
from tests.support.compiling import values

OLD, NEW = Host(nginx_version=(1, 18, 0)), Host(nginx_version=(1, 30, 6))
ADDRESS = "10.0.0.1:3000"

GROUPS = {"chat_nodes": ["chat10", "chat2"], "others": ["other"], "empty": [], "all": ["chat10", "chat2", "other"]}
HOSTVARS: dict[str, dict[str, Any]] = {
    "chat2": {"ansible_host": "10.0.0.2", "websocket_proxy_server": {"weight": 2, "max_conns": 500}},
    "chat10": {"ansible_default_ipv4": {"address": "10.9.9.9"}},
    "other": {"ansible_host": "10.0.0.9", "websocket_proxy_server": {"address": "2001:db8::9", "down": True}},
}


def compiled(*upstreams: Any, host: Host = OLD, groups: Mapping[str, Any] | None = None,
             hostvars: Mapping[str, Any] | None = None, resolver: Any = None, sites: Any = None) -> Model:
    """Compile upstreams; an upstream without a name is named after its number."""
    named = [{"name": f"u{number}", **one} if isinstance(one, dict) else one for number, one in enumerate(upstreams)]
    variables = {"websocket_proxy_upstreams": named, "websocket_proxy_resolver": resolver,
                 "websocket_proxy_sites": sites, "websocket_proxy_allow_no_sites": True}
    return compile_model(variables, host, Inventory(groups or GROUPS, hostvars or HOSTVARS))


def first(upstream: Any, **how: Any) -> Upstream:
    """Compile one upstream."""
    return compiled(upstream, **how).upstreams[0]


def problems(*upstreams: Any, **how: Any) -> list[str]:
    """Return the problems of upstreams, without the variable's name."""
    with pytest.raises(InventoryError) as found:
        compiled(*upstreams, **how)
    return [problem.removeprefix("websocket_proxy_upstreams") for problem in found.value.problems]


# --- servers


def test_a_server_is_an_address_or_a_mapping_that_says_more() -> None:
    servers = [ADDRESS, {"address": "[2001:DB8::2]:3000", "weight": 2, "max_conns": 5000, "max_fails": 3,
                         "fail_timeout": 30, "backup": True, "down": True}, "unix:/run/chat.sock"]
    assert first({"servers": servers}).servers == [
        Server(ADDRESS, []),
        Server("[2001:db8::2]:3000",
               ["weight=2", "max_conns=5000", "max_fails=3", "fail_timeout=30s", "backup", "down"]),
        Server("unix:/run/chat.sock", [])]


def test_what_a_server_says_that_nginx_holds_anyway_is_not_written() -> None:
    said = {"weight": 1, "max_conns": 0, "max_fails": 1, "fail_timeout": 10, "backup": False, "down": False}
    assert first({"servers": [{"address": ADDRESS, **said}]}).servers == [Server(ADDRESS, [])]


@pytest.mark.parametrize(("server", "problem"), [
    ({"address": ADDRESS, "wieght": 2}, '"wieght" is not a key here; did you mean "weight"?'),
    ({"weight": 2}, '"address" is missing'),
    ({"adress": ADDRESS}, '"adress" is not a key here; did you mean "address"?'),
    ({"address": ADDRESS, "weight": 0}, ".weight: 0 is not a whole number from 1 to 256"),
    ({"address": ADDRESS, "max_fails": -1}, ".max_fails: -1 is not a whole number"),
    ({"address": ADDRESS, "fail_timeout": "500ms"}, '.fail_timeout: "500ms" is not a whole number of seconds'),
    ({"address": ADDRESS, "backup": "perhaps"}, ".backup: \"perhaps\" is neither true nor false"),
    ({"address": "10.0.0.1"}, ".address: \"10.0.0.1\" is not the address of a server"),
    ("10.0.0.1:3000;", ": \"10.0.0.1:3000;\" is not the address of a server"),
    (5, ": 5 is not the address of a server"),
])
def test_a_mistake_in_a_server_is_told_once_with_its_place(server: Any, problem: str) -> None:
    found = problems({"servers": ["10.0.0.7:1", server]})
    assert len(found) == 1
    assert found[0].startswith("[0].servers[1]") and problem in found[0]


def test_the_same_server_twice_is_refused() -> None:
    assert problems({"servers": [ADDRESS, {"address": ADDRESS}]}) == [
        f'[0].servers[1]: "{ADDRESS}" is already websocket_proxy_upstreams[0].servers[0]']


def test_all_upstreams_share_one_zone_that_grows_with_their_servers() -> None:
    many = [f"10.0.{number}.1:80" for number in range(41)]
    zones = [upstream.zone for upstream in compiled({"servers": [ADDRESS]}, {"servers": many}).upstreams]
    assert zones == [["websocket_proxy", "128k"], ["websocket_proxy"]]
    assert first({"servers": [ADDRESS]}).zone == ["websocket_proxy", "64k"]
    assert first({"servers": ["many-addresses.example:80"]}).zone == ["websocket_proxy", "128k"]


# --- groups


def test_each_host_of_a_group_is_a_server_by_its_variable_its_ansible_host_or_its_name() -> None:
    assert first({"group": "chat_nodes", "port": 3000}).servers == [
        Server("chat10:3000", []), Server("10.0.0.2:3000", ["weight=2", "max_conns=500"])]
    assert first({"group": "others", "port": 3000}).servers == [Server("[2001:db8::9]:3000", ["down"])]


def test_the_order_of_a_groups_hosts_does_not_matter() -> None:
    turned = {**GROUPS, "chat_nodes": ["chat2", "chat10"]}
    assert first({"group": "chat_nodes", "port": 1}) == first({"group": "chat_nodes", "port": 1}, groups=turned)


@pytest.mark.parametrize(("address", "server"), [
    ("backend.example", "backend.example:3000"), ("backend.example:4000", "backend.example:4000"),
    ("10.0.0.1", "10.0.0.1:3000"), ("10.0.0.1:4000", "10.0.0.1:4000"),
    ("2001:db8::1", "[2001:db8::1]:3000"), ("[2001:db8::1]", "[2001:db8::1]:3000"),
    ("[2001:db8::1]:4000", "[2001:db8::1]:4000"), ("unix:/run/chat.sock", "unix:/run/chat.sock")])
def test_an_address_of_a_host_gets_the_groups_port_where_it_has_none(address: str, server: str) -> None:
    told = {"other": {"websocket_proxy_server": {"address": address}}}
    assert first({"group": "others", "port": 3000}, hostvars=told).servers == [Server(server, [])]


def test_a_group_and_servers_are_combined() -> None:
    upstream = first({"servers": [{"address": ADDRESS, "backup": True}], "group": "chat_nodes", "port": 3000})
    assert [server.address for server in upstream.servers] == [ADDRESS, "chat10:3000", "10.0.0.2:3000"]


@pytest.mark.parametrize(("upstream", "problem"), [
    ({"group": "chat_nods", "port": 1},
     '[0].group: "chat_nods" is not a group of the inventory; did you mean "chat_nodes"?'),
    ({"group": "empty", "port": 1}, '[0].group: "empty" is a group without hosts; known: chat_nodes, others'),
    ({"group": "others"}, None),
    ({"group": "chat_nodes"}, '[0]: "port" is missing: the port on which the hosts of "chat_nodes" listen'),
    ({"servers": [ADDRESS], "port": 3000},
     '[0].port: this is the port of the hosts of "group", which is not set'),
    ({"group": ["chat_nodes"], "port": 1}, '[0].group: ["chat_nodes"] is not text'),
    ({}, '[0]: "servers" or "group" is missing'),
    ({"sevrers": [ADDRESS]}, '[0]: "sevrers" is not a key here; did you mean "servers"?'),
    ({"servers": []}, "[0].servers: the list is empty; an upstream needs at least one server"),
    ({"servers": ADDRESS}, f'[0].servers: "{ADDRESS}" is not a list of servers'),
])
def test_an_upstream_without_servers_is_told_once_with_the_remedy(upstream: Any, problem: str | None) -> None:
    told = {**HOSTVARS, "other": {"ansible_host": "10.0.0.9:80"}}
    if problem is None:
        assert first(upstream, hostvars=told).servers == [Server("10.0.0.9:80", [])]
    else:
        assert problems(upstream, hostvars=told) == [problem]


def test_what_a_host_says_wrong_is_told_once_with_the_hosts_name() -> None:
    told = {"chat2": {"websocket_proxy_server": {"wieght": 3}}, "chat10": {"ansible_host": "a b"},
            "other": {"websocket_proxy_server": [ADDRESS]}}
    found = problems({"group": "chat_nodes", "port": 1}, {"group": "chat_nodes", "port": 2},
                     {"group": "others", "port": 1}, hostvars=told)
    assert found[0] == 'hostvars["chat10"].ansible_host: "a b" is neither an IP address nor a host name'
    assert 'hostvars["chat2"].websocket_proxy_server: "wieght" is not a key here; did you mean "weight"?' in found
    assert len([problem for problem in found if "wieght" in problem]) == 1
    assert 'hostvars["other"].websocket_proxy_server: ["10.0.0.1:3000"] is not a mapping' in found[-1]


@pytest.mark.parametrize("said", [
    {"websocket_proxy_server": {"address": "{{ nothing }}"}}, {"websocket_proxy_server": "{{ nothing }}"},
    {"ansible_host": "{{ nothing }}"}, {"ansible_host": "{{ 5 / 0 }}"},
    {"websocket_proxy_server": {"weight": "{{ 'x' | no_such_filter }}"}}], ids=str)
def test_a_variable_of_a_host_that_cannot_be_read_is_told_with_the_hosts_name(said: Any, tmp_path: Path) -> None:
    file = tmp_path / "inventory.json"
    file.write_text(json.dumps({"others": {"hosts": {"other": said}}}))
    loader = DataLoader()
    inventory = InventoryManager(loader, [str(file)])
    hostvars = HostVars(inventory, VariableManager(loader, inventory), loader)
    (told,) = problems({"group": "others", "port": 1}, hostvars=hostvars)
    assert told.startswith('hostvars["other"].websocket_proxy_server: this variable or ansible_host cannot be '
                           "templated: ")


@pytest.mark.parametrize(("said", "problem"), [
    ({"websocket_proxy_server": {"address": ""}, "ansible_host": "10.0.0.5"},
     'hostvars["other"].websocket_proxy_server.address: the text is empty'),
    ({"websocket_proxy_server": False},
     'hostvars["other"].websocket_proxy_server: false is not a mapping; known: address, backup, down, fail_timeout, '
     "max_conns, max_fails, weight"),
    ({"ansible_host": ""}, 'hostvars["other"].ansible_host: the text is empty')])
def test_an_empty_value_of_a_host_is_an_error(said: Any, problem: str) -> None:
    assert problems({"group": "others", "port": 1}, hostvars={"other": said}) == [problem]


def test_an_address_that_nginx_looks_up_has_its_place() -> None:
    told = {"other": {"ansible_host": "node.example"}}
    servers = ["a.example:1", {"address": "b.example:1"}, "10.0.0.1:1", "unix:/run/x"]
    found = first({"servers": servers, "group": "others", "port": 3000}, hostvars=told).servers
    assert [server.inventory_path for server in found] == [
        "websocket_proxy_upstreams[0].servers[0]", "websocket_proxy_upstreams[0].servers[1].address", None, None,
        'hostvars["other"].ansible_host']


def test_a_host_that_has_no_variables_is_reached_by_its_name() -> None:
    assert compile_model({"websocket_proxy_upstreams": [{"name": "u", "group": "g", "port": 1}],
                          "websocket_proxy_allow_no_sites": True}, OLD,
                         Inventory({"g": ["h1"]})).upstreams[0].servers == [Server("h1:1", [])]


@pytest.mark.parametrize("upstream", [{"group": "empty", "port": 3000}, {"group": "unknown"}, {"servers": []}, {}])
def test_an_upstream_that_may_be_empty_answers_503(upstream: dict[str, Any]) -> None:
    model = compiled({"allow_empty": True, **upstream}, sites=[{"server_names": ["a.b"], "upstream": "u0"}])
    assert model.upstreams[0].servers == []
    assert model.sites[0].locations[0].answer == Answer(503, "", None)


@pytest.mark.parametrize(("upstream", "place"), [
    ({"group": "chat_nodes", "port": "abc"}, "[0].port"), ({"group": "chat_nodes", "prot": 3000}, "[0]"),
    ({"group": "nobody", "allow_empty": "perhaps"}, "[0].allow_empty"),
    ({"servers": [ADDRESS], "keepalive": -1, "keepalive_requests": 5}, "[0].keepalive"),
    ({"servers": [ADDRESS], "keepalve": 8, "keepalive_requests": 5}, "[0]")], ids=str)
def test_what_a_mistake_leads_to_is_not_told_as_another_one(upstream: Any, place: str) -> None:
    (told,) = problems(upstream)
    assert told.startswith(f"{place}: ")


def test_a_proxy_that_is_a_backend_too_has_its_own_variable() -> None:
    assert compile_model({"websocket_proxy_server": {"address": "10.0.0.1"}, "websocket_proxy_allow_no_sites": True},
                         OLD).upstreams == []


# --- load balancing


@pytest.mark.parametrize(("said", "words"), [
    ("round_robin", []), ("least_conn", ["least_conn"]), ("ip_hash", ["ip_hash"]), ("random", ["random"]),
    ({"random": {"two": "least_conn"}}, ["random", "two", "least_conn"]),
    ({"hash": {"key": "$arg_room"}}, ["hash", "$arg_room", "consistent"]),
    ({"hash": {"key": "$arg_room", "consistent": False}}, ["hash", "$arg_room"]),
])
def test_each_way_of_balancing_becomes_its_directive(said: Any, words: list[str]) -> None:
    assert first({"servers": [ADDRESS], "load_balancing": said}).load_balancing == words


STICKY = {"cookie": "route", "expires": "1h", "domain": "Example.com", "path": "/app", "secure": True,
          "samesite": "none"}


def test_sticky_is_a_hash_of_a_cookie_that_nginx_sets_itself_before_1_29_6() -> None:
    model = compiled({"servers": [ADDRESS], "load_balancing": {"sticky": {"cookie": "route"}}},
                     {"servers": [ADDRESS], "load_balancing": {"sticky": {"cookie": "route"}}},
                     {"servers": [ADDRESS], "load_balancing": {"sticky": STICKY}})
    assert [upstream.load_balancing for upstream in model.upstreams] == [
        ["hash", f"$websocket_proxy_route_{number}", "consistent"] for number in (1, 1, 2)]
    assert [(route.cookie, route.value) for route in model.routes] == [
        ("$cookie_route", "route=$request_id; Path=/; HttpOnly; SameSite=Lax"),
        ("$cookie_route", "route=$request_id; Path=/app; Domain=example.com; Max-Age=3600; HttpOnly; Secure; "
                          "SameSite=None")]
    assert model.upstreams[2].new_cookie == "$websocket_proxy_new_route_2"


def test_sticky_is_nginxs_own_from_1_29_6_on() -> None:
    model = compiled({"servers": [ADDRESS], "load_balancing": {"sticky": STICKY}}, host=NEW)
    assert model.upstreams[0].load_balancing == [
        "sticky", "cookie", "route", "expires=1h", "domain=example.com", "path=/app", "httponly", "secure",
        "samesite=none"]
    assert (model.routes, model.upstreams[0].new_cookie) == ([], None)


@pytest.mark.parametrize(("said", "problem"), [
    ("least_con", '"least_con" is not a load balancing method; did you mean "least_conn"?'),
    ("hash", '"hash" needs keys; expected {hash: {key: …}}'),
    ("sticky", '"sticky" needs keys; expected {sticky: {cookie: …}}'),
    ({"hash": {"key": "room"}}, '.hash.key: "room" contains no variable'),
    ({"hash": {"key": "$arg_room$"}}, '.hash.key: "$arg_room$" has a "$" without the name of a variable'),
    ({"hash": {"key": "$remote_adr"}}, '"$remote_adr" is not a variable of nginx; did you mean "remote_addr"?'),
    ({"hash": {}}, '.hash: "key" is missing'),
    ({"hash": None}, ".hash: null is not a mapping; known: consistent, key"),
    ({"hash": {"key": "$arg_a"}, "random": {"two": "least_conn"}}, "expected one load balancing method, found 2"),
    ({}, "expected one load balancing method, found 0"),
    ({"sticky": {"cookie": "a-b"}}, '.sticky.cookie: "a-b" is not the name of a cookie that nginx can read'),
    ({"sticky": {"cookie": "route", "samesite": "none"}}, ".sticky.samesite: browsers drop a cookie"),
    ({"sticky": {"cookie": "route", "domain": "a;b"}}, '.sticky.domain: "a;b" is not a domain'),
    ({"random": {"two": "least_time"}}, '.random.two: "least_time" is not one of least_conn'),
    ({"least_conn": {}}, '"least_conn" is not a key here'),
    (5, "5 is not a load balancing method; expected round_robin, least_conn, ip_hash, random, or a mapping with one of "
        "h"),
])
def test_a_mistake_in_load_balancing_is_told_once(said: Any, problem: str) -> None:
    found = problems({"servers": [ADDRESS], "load_balancing": said})
    assert len(found) == 1, found
    assert found[0].startswith("[0].load_balancing") and problem in found[0]


@pytest.mark.parametrize(("said", "name"), [
    ("ip_hash", "ip_hash"), ("random", "random"), ({"hash": {"key": "$arg_a"}}, "hash"),
    ({"sticky": {"cookie": "a"}}, "sticky")])
@pytest.mark.parametrize("host", [OLD, NEW], ids=["1.18", "1.30"])
def test_a_backup_is_refused_where_not_every_nginx_has_it(said: Any, name: str, host: Host) -> None:
    servers = [ADDRESS, {"address": "10.0.0.2:1", "backup": True}]
    assert problems({"servers": servers, "load_balancing": said}, host=host) == [
        f"[0].servers[1].backup: nginx{' before 1.29.6' if name == 'sticky' else ''} does not support backup servers "
        f"with load_balancing: {name}; use round_robin or least_conn"]


def test_an_upstream_with_only_backups_is_refused() -> None:
    assert problems({"servers": [{"address": ADDRESS, "backup": True}]}) == [
        "[0]: all servers are backups, and nginx needs at least one that is not"]


def test_two_upstreams_of_a_site_cannot_share_a_cookie() -> None:
    sticky = {"servers": [ADDRESS], "load_balancing": {"sticky": {"cookie": "route"}}}
    site = {"server_names": ["a.b"], "upstream": "u0", "locations": [{"path": "/x", "upstream": "u0"},
                                                                     {"path": "/y", "upstream": "u1"}]}
    assert problems(sticky, sticky, sites=[site]) == [
        'websocket_proxy_sites[0].locations[1].upstream: "u1" is sticky with the cookie route, and so is "u0" at '
        "websocket_proxy_sites[0].upstream; a browser sends one cookie to both, so give each another name"]
    other = {**sticky, "load_balancing": {"sticky": {"cookie": "Route"}}}
    assert len(problems(sticky, other, sites=[site])) == 1
    paths = [{**sticky, "load_balancing": {"sticky": {"cookie": "route", "path": path}}} for path in ("/x", "/y")]
    assert compiled(*paths, sites=[site]).sites


# --- keepalive, resolve


def test_idle_connections_are_limited_alike_by_every_nginx() -> None:
    upstream = first({"servers": [ADDRESS], "keepalive": 8})
    assert (upstream.keepalive, upstream.keepalive_requests, upstream.keepalive_timeout, upstream.keepalive_time) == (
        8, 1000, "60s", None)
    assert first({"servers": [ADDRESS]}).keepalive is None
    assert first({"servers": [ADDRESS]}, host=NEW).keepalive == 0


@pytest.mark.parametrize("key", ["keepalive_requests", "keepalive_timeout", "keepalive_time"])
def test_limits_of_no_idle_connections_are_refused(key: str) -> None:
    assert problems({"servers": [ADDRESS], key: 5}, host=NEW) == [
        f"[0].{key}: this is for idle connections, and keepalive, their number, is 0"]


def test_what_the_hosts_nginx_lacks_is_refused_with_the_version_that_has_it() -> None:
    assert problems({"servers": [ADDRESS], "keepalive": 1, "keepalive_time": "2h"}) == [
        "[0].keepalive_time: this needs nginx 1.19.10 or newer, and the host has 1.18.0"]
    assert problems({"servers": ["a.b:1", "c.d:1"], "resolve": True}, resolver=["10.0.0.53"]) == [
        "[0].resolve: this needs nginx 1.27.3 or newer, and the host has 1.18.0; older versions support it for an "
        "upstream with one name. Without resolve, names are looked up at each reload"]


@pytest.mark.parametrize(("keys", "without"), [
    ({"load_balancing": "least_conn"}, "load_balancing"), ({"keepalive": 3}, "keepalive"),
    ({"servers": [{"address": "a.b:1", "max_conns": 5, "weight": 2}]}, "max_conns, weight"),
    ({"servers": ["127.0.0.1:1"]}, "")])
def test_an_older_nginx_follows_one_name_and_nothing_that_needs_an_upstream(keys: dict[str, Any], without: str) -> None:
    found = problems({"servers": ["a.b:1"], "resolve": True, **keys}, resolver=["10.0.0.53"])
    assert len(found) == 1
    assert f"with one name{f' without {without}' if without else ''}. Without resolve" in found[0]


def test_an_older_nginx_has_a_variable_for_a_name_that_each_request_looks_up() -> None:
    model = compiled({"servers": [ADDRESS]}, {"servers": ["a.b:1"], "resolve": True}, resolver=["10.0.0.53"])
    assert [upstream.variable for upstream in model.upstreams] == [None, "$websocket_proxy_server_1"]
    assert [upstream.zone for upstream in model.upstreams] == [["websocket_proxy", "64k"], []]


def test_free_text_names_no_upstream_that_an_older_nginx_does_not_have() -> None:
    upstreams = [{"name": "u", "servers": ["a.b:1"], "resolve": True}, {"name": "u-other", "servers": [ADDRESS]}]
    role = {"websocket_proxy_upstreams": upstreams, "websocket_proxy_resolver": ["10.0.0.53"],
            "websocket_proxy_allow_no_sites": True}
    for text, refused in (("websocket_proxy_u/x;", True), ("websocket_proxy_u-other;", False)):
        try:
            compile_model({**role, "websocket_proxy_extra_config": f"server {{ proxy_pass http://{text} }}"}, OLD)
        except InventoryError as error:
            assert refused and "use $websocket_proxy_server_1 instead" in str(error)
        else:
            assert not refused


def test_names_are_followed_with_the_inventorys_resolver() -> None:
    upstream = first({"servers": ["a.b:1", ADDRESS, "unix:/x"], "resolve": True}, host=NEW,
                     resolver=["10.0.0.53", "127.0.0.1:5353", "2001:db8::53", "[::1]:5353"])
    assert upstream.resolver == ["10.0.0.53", "127.0.0.1:5353", "[2001:db8::53]", "[::1]:5353", "ipv6=off"]
    assert upstream.servers == [Server("a.b:1", ["resolve"]), Server(ADDRESS, []), Server("unix:/x", [])]


def test_names_are_not_followed_without_a_resolver() -> None:
    assert problems({"servers": ["a.b:1"], "resolve": True}, host=NEW) == [
        "[0].resolve: this needs a DNS server; set websocket_proxy_resolver"]
    assert problems({"servers": ["a.b:1"], "resolve": True}, host=NEW, resolver=["dns.example"]) == [
        'websocket_proxy_resolver[0]: "dns.example" is not the address of a DNS server; expected one such as '
        "10.0.0.53, 127.0.0.1:5353 or 2001:db8::53"]


@pytest.mark.parametrize(("package", "version"), [
    ("1.26.3-3+deb13u1", (1, 26, 3)), ("1:1.30.6-1", (1, 30, 6)), ("1.28.0-1~bookworm", (1, 28, 0)), ("", None)])
def test_the_version_of_nginx_is_that_of_its_package(package: str, version: tuple[int, ...] | None) -> None:
    assert Host.of({"version": package}).nginx_version == version


def test_a_version_that_is_not_known_yet_refuses_nothing() -> None:
    unknown = Host.of({"version": ""})
    assert first({"servers": ["a.b:1"], "resolve": True}, host=unknown, resolver=["::1"]).servers[0].parameters


# --- source addresses


def test_connections_are_spread_over_source_addresses() -> None:
    three = {"servers": [ADDRESS], "proxy_bind": ["10.0.0.7", "10.0.0.8", "10.0.0.9"]}
    model = compiled(three, three, {"servers": [ADDRESS], "proxy_bind": ["10.0.0.7"]},
                     sites=[{"server_names": ["a.b"], "upstream": "u0"}])
    assert model.sources == [Sources("$websocket_proxy_source_1", [
        Share("33.34%", "10.0.0.7"), Share("33.33%", "10.0.0.8"), Share("*", "10.0.0.9")])]
    assert [upstream.proxy_bind for upstream in model.upstreams] == [
        "$websocket_proxy_source_1", "$websocket_proxy_source_1", "10.0.0.7"]
    proxy = model.sites[0].locations[0].proxy
    assert values(model, proxy)["proxy_bind"] == "$websocket_proxy_source_1"


@pytest.mark.parametrize(("keys", "problem"), [
    ({"proxy_bind": ["10.0.0.300"]}, '[0].proxy_bind[0]: "10.0.0.300" is not an IP address'),
    ({"proxy_bind": "10.0.0.7"}, '[0].proxy_bind: "10.0.0.7" is not a list of addresses'),
    ({"proxy_bind": ["10.0.0.7", "10.0.0.7"]}, '"10.0.0.7" is already websocket_proxy_upstreams[0].proxy_bind[0]'),
    ({"proxy_bind": ["10.0.0.7", "::1"]}, "these mix IPv4 and IPv6"),
    ({"proxy_bind": ["10.0.0.66"]}, '[0].proxy_bind[0]: the host has no address "10.0.0.66"'),
    ({"proxy_bind": ["::1"]}, f'[0].servers[0]: with proxy_bind, this has to be an IPv6 address, not "{ADDRESS}"'),
    ({"proxy_bind": ["10.0.0.7"], "servers": ["unix:/x"]}, 'has to be an IPv4 address, not "unix:/x"'),
    ({"proxy_bind": ["10.0.0.7"], "servers": ["a.b:1"]}, 'has to be an IPv4 address, not "a.b:1"'),
])
def test_a_source_address_that_cannot_do_is_refused(keys: dict[str, Any], problem: str) -> None:
    found = problems({"servers": [ADDRESS], **keys}, host=Host(addresses={"10.0.0.66": False, "10.0.0.7": True}))
    assert len(found) == 1, found
    assert problem in found[0]


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "224.0.0.1"])
def test_what_no_single_host_has_is_no_source_address(address: str) -> None:
    assert problems({"servers": [ADDRESS], "proxy_bind": [address]}) == [
        f'[0].proxy_bind[0]: "{address}" is not the address of a single host']


@pytest.mark.parametrize("count", [2, 3, 64, 300])
def test_source_addresses_have_equal_shares(count: int) -> None:
    ((shares),) = (sources.shares for sources in compiled({"servers": [ADDRESS], "proxy_bind": [
        f"10.0.{number // 250}.{number % 250 + 1}" for number in range(count)]}).sources)
    *said, rest = (share.percentage for share in shares)
    hundredths = [round(float(percentage[:-1]) * 100) for percentage in said]
    assert rest == "*" and len(shares) == count
    assert max(hundredths) - min([*hundredths, 10000 - sum(hundredths)]) <= 1


def test_ipv6_source_addresses_are_written_as_every_nginx_reads_them() -> None:
    upstream = {"servers": ["[2001:db8::1]:1"], "proxy_bind": ["[::1]", "2001:DB8::7"]}
    assert [share.address for share in compiled(upstream).sources[0].shares] == ["::1", "2001:db8::7"]


def asking(max_conns: int, *bind: str) -> dict[str, Any]:
    """Return an upstream that allows so many connections to its one server."""
    return {"servers": [{"address": ADDRESS, "max_conns": max_conns}], "proxy_bind": list(bind)}


def test_more_connections_than_there_are_local_ports_are_refused_with_both_numbers() -> None:
    assert problems(asking(30000)) == [
        f"[0].servers[0].max_conns: 30000 connections to {ADDRESS} need as many local ports, but only 28232 are "
        "available, 28232 for each of one address; add addresses to proxy_bind, or let the server listen on more ports "
        "or on a unix socket"]
    assert "but only 55334 are available, 28232 for each of 2 addresses" in problems(
        asking(56000, "10.0.0.7", "10.0.0.8"))[0]
    assert compiled(asking(55000, "10.0.0.7", "10.0.0.8"))
    assert compiled(asking(30000), host=Host(local_ports=64000))
    assert compiled({"servers": [{"address": "unix:/run/chat.sock", "max_conns": 30000}]})


@pytest.mark.parametrize(("upstreams", "refused"), [
    ([asking(20000), asking(8000)], False), ([asking(20000), asking(9000)], True),
    ([asking(28000), asking(28000, "10.0.0.7")], False),
    ([asking(1000, "10.0.0.7", "10.0.0.8"), asking(50000)], True),
    ([asking(0, "10.0.0.7", "10.0.0.8"), asking(50000)], True),
], ids=str)
def test_connections_of_several_upstreams_from_the_same_addresses_count_together(
        upstreams: list[Any], refused: bool) -> None:
    for ordered in (upstreams, upstreams[::-1]):
        if refused:
            assert len(problems(*ordered)) == 1
        else:
            assert compiled(*ordered)
