"""TLS of sites and to backends: the results of the inventory's keys, and the values that are refused."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.wsedge.nginx.plugins.action.websocket_proxy_certificates import options
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.compiler import InventoryError, compile_model
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.host import Host
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.model import Model, Site, Tls

KEEPALIVE = "so_keepalive=230s:30s:4"
OWN = {"certificate": "/etc/ssl/a.pem", "certificate_key": "/etc/ssl/a.key"}
KEY = "-----BEGIN PRIVATE KEY-----\nSECRETSECRET\n-----END PRIVATE KEY-----\n"
CONTENT = {"certificate_content": "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n",
           "certificate_key_content": KEY}
ACME = {"acme": {"agree_tos": True}}
OLD, MIDDLE, NEW = Host(nginx_version=(1, 18, 0)), Host(nginx_version=(1, 22, 1)), Host(nginx_version=(1, 26, 3))


def site(*names: str, **keys: Any) -> dict[str, Any]:
    """Return a valid site."""
    return {"server_names": list(names) or ["a.b"], "upstream": "u", **keys}


def variables(*sites: Any, **role: Any) -> dict[str, Any]:
    """Return an inventory with sites."""
    return {"websocket_proxy_upstreams": [{"name": "u", "servers": ["127.0.0.1:1"]}],
            "websocket_proxy_sites": list(sites),
            **{f"websocket_proxy_{name}": value for name, value in role.items()}}


def compiled(*sites: Any, host: Host = NEW, **role: Any) -> Model:
    """Compile sites."""
    return compile_model(variables(*sites, **role), host)


def problems(*sites: Any, host: Host = NEW, **role: Any) -> list[str]:
    """Return the problems of sites, without their variable's name."""
    with pytest.raises(InventoryError) as found:
        compiled(*sites, host=host, **role)
    return [problem.removeprefix("websocket_proxy_sites") for problem in found.value.problems]


def tls_of(one: Site) -> Tls:
    """Return the TLS that a site has."""
    assert one.tls
    return one.tls


def first(*sites: Any, **how: Any) -> Tls:
    """Return the TLS of the first site."""
    return tls_of(compiled(*sites, **how).sites[0])


# --- results


def test_a_site_with_tls_listens_on_443_and_sends_who_comes_to_80_there() -> None:
    (found,) = compiled(site(tls=OWN)).sites
    assert found.listen == [["443", "ssl", KEEPALIVE]]
    assert found.redirect and (found.redirect.listen, found.redirect.status, found.redirect.port) == (
        [["80", KEEPALIVE]], 308, "")
    (found,) = compiled(site(tls={**OWN, "redirect": 301, "redirect_listen": [8080]}, listen=[8443])).sites
    assert found.redirect and (found.redirect.listen, found.redirect.status, found.redirect.port) == (
        [["8080", KEEPALIVE]], 301, ":8443")
    assert compiled(site(tls={**OWN, "redirect": False})).sites[0].redirect is None


@pytest.mark.parametrize(("host", "words", "directive"), [
    (OLD, ["443", "ssl", "http2"], False), (MIDDLE, ["443", "ssl", "http2"], False), (NEW, ["443", "ssl"], True),
    (Host(), ["443", "ssl"], True)], ids=["1.18", "1.22", "1.26", "unknown"])
def test_http_2_is_said_as_the_installed_nginx_takes_it(host: Host, words: list[str], directive: bool) -> None:
    model = compiled(site(tls=OWN), host=host)
    assert model.sites[0].listen == [[*words, KEEPALIVE]] and model.default_servers[0].listen == [words]
    assert tls_of(model.sites[0]).http2 and tls_of(model.sites[0]).http2_directive is directive
    off = compiled(site(tls={**OWN, "http2": False}), host=host)
    assert off.sites[0].listen == [["443", "ssl", KEEPALIVE]] and not tls_of(off.sites[0]).http2


