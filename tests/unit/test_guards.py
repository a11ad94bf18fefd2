"""Access control: what an inventory can set, which keys go together, and the warnings."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.compiler import InventoryError
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.model import Model
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.probes import probes
from tests.support.compiling import compiled
from tests.support.key_examples import HASH

BASIC = {"basic": {"users": {"alice": HASH}}}
ASK = {"request": {"upstream": "u", "path": "/auth"}}


def model(site: dict[str, Any], **role: Any) -> Model:
    """Compile a site."""
    return compiled({"upstreams": [{"name": "u", "servers": ["127.0.0.1:1"]},
                                   {"name": "none", "servers": [], "allow_empty": True}],
                     "sites": [{"server_names": ["a"], "upstream": "u", **site}], **role})


def problems(site: dict[str, Any], **role: Any) -> list[str]:
    """Return the problems of a site."""
    with pytest.raises(InventoryError) as found:
        model(site, **role)
    return [problem.removeprefix("websocket_proxy_sites[0]") for problem in found.value.problems]


def location(**keys: Any) -> dict[str, Any]:
    """Return a site with one location."""
    return {"upstream": None, "locations": [{"path": "/x", "upstream": "u", **keys}]}


@pytest.mark.parametrize(("site", "told"), [
    ({"auth": {"basic": {"users": {"alice": "her password"}}}},
     ".auth.basic.users.alice: this is not a password hash that every nginx accepts; make one with: openssl"),
    ({"auth": {"basic": {"users": {"a:b": HASH}}}}, '"a:b" is not a user name'),
    ({"auth": {"basic": {"users": {}}}}, ".auth.basic.users: expected a mapping of user names"),
    ({"auth": {"basic": {}}}, '.auth.basic: set either "users" or "file"'),
    ({"auth": {"basic": {"users": {"a": HASH}, "file": "/x"}}}, '.auth.basic: set either "users" or "file"'),
    ({"auth": {"satisfy": "any"}}, '.auth: set "basic", "request" or both'),
    ({"auth": {"basics": {}}}, '"basics" is not a key here; did you mean "basic"?'),
    ({"auth": True}, ".auth: true is not a mapping"),
    ({"auth": {"request": {"upstream": "nobody", "path": "/a"}}}, '.request.upstream: "nobody" is not an upstream'),
    ({"auth": {"request": {"upstream": "none", "path": "/a"}}}, "this upstream has no servers"),
    ({"auth": {"request": {"upstream": "u"}}}, '.auth.request: "path" is missing'),
    ({"auth": {"request": {**ASK["request"], "login": "login.example"}}}, 'is neither "answer" nor a URL'),
    ({"auth": {"request": {**ASK["request"], "login": "/login"}}}, 'is neither "answer" nor a URL'),
    ({"auth": {**BASIC, "request": {**ASK["request"], "login": "answer"}}}, "so login needs satisfy: any"),
    ({"auth": {"request": {**ASK["request"], "response_headers": ["Host"]}}}, "the role itself sets this header"),
    ({"limits": {"max_connections": 5, "trusted": ["all"]}}, "this exempts every client"),
    (location(upstream=None, root="/srv", limits={"max_connections": 5}), ".limits.max_connections: this is for"),
    ({"auth": {"request": {**ASK["request"], "response_headers": ["a b"]}}}, "is not the name of a header"),
    ({"auth": {"basic": {"realm": 'a"b', "users": {"a": HASH}}}}, "is not a realm"),
    ({"allow": ["10.0.0.1/8"]}, "did you mean 10.0.0.0/8?"), ({"deny": "10.0.0.0/8"}, "is not a list of addresses"),
    ({"allow": ["10.0.0.0/8", "10.0.0.0/8"]}, "is listed twice"),
    (location(upstream=None, respond={}, auth=BASIC), ".auth: nginx answers with respond before it checks this"),
    (location(upstream=None, redirect={"to": "/y"}, deny=["all"]), ".deny: nginx answers with redirect before"),
    ({**location(), "deny": ["10.0.0.1"], "extra_config": "deny all;"},
     ".extra_config: deny would have no effect: nginx uses those of one level only"),
    (location(auth=BASIC, extra_config="auth_basic off;"),
     ".locations[0].extra_config: auth_basic would have no effect"),
])
def test_a_mistake_is_told_once_and_shows_no_password(site: dict[str, Any], told: str) -> None:
    found = problems(site)
    assert len(found) == 1 and told in found[0], found
    assert "her password" not in found[0]


def test_free_text_of_http_is_looked_at_as_well() -> None:
    (problem,) = problems({"allow": ["10.0.0.0/8"]}, extra_config="deny all;")
    assert "websocket_proxy_extra_config: deny would have no effect" in problem
    assert model({"allow": ["10.0.0.0/8"]}, extra_config="map $uri $x { default deny; }")


@pytest.mark.parametrize("site", [
    {"auth": BASIC}, location(auth=ASK), location(auth=BASIC, websocket_only=True),
    {"tls": {"self_signed": True, "client_certificate": {"ca": "/ca.pem"}}}])
def test_visitors_who_are_known_want_an_origin(site: dict[str, Any]) -> None:
    assert any("allowed_origins is not set" in one for one in model(site).warnings)
    for origins in ("any", "same_host"):
        assert not any("allowed_origins" in one for one in model({**site, "allowed_origins": origins}).warnings)


@pytest.mark.parametrize("network", ["0.0.0.0/0", "::/0"])
def test_trusting_everybody_is_warned_of(network: str) -> None:
    (warning,) = [one for one in model({"trusted_proxies": [network]}).warnings if "trusted_proxies" in one]
    assert "this trusts every client to report its own address" in warning
    assert not any("trusted_proxies" in one for one in model({"trusted_proxies": ["10.0.0.0/8"]}).warnings)


def test_a_slow_hash_is_warned_of() -> None:
    for hashed, slow in ((HASH, False), (HASH.replace("$6$", "$6$rounds=90000$"), True), ("$2y$12$" + "x" * 53, True),
                         ("$2y$10$" + "x" * 53, False)):
        found = model({"auth": {"basic": {"users": {"alice": hashed}}}, "allowed_origins": "any"}).warnings
        assert any("use fewer rounds" in one for one in found) == slow


def test_the_same_users_are_one_file_and_others_another() -> None:
    other = {"basic": {"users": {"bob": HASH}}}
    found = compiled({"upstreams": [{"name": "u", "servers": ["127.0.0.1:1"]}], "sites": [
        {"server_names": [name], "upstream": "u", "auth": auth} for name, auth in (
            ("a", BASIC), ("b", other), ("c", BASIC))]})
    assert found.user_files == {"users-1": f"alice:{HASH}\n", "users-2": f"bob:{HASH}\n"}
    assert [site.locations[0].guard and site.locations[0].guard.users for site in found.sites] == [
        "users-1", "users-2", "users-1"]


def test_what_nginx_answers_itself_has_no_guard_of_its_site_and_a_probe_leaves_out_what_has() -> None:
    found = model({**location(), "auth": BASIC, "locations": [
        {"path": "/x", "upstream": "u"}, {"path": "/y", "respond": {}}, {"path": "/z", "root": "/srv"}]})
    guards = {one.match[-1]: one.guard is not None for one in found.sites[0].locations}
    assert guards == {"/x": True, "/y": False, "/z": True, "/": False}
    assert [one.reason for one in probes(found)] == ["access is restricted (allow, deny or auth)"]
