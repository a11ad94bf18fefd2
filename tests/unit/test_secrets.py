"""Values from a vault appear in none of our errors, and in no diff."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.wsedge.nginx.plugins.module_utils.masking import masked
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.compiler import InventoryError, compile_model
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.host import Host
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.inventory_path import shown
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.secrets import Vaulted, hidden, secret_lines, unmarked

# Every type of value: text, number, time, name, reference, path, header, free text, list, mapping.
INVENTORY: dict[str, Any] = {
    "websocket_proxy_package": "nginx",
    "websocket_proxy_worker_connections": 1024,
    "websocket_proxy_extra_config": "map $uri $a { default 1; }",
    "websocket_proxy_resolver": ["10.0.0.53"],
    "websocket_proxy_upstreams": [
        {"name": "chat", "servers": ["10.0.0.1:3000", {"address": "10.0.0.2:3000", "weight": 2}], "keepalive": 4,
         "load_balancing": {"hash": {"key": "$arg_room"}}, "tls": {"server_name": "chat.internal"}}],
    "websocket_proxy_sites": [
        {"name": "chat", "server_names": ["chat.example.com"], "listen": [8080, {"port": 8443}],
         "trusted_proxies": ["10.0.0.0/8"], "request_headers": {"X-Token": "abc"}, "response_headers": {"X-A": "b"},
         "extra_config": "gzip on;", "access_log": "/var/log/nginx/chat.log", "read_timeout": "60s",
         "locations": [{"path": "/old", "match": "exact", "redirect": {"to": "/new", "status": 308}},
                       {"path": "/ping", "respond": {"status": 200, "body": "ok", "content_type": "text/plain"}},
                       {"path": "/", "upstream": "chat", "host": "$host", "client_max_body_size": "1m"}]}],
}
SECRETS = ["S3cret", "S3cret-77777:99999", "S3cret\x01x", 'S3cret"{};$no', "30 S3cret", "/S3cret/../x", "S3cret " * 40,
           "S3cret\n}\nserver {", "http://S3cret:77777/"]


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value that is neither a list nor a mapping."""
    if isinstance(value, (dict, list)):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(item, (*path, key))
    else:
        yield path


def with_value(path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """Return the inventory with another VALUE at one PATH."""
    variables = copy.deepcopy(INVENTORY)
    holder: Any = variables
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = value
    return variables


def problems(variables: dict[str, Any]) -> list[str]:
    """Return the problems of an inventory."""
    try:
        compile_model(variables, Host())
    except InventoryError as error:
        return error.problems
    return []


def test_the_inventory_of_these_tests_is_sound() -> None:
    assert problems(INVENTORY) == []


@pytest.mark.parametrize("path", list(leaves(INVENTORY)), ids=lambda path: ".".join(map(str, path)))
def test_no_error_shows_a_vaulted_value_wherever_it_stands(path: tuple[Any, ...]) -> None:
    refused = 0
    for secret in SECRETS:
        found = problems(with_value(path, Vaulted(secret)))
        refused += bool(found)
        for part in ("S3cret", "77777", "99999"):
            assert part.lower() not in "\n".join(found).lower()
    assert refused


@pytest.mark.parametrize("path", list(leaves(INVENTORY)), ids=lambda path: ".".join(map(str, path)))
def test_every_kind_takes_its_value_from_a_vault(path: tuple[Any, ...]) -> None:
    value: Any = INVENTORY
    for step in path:
        value = value[step]
    assert problems(with_value(path, Vaulted(str(value)))) == []


def test_a_list_with_a_vaulted_value_is_not_shown() -> None:
    assert shown(["a", {"b": Vaulted("S3cret")}]) == "a vaulted value"


def test_what_goes_back_to_ansible_is_plain() -> None:
    assert not isinstance(unmarked({"a": [Vaulted("x")]})["a"][0], Vaulted)


def test_nginxs_own_line_of_vaulted_text_is_hidden() -> None:
    told = ('nginx refuses this configuration:\nnginx: [emerg] unknown directive "S3cret_key" in /etc/nginx/x.conf:4\n'
            "    S3cret_key a;\n    which is line 2 of websocket_proxy_extra_config")
    text = hidden(told, ["gzip on;\nS3cret_key a;\n"])
    assert "S3cret" not in text and "[emerg] unknown directive" in text and "websocket_proxy_extra_config" in text


@pytest.mark.parametrize(("line", "result"), [
    ('proxy_set_header Authorization "Basic S3cret";', "proxy_set_header Authorization ********;"),
    ("    proxy_set_header X-Api-Key S3cret;", "    proxy_set_header X-Api-Key ********;"),
    ('add_header "X-My-Secret-Token" "S3 cret" always;', 'add_header "X-My-Secret-Token" ********;'),
    ("proxy_set_header cookie S3cret;", "proxy_set_header cookie ********;"),
    ("proxy_set_header X-Password S3cret;", "proxy_set_header X-Password ********;"),
    ("proxy_set_header Authorization $http_authorization;", "proxy_set_header Authorization $http_authorization;"),
    ("proxy_set_header Host $host;", "proxy_set_header Host $host;"),
])
def test_a_header_that_is_a_secret_by_its_name_is_masked(line: str, result: str) -> None:
    assert masked(f"a;\n{line}\nb;") == f"a;\n{result}\nb;"


def test_a_line_with_a_vaulted_value_shows_its_first_word_only() -> None:
    text = '    proxy_set_header X-A "say \\"S3cret\\"";\n    }\n    proxy_set_header X-B c;\n'
    lines = secret_lines(text, ['say "S3cret"'])
    assert lines == [0]
    assert masked(text, lines) == "    proxy_set_header ********\n    }\n    proxy_set_header X-B c;\n"


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=4), st.text(max_size=20))
def test_no_message_with_a_secret_shows_it(secret: str, around: str) -> None:
    if secret.strip() and any(one.isalnum() for one in secret):
        assert secret not in hidden(f"{around}{secret} {around}", [secret])