def test_an_old_nginx_has_a_certificate_without_a_name_for_unknown_names() -> None:
    (refusal, plain) = compiled(site(tls=OWN), host=OLD).default_servers
    assert refusal.certificate and refusal.certificate.names == ["invalid.invalid"] and plain.certificate is None
    assert compiled(site(tls=OWN)).default_servers[0].certificate is None


def test_the_hybrid_group_is_offered_where_openssl_has_it() -> None:
    assert first(site(tls=OWN)).profile.groups == "X25519:prime256v1:secp384r1"
    new = Host.of({"version": "1.26.3-3+deb13u1", "openssl_version": "3.5.4"})
    assert first(site(tls=OWN), host=new).profile.groups.startswith("X25519MLKEM768:")


def test_a_certificate_that_the_role_places_has_a_path_for_its_content() -> None:
    def path(*names: str, **tls: Any) -> str:
        return first(site(*names, name="x", tls=tls)).certificate

    assert path(self_signed=True) == path(self_signed=True)
    assert len({path(self_signed=True), path("c.d", self_signed=True), path(self_signed=True, key_type="rsa"),
                path(**CONTENT), path(**{**CONTENT, "certificate_key_content": KEY.replace("SECRET", "OTHER")})}) == 5
    assert path(**CONTENT).startswith("/etc/nginx/websocket_proxy_certificates/x-")


def test_a_site_shows_what_certbot_has_as_soon_as_it_has_it() -> None:
    without = first(site(name="x", tls=ACME))
    assert without.certificate.startswith("/etc/nginx/websocket_proxy_certificates/x-")
    host = Host.of({"version": "1.26.3", "folders": {"/etc/letsencrypt/live": ["websocket_proxy_x"]}})
    found = first(site(name="x", tls=ACME), host=host)
    assert found.certificate == "/etc/letsencrypt/live/websocket_proxy_x/fullchain.pem"
    assert compiled(site(tls=ACME)).packages == ["openssl", "certbot"]
    assert compiled(site()).packages == []


def test_keys_of_a_site_win_and_its_certificate_takes_the_place_of_the_defaults() -> None:
    defaults = {"tls": {**ACME, "profile": "modern", "hsts": {}}}
    own, inherited = compiled(site(tls={**OWN, "hsts": {"max_age": 5}}), site("c.d"), site_defaults=defaults).sites
    assert tls_of(own).certificate == "/etc/ssl/a.pem" and tls_of(own).profile.name == "modern"
    carefully = compiled(site(tls={"hsts": {"include_subdomains": True}}),
                         site_defaults={"tls": {**OWN, "hsts": {"max_age": "1h"}}}).sites[0].locations[0]
    assert carefully.response_headers[0].value == "max-age=3600; includeSubDomains"
    assert {one.name: one.value for one in own.locations[0].response_headers} == {
        "Strict-Transport-Security": "max-age=5"}
    assert inherited.redirect and inherited.redirect.acme
    plain = compiled(site(tls=False), site_defaults=defaults).sites[0]
    assert plain.tls is None and plain.listen == [["80", KEEPALIVE]]


def test_sessions_are_resumed_unless_a_site_of_the_host_asks_clients_who_they_are() -> None:
    asking = site("c.d", tls={**OWN, "client_certificate": {"ca": "/ca.pem"}})
    assert first(site(tls=OWN)).profile.resumed
    model = compiled(site(tls=OWN), asking)
    assert not any(tls_of(one).profile.resumed for one in model.sites)
    assert model.default_servers[0].profile and not model.default_servers[0].profile.resumed


def test_a_site_takes_back_what_the_defaults_say() -> None:
    defaults = {"tls": {**OWN, "hsts": {}, "client_certificate": {"ca": "/ca.pem"}}}
    found = compiled(site(tls={"hsts": False, "client_certificate": False, "self_signed": False}),
                     site_defaults=defaults).sites[0]
    assert tls_of(found).client_certificate is None and tls_of(found).certificate == "/etc/ssl/a.pem"
    assert found.locations[0].response_headers == []
    (header,) = compiled(site(tls={**OWN, "hsts": {"max_age": 0}})).sites[0].locations[0].response_headers
    assert header.value == "max-age=0"


