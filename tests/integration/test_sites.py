"""Sites on every nginx: which one answers, and who the client is."""

from __future__ import annotations

import contextlib
import itertools
import socket
import struct
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.schema import OWN, SITE
from tests.support.backends import engineio_server
from tests.support.client import Answer, Client, fields, get, head_of
from tests.support.edge import FOLDER, Edge
from tests.support.key_examples import HASH
from tests.support.ports import free_port
from tests.support.releases import EVERY
from tests.support.served import UPGRADE, Served


class Setup(Served):
    """An edge, and requests to its sites."""

    def listen(self, **options: Any) -> dict[str, Any]:
        """Return the first socket with options."""
        address, port = self.address.split(":")
        return {"address": address, "port": int(port), **options}

    def told(self, *headers: tuple[str, str], source: str = "", before: bytes = b"", host: str = "a") -> dict[str, str]:
        """Return the headers of a request that the backend receives; the bytes BEFORE are sent ahead of it."""
        with Client(self.address, source=source) as client:
            client.socket.sendall(before)
            answer = client.ask(host, "/", headers)
            assert answer.status == 200
            return dict(fields(answer.body))


@pytest.fixture(name="setup", scope="module")
def setup_(serving: Edge) -> Iterator[Setup]:
    """Provide an edge and its backends."""
    with Setup.on(serving) as setup:
        yield setup


def refused(address: str, host: str, headers: Sequence[tuple[str, str]] = ()) -> bool:
    """Return whether nginx closes the connection without an answer."""
    with Client(address) as client:
        client.send(host, "/", headers)
        return head_of(client.socket) == b""


def own(status: int) -> dict[str, Any]:
    """Return keys of a site that answers with a STATUS itself."""
    return {"upstream": None, "locations": [{"path": "/", "respond": {"status": status}}]}


# --- names


def test_names_that_no_site_has_are_not_answered(setup: Setup) -> None:
    setup.serve({"server_names": ["a"]}, {"server_names": ["b"], "listen": [setup.other]})
    for address, name in ((setup.address, "a"), (setup.other, "b")):
        assert get(address, name, "/").status == 200
    for address, name in ((setup.address, "b"), (setup.other, "a"), (setup.address, "127.0.0.1")):
        assert refused(address, name)
    assert refused(setup.address, "x", UPGRADE)


def test_a_default_server_answers_for_all_names_of_its_socket(setup: Setup) -> None:
    setup.serve({"server_names": ["a"], **own(201)},
                {"server_names": ["z"], "listen": [setup.listen(default_server=True), setup.other], **own(202)})
    assert [get(setup.address, name, "/").status for name in ("a", "z", "other")] == [201, 202, 202]
    assert get(setup.other, "z", "/").status == 202
    assert refused(setup.other, "other")


def test_no_answer_tells_the_version_whatever_the_hosts_own_file_has(setup: Setup) -> None:
    setup.edge.stop()
    tls = {"self_signed": True, "redirect_listen": [setup.address]}
    setup.edge.put({
        "nginx_conf": "drop_in", "upstreams": [{"name": "tell", "servers": [setup.backend.address]}],
        "sites": [{"server_names": ["a"], "listen": [setup.other], "tls": tls, "upstream": "tell"}]})
    setup.edge.container.shell("sed -i 's/server_tokens off;/server_tokens on;/' /etc/nginx/nginx.conf && nginx")
    lines = (b"GET / HTTP/1.1", b"GET /%zz HTTP/1.1", b"X")
    for address, line, host in itertools.product((setup.address, setup.other), lines, (b"a", b"unknown")):
        with Client(address) as client:
            client.socket.sendall(line + b"\r\nHost: " + host + b"\r\n\r\n")
            answer = client.socket.recv(65536)
        assert b"nginx/" not in answer
        assert b"nginx" in answer or (address, line, host) == (setup.address, lines[0], b"unknown")


def test_a_default_server_of_another_file_is_kept(setup: Setup) -> None:
    setup.serve({"server_names": ["a"]}, others={"theirs.conf": f"""
        server {{ listen {setup.address} default_server; server_name theirs; return 203; }}"""})
    assert [get(setup.address, name, "/").status for name in ("a", "theirs", "other")] == [200, 203, 203]


def test_wildcards_and_regular_expressions_are_names(setup: Setup) -> None:
    setup.serve({"server_names": ["*.a.example"], **own(201)},
                {"name": "rooms", "server_names": [{"regex": r"^room[0-9]{1,3}\.b\.example$"}], **own(202)},
                {"server_names": ["exact.a.example"], **own(203)})
    assert [get(setup.address, name, "/").status for name in (
        "x.a.example", "y.x.a.example", "ROOM17.b.example", "exact.a.example")] == [201, 201, 202, 203]
    for name in ("a.example", "room1234.b.example", "xroom1.b.example"):
        assert refused(setup.address, name)


