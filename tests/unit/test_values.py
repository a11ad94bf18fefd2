"""The allow-lists: what each type of value accepts, its normal form, and that nothing else passes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.wsedge.nginx.plugins.plugin_utils.render.quoting import quote
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec import address_values as hosts
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec import certificate_values as certs
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec import header_values as headers
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec import number_values as numbers
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec import package_values as packages
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec import path_values as paths
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec import text_values as texts
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec import time_values as times
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.inventory_path import Refused

KINDS: list[Callable[[object], Any]] = [
    texts.name, packages.package, times.duration, times.duration_or_never, numbers.worker_processes, hosts.server_name,
    hosts.listen, hosts.server_address, paths.path, headers.header_name, headers.header_value, numbers.port,
    paths.file, certs.email, certs.directory_url, certs.tls_name, certs.verify, hosts.network, hosts.unix_socket]
ANYTHING = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.lists(st.text())
NEARLY = st.from_regex(r"(unix:)?[/\[*~a-z0-9.:$;{}\]\\\"' \n\t%_-]{0,30}", fullmatch=True)


@pytest.mark.parametrize("kind", KINDS)
@given(value=ANYTHING | NEARLY)
def test_a_kind_refuses_or_returns_something_that_can_be_quoted(kind: Callable[[object], Any], value: object) -> None:
    try:
        checked = kind(value)
    except Refused as reason:
        assert str(reason)
        assert "\n" not in str(reason)
        return
    for part in checked if isinstance(checked, tuple) else [checked]:
        assert quote(part) is not None


@pytest.mark.parametrize("kind", [k for k in KINDS if k is not headers.header_value])
@given(value=NEARLY)
def test_what_could_end_a_word_passes_only_in_a_header_value(kind: Callable[[object], Any], value: str) -> None:
    try:
        checked = kind(value)
    except Refused:
        return
    assert not set(str(checked)) & set(";{}$\"\\ \n\t") - set("' ,()[]" if isinstance(checked, tuple) else "")


@pytest.mark.parametrize("control", ["\n", "\r", "\0", "\t", "\x7f", "\x85", "\u2028"])
@pytest.mark.parametrize("kind", KINDS)
def test_no_kind_accepts_a_control_character(kind: Callable[[object], Any], control: str) -> None:
    for sound in ("chat", "chat.example.com", "/chat", "10.0.0.1:80", "80", "90s"):
        for value in (control + sound, sound + control, sound[:2] + control + sound[2:]):
            with pytest.raises(Refused):
                kind(value)


@pytest.mark.parametrize(("kind", "value", "normal"), [
    (times.duration, 90, "90s"), (times.duration, "90", "90s"), (times.duration, "90s", "90s"),
    (times.duration, "1d", "1d"), (times.duration, "1500ms", "1500ms"), (times.duration_or_never, 0, "0"),
    (numbers.worker_processes, "auto", "auto"), (numbers.worker_processes, 4, "4"),
    (hosts.server_name, "Chat.Example.COM", "chat.example.com"), (hosts.server_name, "*.example.com", "*.example.com"),
    (hosts.server_name, "127.0.0.1", "127.0.0.1"), (hosts.server_name, "[2001:DB8::0:1]", "[2001:db8::1]"),
    (hosts.server_name, "a_b.example", "a_b.example"),
    (hosts.listen, 80, ("", 80)), (hosts.listen, "80", ("", 80)), (hosts.listen, "*:80", ("0.0.0.0", 80)),
    (hosts.listen, "192.0.2.1:8080", ("192.0.2.1", 8080)), (hosts.listen, "[::1]:80", ("[::1]", 80)),
    (hosts.server_address, "10.0.0.1:3000", "10.0.0.1:3000"), (hosts.server_address, "Node-1:3000", "node-1:3000"),
    (hosts.server_address, "[2001:db8::2]:3000", "[2001:db8::2]:3000"),
    (hosts.server_address, "unix:/run/chat.sock", "unix:/run/chat.sock"),
    (paths.path, "/", "/"), (paths.path, "/api/v1.0/~me", "/api/v1.0/~me"),
    (headers.header_name, "X-Scheme", "X-Scheme"), (headers.header_value, "a; b=\"c\"", "a; b=\"c\""),
    (headers.header_value, "$scheme://${host}:$arg_port", "$scheme://${host}:$arg_port"),
    (headers.header_value, 1, "1"),
])
def test_a_sound_value_is_accepted_in_its_normal_form(
        kind: Callable[[object], Any], value: object, normal: Any) -> None:
    assert kind(value) == normal


@pytest.mark.parametrize(("kind", "value", "told"), [
    (times.duration, "30 sec", "expected seconds or nginx's form"), (times.duration, True, "not a time"),
    (times.duration, 1.5, "not a time"), (times.duration, 0, "more than zero"), (times.duration, -1, "not a time"),
    (times.duration, "3651d", "ten years"), (times.duration, "1y", "not a time"), (times.duration, "1M", "not a time"),
    (times.duration_or_never, False, "not a time"),
    (numbers.port, 0, "1 to 65535"), (numbers.port, 70000, "1 to 65535"), (numbers.port, True, "1 to 65535"),
    (hosts.listen, "70000", "1 to 65535"), (hosts.listen, "127.0.0.1:0", "1 to 65535"),
    (hosts.listen, "example.com:80", "address:port"), (hosts.listen, "80 default_server", "use a mapping"),
    (hosts.listen, "[::1", "1 to 65535|address:port"), (hosts.listen, "unix:run/x", "path of a socket"),
    (hosts.listen, "unix:/run/websocket_proxy/x.sock", "a folder of the role"),
    (hosts.server_name, "", "empty server name"), (hosts.server_name, "~^x$", "not a server name"),
    (hosts.server_name, ".example.com", "not a server name"), (hosts.server_name, "a..b", "not a server name"),
    (hosts.server_name, "example.com.", "not a server name"), (hosts.server_name, "a b", "not a server name"),
    (hosts.server_name, "bücher.example", "xn--bcher-kva.example"), (hosts.server_name, "a;b", "not a server name"),
    (hosts.server_address, "10.0.0.1", "host:port"), (hosts.server_address, "10.0.0.1:70000", "1 to 65535"),
    (hosts.server_address, "300.1.1.1:80", "IPv4"), (hosts.server_address, "fe80::1:80", "host:port"),
    (hosts.server_address, "[fe80::1%eth0]:80", "IPv6"), (hosts.server_address, "unix:run/x", "path of a socket"),
    (hosts.server_address, "10.0.0.1:80;", "host:port|port"), (hosts.server_address, {"address": "x"}, "host:port"),
    (hosts.server_address, "$backend:80", "host:port"), (hosts.server_address, "unix:/" + "x" * 107, "at most 107"),
    (paths.path, "chat", "does not begin"), (paths.path, "/a b", "not allowed"), (paths.path, "/a;b", "not allowed"),
    (paths.path, "/$x", "not allowed"), (paths.path, "/a%20b", "after decoding"), (paths.path, "/a/../b", "no request"),
    (paths.path, "//a", "no request"), (paths.path, "/a/.", "no request"), (paths.path, "~ x", "does not begin"),
    (texts.name, "../x", "not a name"), (texts.name, "", "empty"), (texts.name, "a;b", "not a name"),
    (texts.name, "$x", "not a name"), (texts.name, "a/b", "not a name"), (texts.name, 5, "not text"),
    (headers.header_name, "X Y", "not the name of a header"), (headers.header_name, "X:", "not the name of a header"),
    (headers.header_value, "$nope", '"\\$nope" is not a variable of nginx'),
    (headers.header_value, "$remote_adr", 'did you mean "remote_addr"'),
    (headers.header_value, "5$", "without the name of a variable"), (headers.header_value, "$http_", "not a variable"),
    (headers.header_value, "ä", "not ASCII"), (headers.header_value, " x", "a space"),
    (headers.header_value, True, "quotation"),
    (headers.header_value, "", "null to remove"), (packages.package, "Nginx", "Debian package"),
    (numbers.worker_processes, "many", "neither auto"), (paths.file, "/a/", "is a folder"),
    (paths.file, "a.pem", "absolute path"), (certs.email, "admin", "not an address"), (certs.email, "a@b", "address"),
    (certs.email, "a b@c.test", "not an address"), (certs.directory_url, "http://ca.test/", "not the directory"),
    (certs.directory_url, "https://ca.test/a b", "not the directory"), (certs.tls_name, "10.0.0.1", "not a host name"),
    (certs.tls_name, "*.b.test", "not a host name"), (certs.verify, "off", "neither on nor optional"),
    (numbers.redirect_status, 303, "or false for no redirect"), (certs.pem, "x", "has -----BEGIN on a line"),
    (hosts.listen, "443 ssl", "the site's key tls"),
    (hosts.listen, "unix:/../run/websocket_proxy/x.sock", 'no "/./" or "/../"'),
    (hosts.server_address, "unix:/run/./x.sock", 'no "/./"'), (hosts.unix_socket, "unix:/run/..", "path of a socket"),
    (certs.email, "-x@b.test", "not an address"), (packages.package, "nginx-", "Debian package"),
    (packages.package, "-nginx", "Debian package"), (packages.public_key, "", "is not the text of a public key"),
    (packages.public_key, "\n", "is not the text of a public key"), (paths.log_file, 0, "is not text"),
    (certs.private_key, "-----BEGIN ENCRYPTED PRIVATE KEY-----\nx", "has a password"),
    (certs.private_key, "-----BEGIN CERTIFICATE-----\nx", "not a private key"),
])
def test_a_value_of_another_kind_is_refused_with_what_was_expected(
        kind: Callable[[object], Any], value: object, told: str) -> None:
    with pytest.raises(Refused, match=told):
        kind(value)


@pytest.mark.parametrize("kind", [certs.email, packages.package, certs.directory_url, hosts.server_name, texts.name])
@given(value=NEARLY | st.emails())
def test_what_becomes_a_word_of_a_command_is_never_an_option(kind: Callable[[object], Any], value: str) -> None:
    with pytest.raises(Refused):
        kind(f"-{value}")


@pytest.mark.parametrize("kind", [headers.header_value, paths.path])
def test_the_marker_of_a_generation_is_no_ones_value(kind: Callable[[object], Any]) -> None:
    with pytest.raises(Refused, match="is reserved"):
        kind("/@generation@")


def test_a_mapping_that_json_does_not_know_is_refused_and_not_an_accident() -> None:
    with pytest.raises(Refused):
        times.duration({(1, 2): "x"})