def test_what_a_vault_holds_is_text_with_every_ansible_core() -> None:
    class Encrypted:
        """An encrypted value, as in ansible-core before 2.19."""

        __ENCRYPTED__ = True

        def __str__(self) -> str:
            return KEY

    given = variables(site(tls={**CONTENT, "certificate_key_content": Encrypted()}))
    assert KEY in options(compile_model(given, NEW))["contents"].values()


def test_a_mistake_in_a_sites_own_certificate_is_told_once_whatever_the_defaults_have() -> None:
    assert problems(site(tls={"certificate": "a.pem", "certificate_key": "/a.key"}), site_defaults={"tls": OWN}) == [
        '[0].tls.certificate: "a.pem" is not an absolute path: letters, digits and any of _.@+- between slashes']


def test_files_that_nginx_reads_are_referred_to() -> None:
    model = compile_model({**variables(site(tls={**OWN, "client_certificate": {"ca": "/ca.pem", "crl": "/crl.pem"}})),
                           "websocket_proxy_upstreams": [
        {"name": "u", "servers": ["b.test:443"], "tls": {"certificate": "/c.pem", "certificate_key": "/c.key"}}]}, NEW)
    assert model.references == ["/c.key", "/c.pem", "/ca.pem", "/crl.pem", "/etc/ssl/a.key", "/etc/ssl/a.pem",
                                "/etc/ssl/certs/ca-certificates.crt"]
    assert model.packages == ["openssl", "ca-certificates"]


# --- secrets


def test_the_model_holds_no_key_and_its_contents_are_told_apart() -> None:
    given = variables(site("c.d"), site(tls=CONTENT), site("e.f", tls={}), site_defaults={"tls": CONTENT})
    model = compile_model(given, NEW)
    assert "SECRET" not in str(model)
    told = options(model)
    assert "SECRET" not in str(told["certificates"])
    assert sorted(path.rpartition(".")[2] for path in told["contents"]) == ["key"] * 3 + ["pem"] * 3
    assert {told["contents"][one["certificate_key"]] for one in told["certificates"]} == {KEY}


@pytest.mark.parametrize("wrong", [
    {"tls": KEY}, {"tls": [KEY]}, {"tls": {**CONTENT, "certificate": KEY}}, {"tls": {**CONTENT, "profile": KEY}},
    {"tls": {"certificate_content": KEY[:5], "certificate_key_content": f"x{KEY}"}}, {"tls": {KEY: 1}},
    {"tls": {**CONTENT, "acme": KEY}}, {"tls": {"certificate_key_content": [KEY]}}, {"locations": KEY},
    {"tls": {"certificate": "/a", "certificate_key": "SECRET" * 9}},
    {"server_names": [KEY], "tls": CONTENT}, {"tls": {"certificate_key_content": KEY + "@generation@"}},
    {"tls": {"certificate_key_content": KEY.replace("PRIVATE", "ENCRYPTED PRIVATE")}}])
def test_no_message_shows_a_key(wrong: dict[str, Any]) -> None:
    found = problems({**site(), **wrong})
    assert found and "SECRET" not in str(found)


# --- refused values