def test_a_site_has_a_file_of_its_name(setup: Setup) -> None:
    setup.serve({"name": "chat", "server_names": ["a"]}, {"server_names": ["*.b.example"], **own(202)})
    files = [part.split(":", 1)[0] for part in setup.edge.dump().split(f"# configuration file {FOLDER}/site-")[1:]]
    assert sorted(files) == ["_.b.example.conf", "chat.conf"]
    assert [get(setup.address, name, "/").status for name in ("a", "x.b.example")] == [200, 202]


def test_options_of_a_socket_are_put_on_it_once(setup: Setup) -> None:
    options = {"backlog": 77, "so_keepalive": "7m:8:9"}
    setup.serve({"server_names": ["a"], "listen": [setup.listen(**options)]},
                {"server_names": ["b"], "listen": [setup.listen(**options)], **own(201)},
                {"server_names": ["c"], "listen": [f"{setup.other}"]})
    port = setup.address.split(":")[1]
    assert setup.edge.container.shell(f"ss -Hltn 'sport = :{port}'").split()[2] == "77"
    assert [get(setup.address, name, "/").status for name in ("a", "b")] == [200, 201]
    assert setup.edge.dump().count("so_keepalive=7m:8:9") == 1
    with Client(setup.address) as client:
        assert client.ask("a", "/").status == 200
        assert "timer:(keepalive,6min" in setup.edge.container.shell(f"ss -Htno 'sport = :{port}'")


def test_each_worker_has_a_queue_of_its_own_with_reuseport(setup: Setup) -> None:
    setup.serve({"server_names": ["a"], "listen": [setup.listen(reuseport=True)]}, worker_processes=2)
    port = setup.address.split(":")[1]
    assert len(setup.edge.container.shell(f"ss -Hltn 'sport = :{port}'").splitlines()) == 2
    assert get(setup.address, "a", "/").status == 200


# --- unix sockets

LOCAL = "unix:/run/edge/local.sock"


@pytest.fixture(name="local")
def local_(setup: Setup) -> Setup:
    """Return the edge, with a new folder for its unix socket."""
    setup.edge.container.shell("rm -rf /run/edge && mkdir /run/edge")
    return setup


def test_sites_listen_on_a_unix_socket(local: Setup) -> None:
    local.serve({"server_names": ["a"], "listen": [LOCAL, local.address]},
                {"server_names": ["b"], "listen": [{"address": LOCAL, "backlog": 7}], **own(202)})
    asked = local.edge.asked([{"to": LOCAL, "host": host, "path": "/"} for host in ("a", "b", "other")])
    assert [answer["status"] for answer in asked] == [200, 202, 0]
    assert "X-Real-IP: unix:\r\n" in asked[0]["body"] and "X-Forwarded-Proto: http\r\n" in asked[0]["body"]
    assert get(local.address, "a", "/").status == 200
    assert refused(local.address, "b")
    local.serve({"server_names": ["b"], "listen": [{"address": LOCAL, "default_server": True}], **own(202)})
    assert [answer["status"] for answer in local.edge.asked([{"to": LOCAL, "host": "other", "path": "/"}])] == [202]


def test_clients_of_a_unix_socket_are_trusted_if_the_site_sets_it(local: Setup) -> None:
    local.serve({"server_names": ["a"], "listen": [LOCAL, local.address], "trusted_proxies": ["unix:"]})
    headers = "".join(f"{name}: {value}\r\n" for name, value in FORGED)
    (answer,) = local.edge.asked([{"to": LOCAL, "host": "a", "path": "/", "headers": headers}])
    for told in ("X-Real-IP: 6.6.6.6", "X-Forwarded-For: 6.6.6.6", "X-Forwarded-Proto: https"):
        assert f"{told}\r\n" in answer["body"]
    assert seen(local.told(*FORGED)) == ("127.0.0.1", "127.0.0.1", "http")


def test_the_proxy_protocol_comes_through_a_unix_socket(local: Setup) -> None:
    local.serve({"server_names": ["a"], "listen": [{"address": LOCAL, "proxy_protocol": True}],
                 "trusted_proxies": ["unix:"]})
    (answer,) = local.edge.asked([{"to": LOCAL, "host": "a", "path": "/", "before": V1.decode()}])
    assert "X-Real-IP: 6.6.6.6\r\n" in answer["body"]


