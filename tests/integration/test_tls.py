"""TLS on every nginx: its protocols, its certificates, and the clients that it accepts."""

from __future__ import annotations

import re
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.backends import Backend, offering, switching, telling
from tests.support.client import Client, fields, get, head_of
from tests.support.edge import Edge
from tests.support.http2 import Http2
from tests.support.pki import Authority, Pair
from tests.support.releases import EVERY
from tests.support.served import UPGRADE, Served
from tests.support.waiting import wait_until

FOLDER = "/etc/ssl/tests"
DOCUMENTATION = Path(__file__).parents[2] / "docs/tls.md"
CA, OTHER_CA = Authority("tests"), Authority("others")
BELOW = Authority("below tests", CA)


@dataclass
class Setup(Served):
    """An edge with a TLS socket and a plain one, and the certificates by site name."""

    trust: Path
    certificates: dict[str, Pair] = field(default_factory=dict)

    def tls(self, name: str, **keys: Any) -> dict[str, Any]:
        """Return the key ``tls`` of a site with a certificate for NAME."""
        if name not in self.certificates:
            self.certificates[name] = BELOW.issue(name)
        pair = self.certificates[name]
        self.edge.container.write({f"{FOLDER}/{name}.pem": pair.certificate, f"{FOLDER}/{name}.key": pair.key})
        self.edge.container.shell(f"chmod 600 {FOLDER}/*.key")
        return {"certificate": f"{FOLDER}/{name}.pem", "certificate_key": f"{FOLDER}/{name}.key",
                "redirect_listen": [self.other], **keys}

    def site(self, name: str, tls: dict[str, Any] | None = None, **keys: Any) -> dict[str, Any]:
        """Return a site with TLS."""
        return {"server_names": [name], "tls": self.tls(name, **(tls or {})), "listen": [self.address], **keys}

    def context(self, client: Pair | None = None, **keys: Any) -> ssl.SSLContext:
        """Return the TLS settings of a client."""
        context = ssl.create_default_context(cafile=str(self.trust / "ca.pem"))
        if client:
            (self.trust / "client.pem").write_text(client.certificate + client.key)
            context.load_cert_chain(self.trust / "client.pem")
        for key, value in keys.items():
            setattr(context, key, value)
        return context

    @contextmanager
    def client(self, name: str, context: ssl.SSLContext | None = None, session: ssl.SSLSession | None = None,
               address: str = "") -> Iterator[Client]:
        """Provide a client that has completed a TLS handshake for NAME."""
        with Client(address or self.address) as client:
            client.socket = (context or self.context()).wrap_socket(client.socket, server_hostname=name or None,
                                                                    session=session)
            yield client

    def told(self, name: str, headers: Any = (), context: ssl.SSLContext | None = None) -> dict[str, str]:
        """Return the headers of a request that the backend receives."""
        with self.client(name, context) as client:
            answer = client.ask(name, "/", headers)
            assert answer.status == 200
            return dict(fields(answer.body))

    def log(self) -> str:
        """Return nginx's error log."""
        return self.edge.container.shell("cat /var/log/nginx/error.log")


@pytest.fixture(name="setup", scope="module")
def setup_(serving: Edge, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setup]:
    """Provide an edge and its backends."""
    trust = tmp_path_factory.mktemp("trust")
    (trust / "ca.pem").write_text(CA.certificate)
    with Setup.on(serving, trust=trust) as setup:
        yield setup


VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


def only(setup: Setup, version: str) -> ssl.SSLContext:
    """Return the TLS settings of a client that supports only one version."""
    return setup.context(minimum_version=VERSIONS[version], maximum_version=VERSIONS[version])


def refused(setup: Setup, name: str, context: ssl.SSLContext | None = None) -> bool:
    """Return whether a handshake fails."""
    try:
        with setup.client(name, context) as client:
            client.send(name, "/")
            return head_of(client.socket) == b""
    except (ssl.SSLError, ConnectionResetError):
        return True


# --- protocols


@EVERY
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", ["ecdsa", "rsa"])
def test_a_websocket_goes_through_tls(setup: Setup, version: str, kind: str) -> None:
    setup.certificates["a.test"] = BELOW.issue("a.test", kind=kind)
    setup.serve(setup.site("a.test", upstream="echo"))
    with setup.client("a.test", only(setup, version)) as client:
        assert client.socket.version() == f"TLSv{version}"
        assert client.ask("a.test", "/", UPGRADE).status == 101
        client.echo(b"hello")