@pytest.mark.parametrize(("tls", "told"), [
    ({}, "[0].tls: tls needs exactly one source of its certificate: certificate, certificate_content, self_signed, "
         "acme; found none"),
    (True, "[0].tls: true is not a mapping; expected one with the source of the certificate: certificate, "),
    ({"certificate": "/a.pem", "certificate_key_content": KEY},
     "[0].tls: tls needs exactly one source of its certificate: certificate, certificate_content, self_signed, acme; "
     "found certificate and certificate_key_content"),
    ({**CONTENT, "certificate_content": KEY},
     "[0].tls.certificate_content: this contains a private key, which belongs "),
    ({**CONTENT, "certificate_key_content": CONTENT["certificate_content"]},
     "[0].tls.certificate_key_content: this is not a private key, but begins with -----BEGIN CERTIFICATE-----"),
    ({**OWN, "self_signed": True}, "[0].tls: tls needs exactly one source of its certificate: certificate, "
                                   "certificate_content, self_signed, acme; found certificate and certificate_key and "
                                   "self_signed"),
    ({"certificate": "/a.pem"}, '[0].tls: "certificate_key" is missing'),
    ({"certificate_key": "/a.key"}, '[0].tls: "certificate" is missing'),
    ({"certificat": "/a.pem", "certificate_key": "/a.key"},
     '[0].tls: "certificat" is not a key here; did you mean "certificate"?'),
    ({**OWN, "certificate": "a.pem"}, '[0].tls.certificate: "a.pem" is not an absolute path'),
    ({**OWN, "redirect": 303}, "[0].tls.redirect: 303 is not one of 301, 302, 307, 308, or false for no redirect"),
    ({"acme": {}}, '[0].tls.acme: "agree_tos" is missing'),
    ({"acme": {"agree_tos": False}}, "[0].tls.acme.agree_tos: the CA issues certificates only with agree_tos: true"),
    ({**ACME, "redirect": False}, "[0].tls.redirect: the CA checks names on port 80, where only the redirect listens"),
    ({"self_signed": True, "hsts": {}}, "[0].tls.hsts: with HSTS, a browser refuses untrusted"),
    ({**OWN, "hsts": {"preload": True}}, "[0].tls.hsts.preload: the preload list requires include_subdomains"),
    ({**OWN, "redirect": False, "hsts": {"preload": True, "include_subdomains": True}},
     "[0].tls.hsts.preload: the preload list requires a redirect on port 80"),
    ({**OWN, "client_certificate": {}}, '[0].tls.client_certificate: "ca" is missing'),
    ({**OWN, "client_certificate": {"ca": "/ca.pem", "verify": "off"}},
     '[0].tls.client_certificate.verify: "off" is neither on nor optional')])
def test_a_mistake_in_tls_is_told_once_with_its_place(tls: dict[str, Any], told: str) -> None:
    (found,) = problems(site(tls=tls))
    assert found.startswith(told)


@pytest.mark.parametrize("name", ["*.a.b", {"regex": "^a$"}])
def test_a_name_that_no_ca_can_ask_is_not_for_acme(name: Any) -> None:
    (found,) = problems({**site(name="x", tls=ACME), "server_names": ["a.b", name]})
    assert "is not a plain host name" in found


def test_a_certificate_can_be_made_for_no_regular_expression() -> None:
    (found,) = problems({**site(name="x", tls={"self_signed": True}), "server_names": [{"regex": "^a$"}]})
    assert "a certificate cannot contain a regular expression" in found


@pytest.mark.parametrize("address", ["192.0.2.1", "[2001:db8::1]"])
def test_an_address_as_a_name_needs_a_default_server(address: str) -> None:
    (found,) = problems(site("a.b", address, tls=OWN))
    assert found.startswith(f'[0].server_names[1]: "{address}": TLS clients send no IP address')
    assert compiled(site("a.b", address, tls=OWN, listen=[{"port": 443, "default_server": True}]))


@pytest.mark.parametrize(("second", "told"), [
    (site("c.d", listen=[443]), "[1].listen[0]: websocket_proxy_sites[0].listen listens on 443 with TLS, and this site "
                                "without; a socket has either TLS or none"),
    (site("c.d", tls={**OWN, "profile": "modern"}),
     '[1].tls.profile: "modern", but websocket_proxy_sites[0].tls has "intermediate" on the same socket, and'),
    (site("c.d", tls={**OWN, "http2": False}), "[1].tls.http2: false, but websocket_proxy_sites[0].tls has true"),
    (site("c.d", listen=[80, 444], tls=OWN), "[1].listen[0]: port 80 is for clients without TLS; remove it from"),
    (site("a.b"), '[1].server_names[0]: "a.b" on 80 is already used by the redirect of '
                  "websocket_proxy_sites[0].server_names[0] to TLS")])
