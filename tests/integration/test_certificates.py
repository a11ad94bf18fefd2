"""Certificates on the host: the role refuses unusable ones before any change, and only root can read the keys."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.support.container import Container
from tests.support.pki import Authority, Pair, key_text

FOLDER = "/etc/nginx/websocket_proxy_certificates"
THEIRS = "/etc/ssl/theirs"
CA = Authority("tests")
BELOW = Authority("below tests", CA)


class Box:
    """A host on which the tests call the module."""

    def __init__(self, container: Container) -> None:
        self.container = container
        container.restore()
        container.shell(f"rm -rf {FOLDER} {THEIRS} /etc/nginx/websocket_proxy; mkdir -p {THEIRS}")

    def put(self, certificate: str, key: str, mode: str = "600") -> None:
        """Install a pair on the host, as another role does."""
        self.container.write({f"{THEIRS}/a.pem": certificate, f"{THEIRS}/a.key": key})
        self.container.shell(f"chmod {mode} {THEIRS}/a.key")

    def call(self, *given: dict[str, Any], check: bool = False, **options: Any) -> dict[str, Any]:
        """Call the module; pass the content of a certificate separately, as the module requires."""
        certificates = [dict(one) for one in given]
        contents = {one[path]: one.pop(f"{path}_content") for one in certificates
                    for path in ("certificate", "certificate_key") if f"{path}_content" in one}
        return self.container.module("nginx_certificates", {
            "certificates": certificates, "folder": FOLDER, "generations": "/etc/nginx/websocket_proxy",
            "contents": contents, **options}, check=check)

    def tree(self) -> str:
        """Return the files with their modes, owners, and contents."""
        return self.container.shell(f"for folder in {FOLDER} {THEIRS}; do [ ! -e $folder ] || find $folder -printf "
                                    "'%p %m %U:%G\\n' -type f -exec sha256sum {} +; done")

    def refuses(self, *certificates: dict[str, Any]) -> str:
        """Call the module, which must fail and change nothing; return the error."""
        before = self.tree()
        for check in (True, False):
            result = self.call(*certificates, check=check)
            assert result["failed"], result
            assert self.tree() == before
        return str(result["msg"]).removeprefix("The certificates cannot be used; nothing was changed:\n")


@pytest.fixture(name="box")
def box_(sealed: Container) -> Iterator[Box]:
    """Provide a host without certificates."""
    yield Box(sealed)


def theirs(*names: str) -> dict[str, Any]:
    """Return a certificate that is already on the host."""
    return {"inventory_path": "sites[0]", "site": "a", "source": "certificate", "certificate": f"{THEIRS}/a.pem",
            "certificate_key": f"{THEIRS}/a.key", "names": list(names) or ["a.test"]}


def content(pair: Pair, stem: str = "a-1", *names: str) -> dict[str, Any]:
    """Return a certificate whose content is sent by the controller."""
    return {"inventory_path": "sites[0]", "site": "a", "source": "certificate_content",
            "certificate": f"{FOLDER}/{stem}.pem", "certificate_key": f"{FOLDER}/{stem}.key",
            "names": list(names) or ["a.test"],
            "certificate_content": pair.certificate, "certificate_key_content": pair.key}


def made(stem: str, *names: str, kind: str = "ecdsa") -> dict[str, Any]:
    """Return a certificate that the host makes."""
    return {"inventory_path": "sites[0]", "site": "a", "source": "self_signed", "certificate": f"{FOLDER}/{stem}.pem",
            "certificate_key": f"{FOLDER}/{stem}.key", "names": list(names), "key_type": kind}


def acme(lineage: bool) -> dict[str, Any]:
    """Return a certificate of certbot; LINEAGE sets whether certbot already has it."""
    folder = f"{THEIRS}" if lineage else FOLDER
    return {**theirs(), "source": "acme", "certificate": f"{folder}/a.pem", "certificate_key": f"{folder}/a.key",
            "lineage": "websocket_proxy_a", "email": "a@b.test", "directory_url": "https://ca.test/dir"}


# --- refused certificates

GOOD = BELOW.issue("a.test")


def backwards() -> Pair:
    """Return a pair whose certificate file begins with the CA."""
    return Pair(BELOW.certificate + GOOD.alone, GOOD.key, GOOD.private)


def below_expired() -> Pair:
    """Return a pair under a CA whose own certificate has expired."""
    return Authority("expired", CA, days=-1).issue("a.test")


@pytest.mark.parametrize(("pair", "told"), [
    (BELOW.issue("a.test", days=-0.5, begin=-2), f"{THEIRS}/a.pem expired on "),
    (BELOW.issue("a.test", begin=2), f"{THEIRS}/a.pem is not valid before "),
    (BELOW.issue("b.test", "c.test"), f"{THEIRS}/a.pem is not for a.test, but for b.test, c.test"),
    (Pair(GOOD.certificate, BELOW.issue("a.test").key, GOOD.private),
     f"{THEIRS}/a.key is not the key of the first certificate in {THEIRS}/a.pem; the site's own certificate must come "
     "first"),
    (Pair(GOOD.certificate, BELOW.issue("a.test", kind="rsa").key, GOOD.private),
     f"{THEIRS}/a.key is not the key of the first certificate in {THEIRS}/a.pem"),
    (Pair(GOOD.certificate, key_text(GOOD.private, "secret"), GOOD.private),
     f"{THEIRS}/a.key has a password, and nginx cannot ask for it; remove it with: openssl pkey -in {THEIRS}/a.key"),
    (Pair(GOOD.certificate[:200], GOOD.key, GOOD.private), f"{THEIRS}/a.pem contains no certificate in PEM format"),
    (Pair(GOOD.certificate, GOOD.key[:60], GOOD.private), f"{THEIRS}/a.pem and {THEIRS}/a.key cannot be loaded: "),
    (backwards(), f"{THEIRS}/a.key is not the key of the first certificate"),
    (Pair(GOOD.alone + Authority("others").certificate, GOOD.key, GOOD.private),
     f"the chain in {THEIRS}/a.pem is not valid: unable to get"),
    (Pair(GOOD.alone + Authority("below tests", CA).certificate, GOOD.key, GOOD.private),
     f"the chain in {THEIRS}/a.pem is not valid: "),
    (below_expired(), f"the chain in {THEIRS}/a.pem is not valid: "
                      "certificate has")],
    ids=["expired", "not yet", "names", "key", "kind of key", "password", "no certificate", "no key", "order", "chain",
         "chain of the same name", "chain expired"])
def test_a_certificate_that_is_not_fit_is_refused_with_the_reason(box: Box, pair: Pair, told: str) -> None:
    box.put(pair.certificate, pair.key)
    assert any(line.startswith(f"sites[0]: {told}") for line in box.refuses(theirs()).splitlines())
    # The same holds for text from the controller, and the message names its key.
    told = told.replace(f"{THEIRS}/a.pem", "certificate_content").replace(f"{THEIRS}/a.key", "certificate_key_content")
    assert any(line.startswith(f"sites[0]: {told}") for line in box.refuses(content(pair)).splitlines())


def test_a_file_that_is_not_there_is_named(box: Box) -> None:
    assert box.refuses(theirs()).splitlines() == [
        f"sites[0]: {THEIRS}/{name} is not on the host; install it before the role runs" for name in ("a.pem", "a.key")]


@pytest.mark.parametrize("mode", ["604", "644", "602"])
def test_a_key_that_anybody_can_read_is_refused_with_the_remedy(box: Box, mode: str) -> None:
    box.put(GOOD.certificate, GOOD.key, mode)
    assert box.refuses(theirs()) == (
        f"sites[0]: every user on the host can read {THEIRS}/a.key; run: chmod o= {THEIRS}/a.key")
    box.put(GOOD.certificate, GOOD.key, "640")
    assert box.call(theirs())["changed"] is False


def test_all_that_is_wrong_is_told_at_once(box: Box) -> None:
    told = box.refuses(
        theirs(), {**content(BELOW.issue("x.test")), "inventory_path": "sites[1]"}, made("a-2", "a.test"))
    assert [line.partition(":")[0] for line in told.splitlines()] == ["sites[0]", "sites[0]", "sites[1]"]


@pytest.mark.parametrize(("issued", "names"), [
    (["*.a.test"], ["x.a.test", "*.a.test"]), (["a.test", "192.0.2.1"], ["192.0.2.1"]), (["A.test"], ["a.test"])])
def test_a_certificate_for_the_names_is_accepted(box: Box, issued: list[str], names: list[str]) -> None:
    pair = BELOW.issue(*issued)
    box.put(pair.certificate, pair.key)
    result = box.call(theirs(*names))
    assert not result.get("failed") and not result["changed"]


@pytest.mark.parametrize(("issued", "name"), [
    ("*.a.test", "a.test"), ("*.a.test", "x.y.a.test"), ("x.a.test", "*.a.test"), ("192.0.2.1", "192.0.2.2")])
def test_a_wildcard_is_one_label(box: Box, issued: str, name: str) -> None:
    pair = BELOW.issue(issued)
    box.put(pair.certificate, pair.key)
    assert f"is not for {name}, but for {issued}" in box.refuses(theirs(name))


@pytest.mark.parametrize(("days", "warn_days", "told"), [(19, 20, True), (21.1, 20, False), (1, 0, False),
                                                         (7, 20, False), (2, 20, True)])
def test_a_run_warns_of_a_certificate_that_expires_soon(box: Box, days: float, warn_days: int, told: bool) -> None:
    # A certificate that is valid for ten days causes a warning only in its last third.
    pair = BELOW.issue("a.test", days=days, begin=-80 if days > 10 else days - 10)
    box.put(pair.certificate, pair.key)
    warnings = [re.search(r"sites\[0\].*, on ", json.dumps(warning)) for warning in box.call(
        theirs(), warn_days=warn_days).get("warnings", [])]
    assert [found and found[0].removesuffix(", on ") for found in warnings] == (
        [f"sites[0]: {THEIRS}/a.pem expires in {int(days - 0.01)} days"] if told else [])


# --- installed files


def test_only_root_can_read_keys_from_the_controller(box: Box) -> None:
    assert box.call(content(GOOD), check=True)["changed"] and FOLDER not in box.tree()
    result = box.call(content(GOOD))
    assert result["changed"]
    assert box.container.shell(f"cat {FOLDER}/a-1.pem {FOLDER}/a-1.key") == GOOD.certificate + GOOD.key
    modes = box.container.shell(f"find {FOLDER} -printf '%f %m %U:%G\\n' | sort").splitlines()
    assert modes == ["a-1.key 600 0:0", "a-1.pem 600 0:0", "websocket_proxy_certificates 700 0:0"]
    # The result of the module, which -vvv shows, contains no line of the key.
    assert not [line for line in GOOD.key.splitlines()[1:-1] if line in json.dumps(result)]
    assert not box.call(content(GOOD))["changed"]
    box.container.shell(f"echo x >> {FOLDER}/a-1.key")
    assert box.call(content(GOOD))["changed"]
    assert box.container.shell(f"cat {FOLDER}/a-1.key") == GOOD.key


def test_what_a_generation_names_stays_and_all_else_goes(box: Box) -> None:
    box.call(content(GOOD, "a-1"))
    # An interrupted run left this file.
    box.container.write({f"{FOLDER}/tmp12345/a-1.key": "x"})
    box.container.write({"/etc/nginx/websocket_proxy/000001-000000000000/site-a.conf":
                         f"ssl_certificate {FOLDER}/a-1.pem;\nssl_certificate_key \"{FOLDER}/a-1.key\";\n"})
    box.call(content(GOOD, "a-2"))
    assert box.container.shell(f"ls {FOLDER}").split() == ["a-1.key", "a-1.pem", "a-2.key", "a-2.pem"]
    box.container.shell("rm -r /etc/nginx/websocket_proxy/*")
    assert not box.call(content(GOOD, "a-2"), check=True)["changed"] and "a-1.key" in box.tree()
    assert not box.call(content(GOOD, "a-2"))["changed"]
    assert box.container.shell(f"ls {FOLDER}").split() == ["a-2.key", "a-2.pem"]
    box.call()
    assert FOLDER not in box.tree()


@pytest.mark.parametrize(("kind", "key"), [("ecdsa", ec.EllipticCurvePrivateKey), ("rsa", rsa.RSAPrivateKey)])
def test_a_self_signed_certificate_is_made_once_for_all_names(box: Box, kind: str, key: type) -> None:
    one = made("a-1", "a.test", "*.a.test", "192.0.2.1", "2001:db8::1", kind=kind)
    assert box.call(one, check=True)["changed"] and FOLDER not in box.tree()
    assert box.call(one)["changed"]
    before = box.tree()
    assert "a-1.key 600" in before
    assert not box.call(one)["changed"] and box.tree() == before
    certificate = x509.load_pem_x509_certificate(box.container.shell(f"cat {FOLDER}/a-1.pem").encode())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["a.test", "*.a.test"]
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["192.0.2.1", "2001:db8::1"]
    private = serialization.load_pem_private_key(box.container.shell(f"cat {FOLDER}/a-1.key").encode(), None)
    assert isinstance(private, key) and private.key_size == {"ecdsa": 256, "rsa": 2048}[kind]


def test_a_long_name_is_no_hindrance(box: Box) -> None:
    name = "a." + "b" * 60 + ".test"
    assert box.call(made("a-1", name))["changed"]
    assert not box.call(made("a-1", name))["changed"]


def test_certbot_is_asked_for_what_is_missing_or_not_fit(box: Box) -> None:
    first = box.call(acme(False))
    assert first["changed"] and [(one["lineage"], one["reason"]) for one in first["issue"]] == [
        ("websocket_proxy_a", "there is none yet")]
    box.put(GOOD.certificate, GOOD.key)
    assert box.call(acme(True))["issue"] == []
    for pair, reason in ((BELOW.issue("b.test"), "it is for b.test"),
                         (BELOW.issue("a.test", "b.test"), "it is for a.test, b.test"),
                         (BELOW.issue("a.test", days=-0.5, begin=-2), "it expired on")):
        box.put(pair.certificate, pair.key)
        (issue,) = box.call(acme(True))["issue"]
        assert reason in issue["reason"] and issue["directory_url"] == "https://ca.test/dir"
        assert box.call(acme(True)).get("warnings", []) == []
    box.put(GOOD.certificate, GOOD.key)
    for line, reason in (("server = https://other.test/dir", "its server is https://other.test/dir"),
                         ("key_type = rsa", "its key_type is rsa")):
        box.container.write({"/etc/ssl/renewal/theirs.conf": f"version = 1\n[renewalparams]\n{line}\n"})
        box.container.shell(f"mkdir -p /etc/ssl/live && ln -sfn {THEIRS} /etc/ssl/live/theirs")
        (issue,) = box.call({**acme(True), "certificate": "/etc/ssl/live/theirs/a.pem"})["issue"]
        assert issue["reason"] == reason


def test_what_another_certificate_would_not_cure_is_refused(box: Box) -> None:
    box.put(GOOD.certificate, GOOD.key, "644")
    assert "every user on the host can read" in box.refuses(acme(True))


def test_an_unused_lineage_is_reported(box: Box) -> None:
    box.container.shell("rm -rf /etc/le && mkdir -p /etc/le/websocket_proxy_a /etc/le/websocket_proxy_b /etc/le/theirs")
    box.put(GOOD.certificate, GOOD.key)
    assert box.call(acme(True), lineages="/etc/le")["forgotten"] == ["websocket_proxy_b"]
    box.container.write({"/etc/nginx/websocket_proxy/000001-000000000000/site-b.conf":
                         "    ssl_certificate /etc/le/websocket_proxy_b/fullchain.pem;\n"})
    assert box.call(acme(True), lineages="/etc/le")["forgotten"] == []


def test_a_certificate_that_is_for_no_server_is_refused(box: Box) -> None:
    pair = CA.issue("a.test", server=False)
    box.put(pair.certificate, pair.key)
    assert "cannot be used as a server's certificate: " in box.refuses(theirs())


def test_a_key_of_ours_that_somebody_made_readable_is_put_right(box: Box) -> None:
    for one in (content(GOOD), made("a-2", "a.test")):
        assert box.call(one)["changed"]
        box.container.shell(f"chmod 644 {one['certificate_key']}")
        assert box.call(one)["changed"]
        assert box.container.shell(f"stat -c %a {one['certificate_key']}") == "600\n"