@EVERY
def test_the_backend_is_told_that_the_client_came_with_tls(setup: Setup) -> None:
    setup.serve(setup.site("a.test"))
    told = setup.told("a.test", [("X-Forwarded-Proto", "http")])
    assert (told["x-forwarded-proto"], told["x-real-ip"]) == ("https", "127.0.0.1")


@EVERY
@pytest.mark.parametrize("version", ["TLSv1", "TLSv1_1"])
def test_what_is_older_than_tls_1_2_is_refused(setup: Setup, version: str) -> None:
    setup.serve(setup.site("a.test"))
    old = setup.context(minimum_version=ssl.TLSVersion[version], maximum_version=ssl.TLSVersion[version])
    old.set_ciphers("DEFAULT@SECLEVEL=0")
    assert refused(setup, "a.test", old)


@EVERY
@pytest.mark.parametrize("ciphers", ["AES128-SHA", "ECDHE-ECDSA-AES128-SHA256", "ECDHE-ECDSA-AES256-SHA", "aNULL",
                                     "DHE-RSA-AES128-GCM-SHA256"])
def test_ciphers_without_forward_secrecy_or_authentication_are_refused(setup: Setup, ciphers: str) -> None:
    setup.serve(setup.site("a.test"))
    weak = only(setup, "1.2")
    weak.set_ciphers(f"{ciphers}@SECLEVEL=0")
    assert refused(setup, "a.test", weak)


@EVERY
def test_the_hybrid_group_is_spoken_where_openssl_has_it(setup: Setup) -> None:
    setup.serve(setup.site("a.test"))
    code, told = setup.edge.container.run(f"openssl s_client -connect {setup.address} -servername a.test "
                                          "-groups X25519MLKEM768 < /dev/null 2>&1")
    has = setup.edge.container.run("openssl list -tls-groups 2>&1 | grep -q X25519MLKEM768")[0] == 0
    assert (code == 0 and "X25519MLKEM768" in told) is has
    assert has is (setup.edge.container.nginx_version >= (1, 26))


@EVERY
def test_the_modern_profile_is_only_tls_1_3(setup: Setup) -> None:
    setup.serve(setup.site("a.test", {"profile": "modern"}))
    assert refused(setup, "a.test", only(setup, "1.2"))
    assert setup.told("a.test", context=only(setup, "1.3"))


@EVERY
@pytest.mark.parametrize("version", VERSIONS)
def test_a_session_is_resumed_by_every_worker_and_after_a_reload(setup: Setup, version: str) -> None:
    variables = {"sites": [setup.site("a.test", upstream="tell")], "worker_processes": 2,
                 "upstreams": [{"name": "tell", "servers": [setup.backend.address]}]}
    setup.edge.stop()
    setup.edge.start(variables)
    context = only(setup, version)

    def session(of: ssl.SSLSession | None, worker: int) -> ssl.SSLSession:
        with setup.edge.only(worker), setup.client("a.test", context, session=of) as client:
            assert client.ask("a.test", "/").status == 200
            assert isinstance(client.socket, ssl.SSLSocket) and client.socket.session
            assert client.socket.session_reused is (of is not None)
            return client.socket.session

    first, second = sorted(setup.edge.workers())
    kept = session(session(None, first), second)
    setup.edge.reload(variables)
    session(kept, min(setup.edge.workers()))


# --- HTTP/2


@contextmanager
def http2(setup: Setup, name: str) -> Iterator[Http2]:
    """Provide a client that has negotiated HTTP/2."""
    context = setup.context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    with setup.client(name, context) as client:
        assert isinstance(client.socket, ssl.SSLSocket)
        yield Http2(client.socket)


def request(name: str, method: str = "GET", *headers: tuple[str, str]) -> list[tuple[str, str]]:
    """Return the headers of a request in HTTP/2."""
    return [(":method", method), (":scheme", "https"), (":path", "/"), (":authority", name), *headers]


@EVERY
def test_plain_requests_come_with_http_2(setup: Setup) -> None:
    setup.serve(setup.site("a.test"))
    setup.backend.forget()
    with http2(setup, "a.test") as client:
        assert client.ask(request("a.test")) == "200"
    assert b" HTTP/1.1\r\n" in setup.backend.heads[0]