# --- who the client is

MORE = ("Forwarded", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Prefix", "X-Forwarded-Protocol",
        "X-Forwarded-Scheme", "X-Forwarded-Ssl")
FORGED = [("X-Forwarded-For", "6.6.6.6"), ("X-Real-IP", "6.6.6.6"), ("X-Forwarded-Proto", "https"),
          *((name, f"forged {name}") for name in MORE)]


def seen(told: dict[str, str]) -> tuple[str, ...]:
    """Return the headers about the client that the backend receives; only trusted proxies add more."""
    more = {name: told[name.lower()] for name in MORE[1:] if name.lower() in told}
    assert more in ({}, {name: f"forged {name}" for name in MORE[1:]})
    return (told["x-real-ip"], told["x-forwarded-for"], told["x-forwarded-proto"], *(["more"] if more else []))


def test_no_proxy_is_trusted_by_default(setup: Setup) -> None:
    setup.serve({"server_names": ["a"]})
    assert seen(setup.told(*FORGED)) == ("127.0.0.1", "127.0.0.1", "http")


def test_only_a_trusted_proxy_reports_the_client(setup: Setup) -> None:
    setup.serve({"server_names": ["a"], "trusted_proxies": ["127.0.8.0/24", "127.0.9.1"]},
                {"server_names": ["b"], "trusted_proxies": ["127.0.9.0/24"]}, {"server_names": ["c"]})
    for source in ("127.0.0.1", "127.0.9.2", "127.0.7.255"):
        assert seen(setup.told(*FORGED, source=source)) == (source, source, "http")
    for source in ("127.0.8.3", "127.0.9.1"):
        assert seen(setup.told(*FORGED, source=source)) == ("6.6.6.6", "6.6.6.6", "https", "more")
        assert seen(setup.told(source=source)) == (source, source, "http")
    # In a chain, the client is the last address that is not a trusted proxy.
    chain = ("X-Forwarded-For", "1.1.1.1, 6.6.6.6, 127.0.8.7")
    assert seen(setup.told(chain, source="127.0.8.3"))[:2] == ("6.6.6.6", "6.6.6.6")
    # Some proxies add a line of their own.
    lines = [("X-Forwarded-For", "1.1.1.1"), ("X-Forwarded-For", "6.6.6.6")]
    assert seen(setup.told(*lines, source="127.0.8.3"))[:2] == ("6.6.6.6", "6.6.6.6")
    assert seen(setup.told(*FORGED, source="127.0.9.2", host="b")) == ("6.6.6.6", "6.6.6.6", "https", "more")
    assert seen(setup.told(*FORGED, source="127.0.8.3", host="c")) == ("127.0.8.3", "127.0.8.3", "http")
    odd = ("X-Forwarded-Proto", "gopher")
    assert seen(setup.told(odd, source="127.0.8.3"))[2] == "http"


def test_forwarded_of_a_trusted_proxy_passes_with_all_its_lines_or_not_at_all(setup: Setup) -> None:
    setup.serve({"server_names": ["a"], "trusted_proxies": ["127.0.8.0/24"]})
    lines = [("Forwarded", "for=1.1.1.1"), ("Forwarded", "for=6.6.6.6")]
    assert "forwarded" not in setup.told(*lines)
    new = setup.edge.container.nginx_version >= (1, 23)
    assert setup.told(*lines, source="127.0.8.3").get("forwarded") == ("for=1.1.1.1, for=6.6.6.6" if new else None)


FROM = ("X-Forwarded-For", "6.6.6.6")
CHAIN = ("X-Forwarded-For", "1.1.1.1, 6.6.6.6, 127.0.8.7")


@EVERY
@pytest.mark.parametrize(("headers", "scheme"), [
    ([FROM, ("X-Forwarded-Proto", "wss")], "https"), ([FROM, ("X-Forwarded-Proto", "ws")], "http"),
    ([FROM, ("X-Forwarded-Proto", "WSS")], "https"), ([FROM, ("X-Forwarded-Proto", "https,wss , HTTPS")], "https"),
    # The client's scheme is at the position of its address. Earlier schemes were sent by the client itself.
    ([CHAIN, ("X-Forwarded-Proto", "https, http")], "https"), ([CHAIN, ("X-Forwarded-Proto", "http, https")], "http"),
    ([CHAIN, ("X-Forwarded-Proto", "https, http, https")], "http"),
    ([FROM, ("X-Forwarded-Proto", "https, http")], "http"),
    # Only one of two proxies has added a scheme.
    ([("X-Forwarded-For", "6.6.6.6, 127.0.8.7, 127.0.8.8"), ("X-Forwarded-Proto", "http, https")], "https"),
    ([("X-Forwarded-Proto", "http, https")], "https"), ([("X-Forwarded-Proto", "gopher")], "http"),
    ([FROM, ("X-Forwarded-Proto", "https"), ("X-Forwarded-Proto", "https")], "https")])
