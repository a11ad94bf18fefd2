"""The allow-lists: what each kind of value accepts, in which normal form, and that nothing else passes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.wsedge.nginx.plugins.plugin_utils import kinds
from ansible_collections.wsedge.nginx.plugins.plugin_utils.places import Refused
from ansible_collections.wsedge.nginx.plugins.plugin_utils.quoting import quote

KINDS: list[Callable[[object], Any]] = [
    kinds.name, kinds.package, kinds.duration, kinds.duration_or_never, kinds.worker_processes, kinds.server_name,
    kinds.listen, kinds.server_address, kinds.path, kinds.header_name, kinds.header_value, kinds.port,
    kinds.file, kinds.email, kinds.directory_url, kinds.tls_name, kinds.verify, kinds.network, kinds.unix_socket]
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


@pytest.mark.parametrize("kind", [k for k in KINDS if k is not kinds.header_value])
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
    (kinds.duration, 90, "90s"), (kinds.duration, "90", "90s"), (kinds.duration, "90s", "90s"),
    (kinds.duration, "1d", "1d"), (kinds.duration, "1500ms", "1500ms"), (kinds.duration_or_never, 0, "0"),
    (kinds.worker_processes, "auto", "auto"), (kinds.worker_processes, 4, "4"),
    (kinds.server_name, "Chat.Example.COM", "chat.example.com"), (kinds.server_name, "*.example.com", "*.example.com"),
    (kinds.server_name, "127.0.0.1", "127.0.0.1"), (kinds.server_name, "[2001:DB8::0:1]", "[2001:db8::1]"),
    (kinds.server_name, "a_b.example", "a_b.example"),
    (kinds.listen, 80, ("", 80)), (kinds.listen, "80", ("", 80)), (kinds.listen, "*:80", ("0.0.0.0", 80)),
    (kinds.listen, "192.0.2.1:8080", ("192.0.2.1", 8080)), (kinds.listen, "[::1]:80", ("[::1]", 80)),
    (kinds.server_address, "10.0.0.1:3000", "10.0.0.1:3000"), (kinds.server_address, "Node-1:3000", "node-1:3000"),
    (kinds.server_address, "[2001:db8::2]:3000", "[2001:db8::2]:3000"),
    (kinds.server_address, "unix:/run/chat.sock", "unix:/run/chat.sock"),
    (kinds.path, "/", "/"), (kinds.path, "/api/v1.0/~me", "/api/v1.0/~me"),
    (kinds.header_name, "X-Scheme", "X-Scheme"), (kinds.header_value, "a; b=\"c\"", "a; b=\"c\""),
    (kinds.header_value, "$scheme://${host}:$arg_port", "$scheme://${host}:$arg_port"), (kinds.header_value, 1, "1"),
])
def test_a_sound_value_is_accepted_in_its_normal_form(
        kind: Callable[[object], Any], value: object, normal: Any) -> None:
    assert kind(value) == normal


@pytest.mark.parametrize(("kind", "value", "told"), [
    (kinds.duration, "30 sec", "expected seconds or nginx's form"), (kinds.duration, True, "not a time"),
    (kinds.duration, 1.5, "not a time"), (kinds.duration, 0, "above zero"), (kinds.duration, -1, "not a time"),
    (kinds.duration, "3651d", "ten years"), (kinds.duration, "1y", "not a time"), (kinds.duration, "1M", "not a time"),
    (kinds.duration_or_never, False, "not a time"),
    (kinds.port, 0, "1 to 65535"), (kinds.port, 70000, "1 to 65535"), (kinds.port, True, "1 to 65535"),
    (kinds.listen, "70000", "1 to 65535"), (kinds.listen, "127.0.0.1:0", "1 to 65535"),
    (kinds.listen, "example.com:80", "address:port"), (kinds.listen, "80 default_server", "keys of a mapping"),
    (kinds.listen, "[::1", "1 to 65535|address:port"), (kinds.listen, "unix:run/x", "path of a socket"),
    (kinds.listen, "unix:/run/websocket_proxy/x.sock", "a folder of the role's own"),
    (kinds.server_name, "", "empty server name"), (kinds.server_name, "~^x$", "not a server name"),
    (kinds.server_name, ".example.com", "not a server name"), (kinds.server_name, "a..b", "not a server name"),
    (kinds.server_name, "example.com.", "not a server name"), (kinds.server_name, "a b", "not a server name"),
    (kinds.server_name, "bücher.example", "xn--bcher-kva.example"), (kinds.server_name, "a;b", "not a server name"),
    (kinds.server_address, "10.0.0.1", "host:port"), (kinds.server_address, "10.0.0.1:70000", "1 to 65535"),
    (kinds.server_address, "300.1.1.1:80", "IPv4"), (kinds.server_address, "fe80::1:80", "host:port"),
    (kinds.server_address, "[fe80::1%eth0]:80", "IPv6"), (kinds.server_address, "unix:run/x", "path of a socket"),
    (kinds.server_address, "10.0.0.1:80;", "host:port|port"), (kinds.server_address, {"address": "x"}, "host:port"),
    (kinds.server_address, "$backend:80", "host:port"), (kinds.server_address, "unix:/" + "x" * 107, "at most 107"),
    (kinds.path, "chat", "does not begin"), (kinds.path, "/a b", "no place"), (kinds.path, "/a;b", "no place"),
    (kinds.path, "/$x", "no place"), (kinds.path, "/a%20b", "after decoding"), (kinds.path, "/a/../b", "no request"),
    (kinds.path, "//a", "no request"), (kinds.path, "/a/.", "no request"), (kinds.path, "~ x", "does not begin"),
    (kinds.name, "../x", "not a name"), (kinds.name, "", "empty"), (kinds.name, "a;b", "not a name"),
    (kinds.name, "$x", "not a name"), (kinds.name, "a/b", "not a name"), (kinds.name, 5, "not text"),
    (kinds.header_name, "X Y", "not the name of a header"), (kinds.header_name, "X:", "not the name of a header"),
    (kinds.header_value, "$nope", '"\\$nope" is not a variable of nginx'),
    (kinds.header_value, "$remote_adr", 'did you mean "remote_addr"'),
    (kinds.header_value, "5$", "begins no variable"), (kinds.header_value, "$http_", "not a variable"),
    (kinds.header_value, "ä", "not ASCII"), (kinds.header_value, " x", "a space"),
    (kinds.header_value, True, "quotation"),
    (kinds.header_value, "", "null removes"), (kinds.package, "Nginx", "Debian package"),
    (kinds.worker_processes, "many", "neither auto"), (kinds.file, "/a/", "is a folder"),
    (kinds.file, "a.pem", "absolute path"), (kinds.email, "admin", "not an address"), (kinds.email, "a@b", "address"),
    (kinds.email, "a b@c.test", "not an address"), (kinds.directory_url, "http://ca.test/", "not the directory"),
    (kinds.directory_url, "https://ca.test/a b", "not the directory"), (kinds.tls_name, "10.0.0.1", "not a host name"),
    (kinds.tls_name, "*.b.test", "not a host name"), (kinds.verify, "off", "neither on nor optional"),
    (kinds.redirect_status, 303, "or false for no redirect"), (kinds.pem, "x", "with -----BEGIN on a line"),
    (kinds.listen, "443 ssl", "the key tls of the site"),
    (kinds.listen, "unix:/../run/websocket_proxy/x.sock", 'no "/./" or "/../"'),
    (kinds.server_address, "unix:/run/./x.sock", 'no "/./"'), (kinds.unix_socket, "unix:/run/..", "path of a socket"),
    (kinds.email, "-x@b.test", "not an address"), (kinds.package, "nginx-", "Debian package"),
    (kinds.package, "-nginx", "Debian package"), (kinds.public_key, "", "expected the text of a public key"),
    (kinds.public_key, "\n", "expected the text of a public key"), (kinds.log_file, 0, "is not text"),
    (kinds.private_key, "-----BEGIN ENCRYPTED PRIVATE KEY-----\nx", "has a password"),
    (kinds.private_key, "-----BEGIN CERTIFICATE-----\nx", "not a private key"),
])
def test_a_value_of_another_kind_is_refused_with_what_was_expected(
        kind: Callable[[object], Any], value: object, told: str) -> None:
    with pytest.raises(Refused, match=told):
        kind(value)


@pytest.mark.parametrize("kind", [kinds.email, kinds.package, kinds.directory_url, kinds.server_name, kinds.name])
@given(value=NEARLY | st.emails())
def test_what_becomes_a_word_of_a_command_is_never_an_option(kind: Callable[[object], Any], value: str) -> None:
    with pytest.raises(Refused):
        kind(f"-{value}")


@pytest.mark.parametrize("kind", [kinds.header_value, kinds.path])
def test_the_marker_of_a_generation_is_no_ones_value(kind: Callable[[object], Any]) -> None:
    with pytest.raises(Refused, match="stands for the name"):
        kind("/@generation@")


def test_a_mapping_that_json_does_not_know_is_refused_and_not_an_accident() -> None:
    with pytest.raises(Refused):
        kinds.duration({(1, 2): "x"})