@EVERY
def test_http_2_is_off_where_a_site_says_so(setup: Setup) -> None:
    setup.serve(setup.site("a.test", {"http2": False}))
    context = setup.context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    with setup.client("a.test", context) as client:
        assert isinstance(client.socket, ssl.SSLSocket)
        assert client.socket.selected_alpn_protocol() != "h2"


@EVERY
def test_http_2_opens_no_tunnel_and_makes_no_alert(setup: Setup) -> None:
    backend = switching()
    setup.serve(setup.site("a.test", upstream="switching"),
                upstreams=[{"name": "switching", "servers": [backend.address]}])
    setup.edge.container.shell(": > /var/log/nginx/error.log")
    for offer in ("websocket", "h2c", "WebSocket"):
        with http2(setup, "a.test") as client:
            assert client.ask(request("a.test", "GET", ("upgrade", offer))) in ("400", "reset")
    with http2(setup, "a.test") as client:
        connect = [*request("a.test", "CONNECT"), ("sec-websocket-version", "13")]
        assert client.ask([connect[0], (":protocol", "websocket"), *connect[1:]]) in ("400", "405", "reset")
    assert backend.heads == []
    assert "[alert]" not in setup.log() and "[crit]" not in setup.log()
    backend.close()


@EVERY
def test_a_plain_request_for_a_socket_is_told_so_with_http_2_as_well(setup: Setup) -> None:
    setup.serve(setup.site("a.test", locations=[{"path": "/", "upstream": "tell", "websocket_only": True}]))
    with http2(setup, "a.test") as client:
        assert client.ask(request("a.test")) == "426"
    with setup.client("a.test") as plain:
        answer = plain.ask("a.test", "/")
        assert (answer.status, answer.headers["upgrade"], answer.headers["connection"]) == (426, "websocket", "upgrade")


@EVERY
def test_what_a_backend_offers_does_not_break_an_answer_in_http_2(setup: Setup) -> None:
    backend = offering()
    setup.serve(setup.site("a.test", upstream="offering"),
                upstreams=[{"name": "offering", "servers": [backend.address]}])
    with http2(setup, "a.test") as client:
        assert client.ask(request("a.test")) == "200"
    with setup.client("a.test") as opened:
        answer = opened.ask("a.test", "/", UPGRADE)
        assert (answer.status, answer.headers["upgrade"]) == (101, "websocket")
    backend.close()


# --- names


@EVERY
def test_a_name_that_no_site_has_gets_no_certificate_of_any_site(setup: Setup) -> None:
    setup.serve(setup.site("a.test"))
    for name in ("other.test", ""):
        context = setup.context(check_hostname=False, verify_mode=ssl.CERT_NONE)
        if setup.edge.nginx_version >= (1, 19, 4):
            with pytest.raises(ssl.SSLError, match="UNRECOGNIZED_NAME"), setup.client(name, context):
                pass
        else:
            with setup.client(name, context) as client:
                assert isinstance(client.socket, ssl.SSLSocket)
                shown = client.socket.getpeercert(binary_form=True)
                assert shown and b"invalid.invalid" in shown
                assert client.ask("a.test", "/").status == 421
            with setup.client(name, context) as client:
                client.send("other.test", "/")
                assert head_of(client.socket) == b""


@EVERY
def test_a_site_answers_only_for_the_name_of_its_handshake(setup: Setup) -> None:
    setup.certificates["b.test"] = BELOW.issue("b.test", "*.b.test")
    setup.serve(setup.site("a.test"), setup.site("b.test", server_names=["b.test", "*.b.test"]))
    for asked, status in (("a.test", 200), ("A.test", 200), ("a.test.", 200), ("a.test:8443", 200), ("b.test", 421)):
        with setup.client("a.test") as client:
            assert (asked, client.ask(asked, "/").status) == (asked, status)
    # Before 1.21.1, nginx accepts a host with spaces.
    with setup.client("a.test") as client:
        assert client.ask("z.b.test a.test z.b.test", "/").status in (400, 421)
    with setup.client("a.test") as client:
        client.send("x.test", "/")
        assert head_of(client.socket) == b""
    with http2(setup, "a.test") as peer:
        assert peer.ask(request("a.test")) == "200"
        assert peer.ask(request("b.test")) == "421"