def test_the_scheme_is_what_the_proxies_say_of_the_client(
        setup: Setup, headers: list[tuple[str, str]], scheme: str) -> None:
    setup.serve({"server_names": ["a"], "trusted_proxies": ["127.0.8.0/24"], "locations": [
        {"path": "^/(.*)$", "match": "regex", "upstream": "tell", "extra_config": "proxy_set_header X-Group a$1;"}]})
    told = setup.told(*headers, source="127.0.8.3")
    assert (told["x-forwarded-proto"], told["x-group"]) == (scheme, "a")
    assert setup.told(*headers)["x-forwarded-proto"] == "http"


@EVERY
def test_an_application_accepts_its_own_origin_behind_a_proxy_that_ends_tls(setup: Setup) -> None:
    application = engineio_server(free_port())
    setup.serve({"server_names": ["a"], "upstream": "engineio", "trusted_proxies": ["127.0.8.0/24"]},
                upstreams=[{"name": "engineio", "servers": [application.address]}])

    def status(origin: str, proto: str, *headers: tuple[str, str], path: str = "polling") -> int:
        with Client(setup.address, source="127.0.8.3") as client:
            return client.ask("a", f"/engine.io/?EIO=4&transport={path}", [
                FROM, ("Origin", origin), ("X-Forwarded-Proto", proto), *headers]).status

    assert (status("https://a", "https"), status("http://a", "http"), status("https://b", "https")) == (200, 200, 400)
    # Traefik sends this scheme.
    assert status("https://a", "wss", *UPGRADE, path="websocket") == 101
    assert status("https://b", "wss", *UPGRADE, path="websocket") != 101
    application.close()


V1 = b"PROXY TCP4 6.6.6.6 127.0.0.1 1234 80\r\n"
# The PROXY protocol, 2.2: signature, version and command, family and protocol, length, addresses, ports.
V2 = (b"\r\n\r\n\0\r\nQUIT\n\x21\x11" + struct.pack("!H", 12) + socket.inet_aton("6.6.6.6")
      + socket.inet_aton("127.0.0.1") + struct.pack("!HH", 1234, 80))


@pytest.mark.parametrize("header", [V1, V2], ids=["v1", "v2"])
def test_the_proxy_protocol_of_a_trusted_proxy_reports_the_client(setup: Setup, header: bytes) -> None:
    site = {"server_names": ["a"], "listen": [setup.listen(proxy_protocol=True)], "trusted_proxies": ["127.0.8.1"]}
    setup.serve(site, {"server_names": ["b"], "listen": [setup.other], **own(201)})
    assert seen(setup.told(source="127.0.8.1", before=header)) == ("6.6.6.6", "6.6.6.6", "http")
    # Such a proxy passes the client's own headers on.
    forged = [("X-Forwarded-For", "7.7.7.7"), ("X-Real-IP", "7.7.7.7"), *FORGED[2:]]
    assert seen(setup.told(*forged, source="127.0.8.1", before=header)) == ("6.6.6.6", "6.6.6.6", "http")
    assert seen(setup.told(*forged, source="127.0.8.2", before=header)) == ("127.0.8.2", "127.0.8.2", "http")
    with contextlib.suppress(ConnectionResetError):
        assert refused(setup.address, "a")
    assert get(setup.other, "b", "/").status == 201


# --- defaults

# In maintenance, the configuration of a site contains nothing about its backends.
DEFAULTS = [{"maintenance": True}, {"separate_live": False}, {
    "allow": ["10.0.0.0/8"], "deny": ["10.0.0.1"], "allowed_origins": "same_host", "client_header_timeout": "9s",
    "accel_redirect": True, "limits": {"max_connections": 5},
    "auth": {"basic": {"users": {"alice": HASH}}}}, {
    "upstream": "tell", "other_upgrades": "reject", "dot_segments": "pass", "trusted_proxies": ["127.0.8.1"],
    "request_headers": {"X-Edge": "1"}, "response_headers": {"X-Site": "1"},
    "read_timeout": "7s", "live_read_timeout": "8s", "live_buffer_size": "2k", "event_streams": False,
    "live_access_log": "/var/log/nginx/live.log", "live_access_log_format": "combined",
    "send_timeout": "8s", "connect_timeout": "9s",
    "next_upstream": ["http_503"], "next_upstream_tries": 2, "next_upstream_timeout": "3s", "host": "b.example",
    "buffering": False, "buffer_size": "16k", "buffers": 9, "proxy_redirect": "off", "client_max_body_size": "2k",
    "client_body_timeout": "4s", "client_send_timeout": "5s", "keepalive_timeout": "6s", "gzip": False,
    "access_log": "/var/log/nginx/site.log", "access_log_format": "websocket",
    "tls": {"self_signed": True, "profile": "modern", "redirect": False}}]