def test_what_does_not_go_with_another_site_on_a_socket_is_refused(second: dict[str, Any], told: str) -> None:
    found = problems(site(tls=OWN), {**second, "name": "second"})
    assert len(found) == 1 and found[0].startswith(told), found


def test_a_name_whose_redirect_is_taken_is_told_once() -> None:
    taken = ("[1].tls.redirect_listen: \"a.b\" on 80 is already used by {}, and this site's redirect to TLS needs it; "
             "redirect: false leaves the redirect out")
    assert problems(site(), {**site(tls=OWN), "name": "second"}) == [
        taken.format("websocket_proxy_sites[0].server_names[0]")]
    assert problems(site(tls=OWN), {**site(tls=OWN, listen=[8443]), "name": "second"}) == [
        taken.format("the redirect of websocket_proxy_sites[0].server_names[0] to TLS")]
    assert problems(site(tls={**OWN, "redirect_listen": [443]})) == [
        "[0].tls.redirect_listen[0]: websocket_proxy_sites[0].listen listens on 443 with TLS, and this site without; a "
        "socket has either TLS or none"]


def test_an_error_about_a_default_port_names_the_key_that_sets_it() -> None:
    assert problems(site(listen=[443]), site("c.d", tls=OWN)) == [
        "[1].listen: websocket_proxy_sites[0].listen[0] listens on 443 without TLS, and this site with; a socket has "
        "either TLS or none"]
    assert problems(site(listen=[{"port": 80, "proxy_protocol": True}], trusted_proxies=["10.0.0.1"]),
                    site("c.d", tls=OWN)) == [
        "[1].tls.redirect_listen: all sites on a port need the same proxy_protocol, and "
        "websocket_proxy_sites[0].listen[0] sets it"]


def test_a_site_without_tls_may_have_the_name_where_nothing_is_redirected() -> None:
    assert compiled(site(tls={**OWN, "redirect": False}), site(name="plain"))
    (found,) = problems(site(name="plain"), site(tls=OWN))
    assert found == (
        '[1].tls.redirect_listen: "a.b" on 80 is already used by websocket_proxy_sites[0].server_names[0], and this '
        "site's redirect to TLS needs it; redirect: false leaves the redirect out")


@pytest.mark.parametrize(("upstream", "told"), [
    ({"tls": {}}, '.tls: "server_name" is missing'), ({"tls": {"server_name": "10.0.0.1"}}, ".tls.server_name: "),
    ({"tls": {"server_name": "b.test", "certificate": "/c.pem"}}, '.tls: "certificate_key" is missing'),
    ({"servers": ["a.test:1", "b.test:1"], "tls": {}}, '.tls: "server_name" is missing')])
def test_a_mistake_in_tls_to_servers_is_told(upstream: dict[str, Any], told: str) -> None:
    given = {"name": "u", "servers": ["10.0.0.1:443"], **upstream}
    with pytest.raises(InventoryError) as found:
        compile_model({**variables(site()), "websocket_proxy_upstreams": [given]}, NEW)
    (problem,) = found.value.problems
    assert problem.startswith(f"websocket_proxy_upstreams[0]{told}")


def test_servers_that_are_one_host_name_are_asked_for_it() -> None:
    model = compile_model({**variables(site()), "websocket_proxy_upstreams": [
        {"name": "u", "servers": ["b.test:1", "b.test:2"], "tls": {}}]}, NEW)
    tls = model.upstreams[0].tls
    assert tls and (tls.name, tls.verify, tls.ca) == ("b.test", True, "/etc/ssl/certs/ca-certificates.crt")
    proxy = model.sites[0].locations[0].proxy
    assert proxy and proxy.proxy_pass == "https://websocket_proxy_u"