@EVERY
def test_a_default_server_answers_clients_that_send_no_name(setup: Setup) -> None:
    host, port = setup.address.split(":")
    site = setup.site("a.test", listen=[{"address": host, "port": int(port), "default_server": True}])
    setup.serve(site, setup.site("b.test"))
    unnamed = setup.context(check_hostname=False)
    with setup.client("", unnamed) as client:
        assert client.ask("10.0.0.1", "/").status == 200
    with setup.client("", unnamed) as client:
        assert client.ask("b.test", "/").status == 421
    with setup.client("other.test", unnamed) as client:
        assert client.ask("other.test", "/").status == 200


# --- clients without TLS


@EVERY
@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_plain_requests_are_sent_to_tls(setup: Setup, status: int) -> None:
    setup.serve(setup.site("a.test", {"redirect": status}))
    answer = get(setup.other, "a.test", "/a%2Fb?c=d&e=%20")
    port = setup.address.split(":")[1]
    assert (answer.status, answer.headers["location"]) == (status, f"https://a.test:{port}/a%2Fb?c=d&e=%20")


@EVERY
def test_the_redirect_and_the_ca_come_through_a_balancer_with_the_proxy_protocol(setup: Setup) -> None:
    address, port = setup.other.split(":")
    balanced = [{"address": address, "port": int(port), "proxy_protocol": True}]
    setup.edge.container.shell("mkdir -p /var/lib/websocket_proxy/acme/.well-known/acme-challenge && "
                               "echo proof > /var/lib/websocket_proxy/acme/.well-known/acme-challenge/token")
    ca = {"acme": {"agree_tos": True}, "redirect_listen": balanced}
    setup.serve({"server_names": ["a.test"], "listen": [setup.address], "tls": ca})
    for path, status, body in (("/x", 308, None), ("/.well-known/acme-challenge/token", 200, b"proof\n")):
        with Client(setup.other) as client:
            client.socket.sendall(b"PROXY TCP4 192.0.2.1 127.0.0.1 1234 80\r\n")
            answer = client.ask("a.test", path)
        assert (answer.status, body or answer.body) == (status, answer.body)


@EVERY
def test_a_ca_that_follows_redirects_finds_its_proof_in_a_location(setup: Setup) -> None:
    path = "/.well-known/acme-challenge/token"
    setup.edge.container.write({f"/srv/acme{path}": "proof"})
    setup.serve(setup.site("a.test", locations=[{"path": "/", "upstream": "tell"},
                                                {"path": "/.well-known/acme-challenge/", "root": "/srv/acme"}]))
    assert get(setup.other, "a.test", path).headers["location"].endswith(f"{setup.address.split(':')[1]}{path}")
    with setup.client("a.test") as client:
        assert client.ask("a.test", path).body == b"proof"


@EVERY
def test_a_handshake_without_tls_is_told_where_to_go(setup: Setup) -> None:
    setup.serve(setup.site("a.test"))
    answer = get(setup.other, "a.test", "/chat?x=1", UPGRADE)
    port = setup.address.split(":")[1]
    assert (answer.status, answer.headers["content-type"]) == (403, "text/plain")
    assert answer.body.decode() == f"WebSockets are served only over TLS: wss://a.test:{port}/chat?x=1\n"


@EVERY
def test_without_a_redirect_nothing_listens_there(setup: Setup) -> None:
    setup.serve(setup.site("a.test", {"redirect": False}))
    with pytest.raises(ConnectionRefusedError):
        get(setup.other, "a.test", "/")


@EVERY
def test_browsers_use_only_tls_with_hsts(setup: Setup) -> None:
    setup.serve(setup.site("a.test", {"hsts": {"max_age": "365d", "include_subdomains": True}}), setup.site("b.test"))
    with setup.client("a.test") as client:
        assert client.ask("a.test", "/").headers["strict-transport-security"] == "max-age=31536000; includeSubDomains"
    with setup.client("b.test") as client:
        assert "strict-transport-security" not in client.ask("b.test", "/").headers
    assert "strict-transport-security" not in get(setup.other, "a.test", "/").headers