@pytest.mark.parametrize("said", DEFAULTS, ids=lambda said: next(iter(said)))
def test_nginx_is_told_the_same_whether_the_defaults_say_it_or_each_site(setup: Setup, said: dict[str, Any]) -> None:
    said = {"upstream": "echo", "listen": [setup.other], **said}
    sites = [{"server_names": [name]} for name in ("a", "b")]
    setup.serve(*sites, site_defaults=said)
    from_defaults = setup.edge.dump()
    setup.serve(*({**site, **said} for site in sites), site_defaults={})
    assert setup.edge.dump() == from_defaults


def test_every_key_of_the_defaults_is_said_there() -> None:
    assert {"listen"}.union(*DEFAULTS) == set(SITE) - set(OWN)


# --- nginx's own language


def test_extra_config_stands_at_its_three_places(setup: Setup) -> None:
    setup.serve({"server_names": ["a"], "extra_config": "add_header X-Site $websocket_test always;", "upstream": None,
                 "locations": [{"path": "/", "upstream": "tell"},
                               {"path": "/own", "respond": {}, "extra_config":
                                "add_header X-Location 'a; b';\nif ($arg_x) {\n    return 418;\n}"}]},
                extra_config="map $arg_x $websocket_test {\n    default none;\n    1 one;\n}\n")
    answer: Answer = get(setup.address, "a", "/?x=1")
    assert answer.headers["x-site"] == "one"
    assert get(setup.address, "a", "/own").headers["x-location"] == "a; b"


def told_by_nginx(setup: Setup) -> str:
    """Return the role's report of its test of the installed configuration."""
    program = ("from ansible_collections.wsedge.nginx.plugins.module_utils.config_test import *; import subprocess; "
               'run = lambda *words: type("Done", (), {"code": 1, "output": "", "errors": '
               'subprocess.run(words, capture_output=True, text=True).stderr}); '
               'config_test = ConfigTest(COMMAND, "/run/nginx.pid", None, Generations("/x", "/x"), run); '
               'config_test.test("/etc/nginx/nginx.conf", "x", "y")')
    return setup.edge.container.run(f"python3 -c '{program}' 2>&1")[1]


def test_a_server_that_cannot_be_resolved_is_told_with_its_place_in_the_inventory(setup: Setup) -> None:
    setup.edge.stop()
    setup.edge.put({"upstreams": [{"name": "a", "servers": ["10.0.0.1:1"]},
                                  {"name": "b", "servers": ["10.0.0.1:1", "no-such-host.invalid:3000"]}],
                    "sites": [{"server_names": [name], "listen": [setup.address], "upstream": name} for name in "ab"]})
    told = told_by_nginx(setup)
    assert 'host not found in upstream "no-such-host.invalid:3000"' in told
    assert "    server no-such-host.invalid:3000;  # websocket_proxy_upstreams[1].servers[1]\n" in told


@pytest.mark.parametrize(("where", "text", "place", "line"), [
    ("http", "map $x $y {\n    default 1;\n}\nno_such_thing on;", "websocket_proxy_extra_config", 4),
    ("site", "client_header_timeout 5s;\nno_such_thing on;", "websocket_proxy_sites[0].extra_config", 2),
    ("location", "no_such_thing on;\nproxy_cache off;", "websocket_proxy_sites[0].locations[0].extra_config", 1)])
def test_a_mistake_in_extra_config_is_told_with_its_place_in_the_inventory(
        setup: Setup, where: str, text: str, place: str, line: int) -> None:
    setup.edge.stop()
    location = {"path": "/", "upstream": "tell", **({"extra_config": text} if where == "location" else {})}
    setup.edge.put({"upstreams": [{"name": "tell", "servers": [setup.backend.address]}],
                    "sites": [{"server_names": ["a"], "listen": [setup.address], "locations": [location],
                               **({"extra_config": text} if where == "site" else {})}],
                    **({"extra_config": text} if where == "http" else {})})
    told = told_by_nginx(setup)
    assert 'unknown directive "no_such_thing"' in told
    assert f"    no_such_thing on;\n    which is line {line} of {place}\n" in told
