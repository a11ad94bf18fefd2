"""Settings that are valid but probably not intended: the model warns of them, and Ansible shows the warnings."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.compiler import InventoryError, compile_model
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.host import SERVED, Host
from tests.support.compiling import FACTS
from tests.support.playing import play

UPSTREAM = {"name": "chat", "servers": ["127.0.0.1:3000"]}
SITE = {"server_names": ["chat.example.com"], "upstream": "chat"}
PLAIN_443 = ("websocket_proxy_sites[0].listen[1]: clients expect TLS on port 443, and this socket has none; set the "
             "site's key tls")


def warnings(*sites: dict[str, Any], host: Host | None = None, **role: Any) -> list[str]:
    """Return the warnings of the model for some sites and other variables."""
    variables = {"upstreams": [UPSTREAM], "sites": list(sites or [SITE]), **role}
    return compile_model({f"websocket_proxy_{name}": value for name, value in variables.items()},
                         host or Host(ipv6=True)).warnings


def test_an_inventory_that_is_as_meant_has_no_warnings() -> None:
    assert warnings() == []
    assert warnings({**SITE, "tls": {"self_signed": True}, "listen": [443, {"port": 8443}]}) == []


def test_port_443_without_tls_is_warned_of_once() -> None:
    assert warnings({**SITE, "listen": [80, 443]}) == [PLAIN_443]
    assert warnings(SITE, {**SITE, "server_names": ["c"]}, site_defaults={"listen": [{"port": 443}]}) == [
        PLAIN_443.replace("sites[0].listen[1]", "site_defaults.listen[0]")]


NO_SITES = ("websocket_proxy_sites: no sites are set, so a run would remove every site; set websocket_proxy_state: "
            "absent to remove the edge, or websocket_proxy_allow_no_sites: true for an edge without sites")


@pytest.mark.parametrize("given", [{}, {"sites": []}, {"sites": None}, {"sites": [], "allow_no_sites": False}])
def test_an_inventory_without_sites_is_refused_unless_it_says_so(given: dict[str, Any]) -> None:
    variables = {f"websocket_proxy_{name}": value for name, value in given.items()}
    with pytest.raises(InventoryError) as found:
        compile_model(variables, Host())
    assert found.value.problems == [NO_SITES]
    for more in ({"websocket_proxy_allow_no_sites": True}, {"websocket_proxy_state": "absent"}):
        assert compile_model({**variables, **more}, Host()).sites == []


def test_a_misspelt_variable_of_the_sites_is_told_once() -> None:
    with pytest.raises(InventoryError) as found:
        compile_model({"websocket_proxy_site": [], "websocket_proxy_sites": []}, Host())
    assert found.value.problems == [
        'websocket_proxy_site: not a variable of this role; did you mean "websocket_proxy_sites"?']


def serving(*sites: str) -> Host:
    """Return a host that serves sites with these names."""
    return Host.of({"folders": {SERVED: ["http.conf", "main", *(f"site-{name}.conf" for name in sites)]}})


GONE = "websocket_proxy_sites: these sites are no longer listed, and a run that configures the host removes them: "


def test_sites_that_the_host_serves_and_the_inventory_lacks_are_named() -> None:
    assert warnings(host=serving("chat.example.com")) == []
    assert warnings(host=serving("chat.example.com", "b", "a")) == [f"{GONE}a, b"]
    assert warnings(host=serving("a"), state="absent") == []
    many = warnings(host=serving(*(f"s{number:03}" for number in range(100))))
    assert many == [GONE + ", ".join(f"s{number:03}" for number in range(12)) + " and 88 more"]


def test_a_second_use_of_the_role_in_a_run_says_which_sites_it_replaces() -> None:
    told = {name: compile_model({"websocket_proxy_sites": [{**SITE, "name": "second"}],
                                 "websocket_proxy_upstreams": [UPSTREAM]}, Host(), before=[name]).warnings
            for name in ("first", "second")}
    assert told["first"] == [
        f"{GONE}first; the role has already run in this play with first. Its variables describe the whole edge of a "
        "host: set all sites in one use of the role"]
    assert told["second"] == []


UNUSED = "websocket_proxy_upstreams[0]: no site uses this upstream"


@pytest.mark.parametrize(("site", "role", "unused"), [
    ({"upstream": "other"}, {}, True), ({"upstream": "other"}, {"site_defaults": {"upstream": "chat"}}, True),
    ({"upstream": None}, {"site_defaults": {"upstream": "chat"}}, False),
    ({"locations": [{"path": "/x", "upstream": "chat"}]}, {}, False),
    ({"locations": [{"path": "/x", "upstream": "chat", "maintenance": True}]}, {}, False),
    ({"extra_config": "location /x { proxy_pass http://websocket_proxy_chat/; }"}, {}, False),
    ({"locations": [{"path": "/", "root": "/srv", "extra_config": "proxy_pass http://websocket_proxy_chat;"}]}, {},
     False),
    ({"extra_config": "location /x { proxy_pass http://websocket_proxy_chat2; }"}, {}, True),
    ({"extra_config": "location /x { proxy_pass http://websocket_proxy_$arg_x; }"}, {}, False),
    ({}, {"extra_config": "map $arg_x $theirs { default websocket_proxy_chat; }"}, False),
    ({}, {"state": "absent"}, False),
])
def test_an_upstream_that_nothing_uses_is_warned_of(site: dict[str, Any], role: dict[str, Any], unused: bool) -> None:
    given: dict[str, Any] = {"server_names": ["b"], "upstream": "other", **site}
    if "locations" in given:
        given["locations"] = [*given["locations"], {"path": "/other", "upstream": "other"}]
        del given["upstream"]
    upstreams = [UPSTREAM, {"name": "other", "servers": ["127.0.0.1:1"]}]
    assert (UNUSED in warnings(given, upstreams=upstreams, **role)) is unused


def test_an_upstream_without_servers_is_used_as_well() -> None:
    assert warnings(upstreams=[{"name": "chat", "servers": [], "allow_empty": True}]) == []


def played(folder: Path, *options: str, **variables: Any) -> subprocess.CompletedProcess[str]:
    """Run a play that compiles twice, as the role does if it has installed nginx."""
    compiling = {"name": "Compile", "register": "model", "wsedge.nginx.websocket_proxy_model": {
        "host": FACTS, "before": "{{ model.sites | default([]) }}"}}
    plays = [{"hosts": "one:two", "gather_facts": False, "vars": variables, "tasks": [
        compiling, compiling, {"name": "Show", "ansible.builtin.debug": {"msg": "{{ model.package }}"}}]}]
    (folder / "play.json").write_text(json.dumps(plays))
    return play(folder, "-i", "one,two,", *options, "play.json")


@pytest.mark.parametrize("options", [[], ["--check"]], ids=["run", "check"])
def test_a_play_shows_a_warning_as_ansibles_own_and_goes_on(options: list[str], tmp_path: Path) -> None:
    done = played(tmp_path, *options, websocket_proxy_upstreams=[UPSTREAM],
                  websocket_proxy_sites=[{**SITE, "listen": [80, 443]}])
    assert done.returncode == 0, done.stdout + done.stderr
    told = " ".join((done.stdout + done.stderr).split())
    assert told.count(PLAIN_443) == 1
    assert f"[WARNING]: {PLAIN_443}" in told
    assert '"msg": "nginx"' in done.stdout


def test_a_play_fails_with_all_problems_of_the_inventory(tmp_path: Path) -> None:
    done = played(tmp_path, websocket_proxy_site=[], websocket_proxy_sites=[{**SITE, "listen": [80, 443]}])
    assert done.returncode == 2
    told = done.stdout + done.stderr
    assert 'The inventory cannot be used:\n' in told.replace("\\n", "\n")
    assert "websocket_proxy_site: not a variable of this role" in told
    assert "is not an upstream; there is none" in told


def hidden(text: str, **more: Any) -> list[str]:
    """Return the warnings about directives without effect in the free text of a site."""
    return [one for one in warnings({**SITE, "extra_config": text, **more}) if "has no effect" in one]


def test_what_a_sites_text_sets_in_vain_is_warned_of_with_the_key_for_it() -> None:
    login = {"request": {"upstream": "chat", "path": "/who", "login": "https://a/"}}
    header, page = "add_header X-Frame-Options DENY;", "error_page 404 /missing;"
    assert hidden(header) == [] and hidden(page, limits={"max_connections": 5}) == []
    for more in ({"response_headers": {"X-Own": "1"}}, {"limits": {"requests_per_second": 5}},
                 {"limits": {"max_connections": 5}}, {"auth": login, "allowed_origins": "any"}):
        (found,) = hidden(header, **more)
        assert found.startswith("websocket_proxy_sites[0].extra_config: add_header") and "response_headers" in found
    (found,) = hidden(page, auth=login, allowed_origins="any")
    assert "error_page has no effect in locations with auth and login" in found