@EVERY
def test_the_documented_line_staples_what_the_ca_says_of_a_certificate(setup: Setup) -> None:
    def answer(_backend: Backend, connection: socket.socket) -> None:
        head_of(connection)
        status = BELOW.status(setup.certificates["a.test"])
        connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: application/ocsp-response\r\n\r\n" + status)

    responder = Backend(answer)
    setup.certificates["a.test"] = BELOW.issue("a.test", status_at=f"http://{responder.address}/")
    (line,) = re.findall(r'`extra_config: (".*ssl_stapling.*")`', DOCUMENTATION.read_text())
    setup.serve(setup.site("a.test", extra_config=yaml.safe_load(line)))
    asked = f"openssl s_client -connect {setup.address} -servername a.test -status < /dev/null 2>&1"
    # nginx asks the CA during a handshake, which does not wait for the answer.
    setup.edge.container.run(asked)
    wait_until(lambda: "Cert Status: good" in setup.edge.container.run(asked)[1])
    responder.close()


# --- client certificates

IDENTITY = ["x-ssl-client-verify", "x-ssl-client-s-dn", "x-ssl-client-i-dn", "x-ssl-client-serial",
            "x-ssl-client-fingerprint"]
FORGED = [(name, "forged") for one in IDENTITY for name in (one, one.replace("-", "_"))]


def asked_for(setup: Setup, **keys: Any) -> dict[str, Any]:
    """Return the key ``tls`` of a site that requests client certificates."""
    setup.edge.container.write({f"{FOLDER}/clients.pem": CA.certificate})
    return {"client_certificate": {"ca": f"{FOLDER}/clients.pem", "depth": 2, **keys}}


@EVERY
@pytest.mark.parametrize("version", VERSIONS)
def test_a_client_shows_who_it_is(setup: Setup, version: str) -> None:
    setup.serve(setup.site("a.test", asked_for(setup)))
    right, wrong = CA.issue("alice"), OTHER_CA.issue("alice")
    context = setup.context(right, minimum_version=VERSIONS[version], maximum_version=VERSIONS[version])
    told = setup.told("a.test", FORGED, context)
    assert "forged" not in told.values()
    assert [told[name] for name in IDENTITY[:3]] == ["SUCCESS", "CN=alice", "CN=tests"]
    assert int(told["x-ssl-client-serial"], 16) == right.serial and len(told["x-ssl-client-fingerprint"]) == 40
    for pair in (wrong, None):
        context = setup.context(pair, minimum_version=VERSIONS[version], maximum_version=VERSIONS[version])
        with setup.client("a.test", context) as client:
            assert client.ask("a.test", "/", UPGRADE).status == 400


@EVERY
def test_a_client_may_show_who_it_is(setup: Setup) -> None:
    setup.serve(setup.site("a.test", asked_for(setup, verify="optional")))
    told = setup.told("a.test", FORGED)
    assert told["x-ssl-client-verify"] == "NONE" and not set(IDENTITY[1:]) & set(told)
    assert setup.told("a.test", FORGED, setup.context(CA.issue("bob")))["x-ssl-client-s-dn"] == "CN=bob"
    with setup.client("a.test", setup.context(OTHER_CA.issue("bob"))) as client:
        assert client.ask("a.test", "/").status == 400


@EVERY
def test_a_revoked_client_is_refused(setup: Setup) -> None:
    good, bad = CA.issue("good"), CA.issue("bad")
    setup.edge.container.write({f"{FOLDER}/revoked.pem": CA.revoked(bad)})
    setup.serve(setup.site("a.test", asked_for(setup, crl=f"{FOLDER}/revoked.pem")))
    assert setup.told("a.test", context=setup.context(good))["x-ssl-client-verify"] == "SUCCESS"
    with setup.client("a.test", setup.context(bad)) as client:
        assert client.ask("a.test", "/").status == 400


@EVERY
def test_each_ca_of_a_client_has_to_have_a_list_of_what_it_revoked(setup: Setup) -> None:
    context = setup.context(BELOW.issue("alice"))
    for name, lists, status in (("both", [CA, BELOW], 200), ("root", [CA], 400), ("below", [BELOW], 400)):
        setup.edge.container.write({f"{FOLDER}/{name}.crl": "".join(one.revoked() for one in lists)})
        setup.serve(setup.site("a.test", asked_for(setup, crl=f"{FOLDER}/{name}.crl")))
        with setup.client("a.test", context) as client:
            assert (name, client.ask("a.test", "/").status) == (name, status)


@EVERY
def test_who_may_vouch_for_a_staple_vouches_for_clients_too(setup: Setup) -> None:
    setup.edge.container.write({f"{FOLDER}/others.pem": OTHER_CA.certificate})
    for line, status in (("", 400), (f"ssl_trusted_certificate {FOLDER}/others.pem;", 200)):
        setup.serve(setup.site("a.test", asked_for(setup), extra_config=line))
        with setup.client("a.test", setup.context(OTHER_CA.issue("alice"))) as client:
            assert client.ask("a.test", "/").status == status


@EVERY
def test_an_expired_revocation_list_refuses_every_client(setup: Setup) -> None:
    setup.edge.container.write({f"{FOLDER}/revoked.pem": CA.revoked(days=-1)})
    setup.serve(setup.site("a.test", asked_for(setup, crl=f"{FOLDER}/revoked.pem")))
    with setup.client("a.test", setup.context(CA.issue("good"))) as client:
        assert client.ask("a.test", "/").status == 400


@EVERY
@pytest.mark.parametrize("version", VERSIONS)
def test_a_session_does_not_outlive_what_was_revoked(setup: Setup, version: str) -> None:
    bad = CA.issue("bad")
    site = setup.site("a.test", asked_for(setup, crl=f"{FOLDER}/revoked.pem"), upstream="tell")
    variables = {"upstreams": [{"name": "tell", "servers": [setup.backend.address]}], "sites": [site]}
    setup.edge.container.write({f"{FOLDER}/revoked.pem": CA.revoked()})
    setup.serve(site)
    context = setup.context(bad, minimum_version=VERSIONS[version], maximum_version=VERSIONS[version])
    with setup.client("a.test", context) as client:
        assert client.ask("a.test", "/").status == 200
        assert isinstance(client.socket, ssl.SSLSocket)
        session = client.socket.session
    # nginx does not read a list again within the same second.
    time.sleep(1.1)
    setup.edge.container.write({f"{FOLDER}/revoked.pem": CA.revoked(bad)})
    setup.edge.reload(variables)
    with setup.client("a.test", context, session=session) as client:
        assert client.ask("a.test", "/").status == 400


@EVERY
def test_no_other_file_decides_whether_sessions_resume_if_a_site_asks_for_certificates(setup: Setup) -> None:
    site = setup.site("a.test", asked_for(setup))
    cached = "ssl_session_tickets off; ssl_session_cache shared:theirs:1m;"
    setup.tls("theirs.test")
    theirs = (f"server {{ listen {setup.address} ssl default_server; server_name theirs.test; {cached}"
              f"ssl_certificate {FOLDER}/theirs.test.pem; ssl_certificate_key {FOLDER}/theirs.test.key; }}\n")
    variables = {"upstreams": [{"name": "tell", "servers": [setup.backend.address]}],
                 "sites": [{**site, "upstream": "tell"}]}
    setup.edge.stop()
    setup.edge.put(variables, {"theirs.conf": theirs})
    assert "a duplicate default server" in setup.edge.test() and "theirs.conf:1" in setup.edge.test()
    setup.edge.start(variables, {"theirs.conf": theirs.replace(" default_server", "")})
    for version in VERSIONS.values():
        context = setup.context(CA.issue("alice"), minimum_version=version, maximum_version=version)
        sessions: list[ssl.SSLSession | None] = [None]
        for _time in range(2):
            with setup.client("a.test", context, session=sessions[-1]) as client:
                assert client.ask("a.test", "/").status == 200
                assert isinstance(client.socket, ssl.SSLSocket) and not client.socket.session_reused
                sessions.append(client.socket.session)


@EVERY
def test_a_certificate_below_another_ca_than_the_depth_allows_is_refused(setup: Setup) -> None:
    below = Authority("below below", BELOW).issue("deep")
    deep = Pair(below.certificate + BELOW.certificate, below.key, below.private)
    for depth, status in ((1, 400), (2, 200)):
        setup.serve(setup.site("a.test", asked_for(setup, depth=depth)))
        with setup.client("a.test", setup.context(deep)) as client:
            assert client.ask("a.test", "/").status == status


@EVERY
def test_no_site_of_the_host_passes_a_forged_identity_on(setup: Setup) -> None:
    setup.serve(setup.site("a.test", asked_for(setup)), setup.site("b.test"),
                {"server_names": ["c.test"], "listen": [setup.other]})
    assert "forged" not in setup.told("b.test", FORGED).values()
    told = dict(fields(get(setup.other, "c.test", "/", FORGED).body))
    assert "forged" not in told.values()


@EVERY
@pytest.mark.parametrize("version", VERSIONS)
def test_a_session_of_another_site_is_no_certificate(setup: Setup, version: str) -> None:
    setup.edge.container.write({f"{FOLDER}/others.pem": OTHER_CA.certificate})
    setup.serve(setup.site("a.test", asked_for(setup)), setup.site("b.test"),
                setup.site("c.test", {"client_certificate": {"ca": f"{FOLDER}/others.pem"}}))
    versions = {"minimum_version": VERSIONS[version], "maximum_version": VERSIONS[version]}
    for name, pair in (("b.test", None), ("a.test", CA.issue("alice"))):
        context = setup.context(pair, check_hostname=False, **versions)
        with setup.client(name, context) as client:
            assert client.ask(name, "/").status == 200
            assert isinstance(client.socket, ssl.SSLSocket)
            session = client.socket.session
        setup.backend.forget()
        try:
            with setup.client("c.test", context, session=session) as client:
                assert client.ask("c.test", "/").status in (400, 421)
        except ssl.SSLError as error:
            assert "ACCESS_DENIED" in str(error)
        assert setup.backend.heads == []


# --- TLS to the backend


@contextmanager
def tls_backend(pair: Pair, trust: Path, clients: str = "") -> Iterator[Backend]:
    """Run a backend with TLS that returns the request; CLIENTS is the CA of the permitted clients."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    (trust / "server.pem").write_text(pair.certificate + pair.key)
    context.load_cert_chain(trust / "server.pem")
    if clients:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=clients)
    backend = telling(context)
    try:
        yield backend
    finally:
        backend.close()


def through(setup: Setup, backend: Backend, **tls: Any) -> int:
    """Return the status of a request that goes to a backend with TLS."""
    setup.edge.container.write({f"{FOLDER}/ca.pem": CA.certificate, f"{FOLDER}/others.pem": OTHER_CA.certificate})
    setup.serve({"server_names": ["a.test"], "listen": [setup.other], "upstream": "tls"}, upstreams=[
        {"name": "tls", "servers": [backend.address],
         "tls": {"ca": f"{FOLDER}/ca.pem", "server_name": "backend.test", **tls}}])
    setup.edge.container.shell(": > /var/log/nginx/error.log")
    return get(setup.other, "a.test", "/").status


@EVERY
def test_a_backend_with_tls_is_asked_for_its_name(setup: Setup) -> None:
    with tls_backend(BELOW.issue("backend.test"), setup.trust) as backend:
        assert through(setup, backend) == 200
        assert backend.asked_for == ["backend.test"]


@EVERY
@pytest.mark.parametrize(("tls", "reason"), [
    ({"server_name": "other.test"}, 'upstream SSL certificate does not match "other.test"'),
    ({"ca": f"{FOLDER}/others.pem"}, "upstream SSL certificate verify error:")], ids=["name", "ca"])
def test_another_backend_is_not_spoken_to(setup: Setup, tls: dict[str, str], reason: str) -> None:
    with tls_backend(BELOW.issue("backend.test"), setup.trust) as backend:
        assert through(setup, backend, **tls) == 502
        assert backend.heads == [] and reason in setup.log()
        assert through(setup, backend, verify=False, **tls) == 200


@EVERY
def test_a_backend_that_need_not_prove_itself_need_not_have_a_name(setup: Setup) -> None:
    with tls_backend(OTHER_CA.issue("backend.test"), setup.trust) as backend:
        assert through(setup, backend, verify=False, server_name=None) == 200
        assert backend.asked_for == [None]


@EVERY
def test_a_backend_knows_the_proxy_by_its_certificate(setup: Setup) -> None:
    proxy = CA.issue("proxy")
    setup.edge.container.write({f"{FOLDER}/proxy.pem": proxy.certificate, f"{FOLDER}/proxy.key": proxy.key})
    with tls_backend(BELOW.issue("backend.test"), setup.trust, CA.certificate) as backend:
        assert through(setup, backend) in (400, 502)
        assert through(setup, backend, certificate=f"{FOLDER}/proxy.pem", certificate_key=f"{FOLDER}/proxy.key") == 200
