"""TLS of each version of nginx for clients on the network, and changes of certificates while they are connected."""

from __future__ import annotations

import base64
import json
import re
import subprocess
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from tests.support.key_examples import HASH
from tests.support.scenario import (
    CONTAINERS,
    EPHEMERAL,
    GENERATION,
    SCENARIO,
    Clients,
    browsed,
    changes,
    host,
    play,
    played,
)
from tests.support.soak import SOAK
from tests.support.waiting import wait_until

PKI = EPHEMERAL / "pki"
PROXIES = ["proxy1", "proxy2", "proxy3"]
PLACED = "/etc/nginx/websocket_proxy_certificates"
OLDEST, ONE, NEWEST = PROXIES
# If no version of nginx, OpenSSL or certbot matters, a run is limited to ONE proxy. If only certbot's version matters,
# it is limited to the oldest and the newest.
ENDS = [OLDEST, NEWEST]
each_proxy = pytest.mark.parametrize("proxy", PROXIES)


def everywhere(command: str, proxies: Sequence[str] = tuple(PROXIES)) -> dict[str, str]:
    """Run a command on each proxy; return its output by proxy."""
    return {proxy: host(proxy).check_output(command) for proxy in proxies}


def site(name: str, **tls: Any) -> dict[str, Any]:
    """Return a site in the form of extra variables."""
    return {"server_names": [name + ".{{ inventory_hostname }}.test"], "tls": tls}


def given(name: str, kind: str) -> dict[str, Any]:
    """Return a site with the certificate KIND from the controller."""
    of = "{{ lookup('ansible.builtin.file', pki ~ '/" + kind + ".' ~ inventory_hostname ~ '.test.%s') }}"
    return site(name, certificate_content=of % "pem", certificate_key_content=of % "key")


class Client(Clients):
    """WebSockets over TLS that a client outside keeps open."""

    def open(self, name: str, count: int, verify: bool = True) -> None:
        """Open COUNT WebSockets to a NAME."""
        answers = self.ask("open", url=f"wss://{name}/whoami", count=count, verify=verify)
        assert {answer[0] for answer in answers} == {101}

    def alive(self) -> int:
        """Return how many of all WebSockets echo."""
        return len(self.ask("echo")["alive"])

    def serial(self, name: str) -> int:
        """Return the serial number of a name's certificate; 0 if the handshake fails."""
        shown = self.ask("shown", name=name)
        return x509.load_pem_x509_certificate(shown.encode()).serial_number if shown else 0

    def issuer(self, name: str) -> str:
        """Return the issuer of a name's certificate."""
        return x509.load_pem_x509_certificate(self.ask("shown", name=name).encode()).issuer.rfc4514_string()


@pytest.fixture(name="clients")
def clients_() -> Iterator[Client]:
    """Provide a client that keeps its WebSockets open."""
    clients = Client("outside")
    yield clients
    clients.end()


# --- clients


@each_proxy
@pytest.mark.parametrize("version", ["1_2", "1_3"])
def test_pythons_and_nodes_clients_echo_through_tls(proxy: str, version: str) -> None:
    outside, name, dotted = host("outside"), f"copied.{proxy}.test", f"TLSv{version.replace('_', '.')}"
    program = (SCENARIO / "files/echo.py").read_text()
    assert outside.check_output("python3 -c %s %s %s", program, name, f"TLSv{version}") == f"{dotted} grüße"
    program = (SCENARIO / "files/echo.js").read_text()
    assert outside.check_output(
        "NODE_PATH=/usr/share/nodejs node -e %s -- %s %s", program, name, dotted) == f"{dotted} grüße"


ECHO = ("(() => { const of = (id) => document.getElementById(id); if (of('send').disabled) return null; "
        "if (!window.asked) { window.asked = true; of('text').value = 'grüße'; of('send').click(); } "
        "const echoes = [...document.querySelectorAll('#echoes span')].map((one) => one.textContent); "
        "return echoes.length > 1 && of('route').textContent ? [document.title, of('state').textContent, "
        "of('route').textContent, echoes[0], isSecureContext] : null; })()")


def test_chromium_loads_the_page_and_echoes_through_tls() -> None:
    names = [f"copied.{proxy}.test" for proxy in PROXIES]
    found = browsed("outside", ECHO, *(f"https://{name}/" for name in names))
    for name, (title, state, route, echo, secure) in zip(names, found, strict=True):
        assert [title, state, echo, secure] == ["WebSocket echo", "Connected", "grüße", True]
        assert re.fullmatch(rf"This page → nginx at {re.escape(name)} → backend \S+:[0-9]+", route), route


@each_proxy
def test_a_plain_request_is_sent_to_tls_and_a_handshake_is_told(proxy: str) -> None:
    outside, name = host("outside"), f"copied.{proxy}.test"
    assert f"location: https://{name}/x?y=1" in outside.check_output(f"curl -si http://{name}/x?y=1").lower()
    told = outside.check_output(
        f"curl -s -H 'Upgrade: websocket' -H 'Connection: Upgrade' -w %{{http_code}} http://{name}/x")
    assert told == f"WebSockets are served only over TLS: wss://{name}/x\n403"


# --- the scanner


# These findings concern the tests' own CA and network, or the scanner itself. nginx issues no session tickets, for
# which the scanner sometimes reports that it could not connect.
OURS = {"engine_problem", "cert_revocation", "DNS_CAArecord", "scanProblem", "sessionresumption_ticket"}


# A full scan of each version takes minutes. The sample scans the oldest OpenSSL: what that no longer offers, the newer
# ones do not offer either.
SAMPLE = "--protocols --server-defaults --headers --breach --heartbleed"
WHOLE = "--protocols --std --fs --server-preference --server-defaults --headers --vulnerable"
SCANS = dict.fromkeys(PROXIES, WHOLE) if SOAK else {OLDEST: SAMPLE}


@pytest.mark.parametrize(("proxy", "sections"), SCANS.items(), ids=SCANS)
def test_a_scanner_finds_nothing(proxy: str, sections: str) -> None:
    outside, file = host("outside"), f"/tmp/{proxy}.json"
    # The exit code counts the checks without a result.
    outside.run(f"testssl --quiet --color 0 --warnings batch --ip one {sections} --overwrite --jsonfile {file} "
                f"--add-ca /usr/local/share/ca-certificates/tests.crt copied.{proxy}.test")
    told = json.loads(outside.file(file).content_string)
    assert {"TLS1", "TLS1_2", "TLS1_3", "BREACH", "heartbleed", *(["FS"] if sections == WHOLE else [])} <= {
        one["id"] for one in told}
    findings = [(one["id"], one["severity"], one["finding"]) for one in told
                if one["severity"] not in ("OK", "INFO") and one["id"] not in OURS]
    assert findings == []


# --- certificates


def test_each_site_shows_its_own_certificate_and_only_root_can_read_a_key(clients: Client) -> None:
    for proxy in PROXIES:
        assert clients.issuer(f"issued.{proxy}.test").startswith("CN=Pebble Intermediate CA")
        assert clients.issuer(f"self.{proxy}.test") == f"CN=self.{proxy}.test"
        pair = (PKI / f"there.{proxy}.test.pem").read_bytes()
        assert clients.serial(f"there.{proxy}.test") == x509.load_pem_x509_certificate(pair).serial_number
        edge = host(proxy)
        assert edge.check_output(f"stat -c %a:%U {PLACED}") == "700:root"
        modes = edge.check_output(f"stat -c %a:%U {PLACED}/*.key /etc/letsencrypt/live/*/privkey.pem -L").split()
        assert set(modes) == {"600:root"}


def test_a_renewed_file_is_shown_after_the_hook_and_no_socket_of_200_drops(clients: Client) -> None:
    names = {proxy: f"there.{proxy}.test" for proxy in PROXIES}
    old = {proxy: clients.serial(name) for proxy, name in names.items()}
    for name in names.values():
        clients.open(name, 200 // len(PROXIES) + 1)
    for proxy, name in names.items():
        for kind in ("pem", "key"):
            text = (PKI / f"renewed.{name.removeprefix('there.')}.{kind}").read_text()
            # The text is sent to standard input, because the test searches the lists of processes for keys.
            subprocess.run(["docker", "exec", "--interactive", CONTAINERS[proxy], "sh", "-c",
                            f"cat > /etc/ssl/tests/there.{kind}"], input=text, text=True, check=True)
        assert "nginx was reloaded: " in host(proxy).check_output("/usr/local/sbin/websocket_proxy_reload")
        new = x509.load_pem_x509_certificate((PKI / f"renewed.{proxy}.test.pem").read_bytes()).serial_number
        assert clients.serial(name) == new != old[proxy]
    assert clients.alive() == 201
    # The next run notices the change as well.
    assert changes(played("--limit", ONE))[ONE] > 0
    assert clients.alive() == 201


# --- the CA


def test_a_renewal_by_the_timer_is_shown_without_a_run(clients: Client) -> None:
    assert set(everywhere("systemctl is-active certbot.timer").values()) == {"active"}
    for proxy in PROXIES:
        edge, name = host(proxy), f"issued.{proxy}.test"
        clients.open(name, 3, verify=False)
        old = clients.serial(name)
        edge.check_output("sed -i 's/^# renew_before_expiry = .*/renew_before_expiry = 99 years/' "
                          "/etc/letsencrypt/renewal/*.conf && systemctl start certbot.service")
        assert clients.serial(name) not in (0, old)
    assert clients.alive() == 9


def test_a_renewal_that_fails_leaves_the_old_certificate(clients: Client) -> None:
    old = {proxy: clients.serial(f"issued.{proxy}.test") for proxy in PROXIES}
    everywhere("cp /etc/hosts /root/hosts && echo '127.0.0.1 ca.test' >> /etc/hosts")
    try:
        for proxy in PROXIES:
            assert host(proxy).run("systemctl start certbot.service").rc != 0
            assert "Failed to renew certificate websocket_proxy_issued" in host(proxy).check_output(
                "journalctl -u certbot.service --no-pager")
    finally:
        everywhere("cat /root/hosts > /etc/hosts")
    assert {proxy: clients.serial(f"issued.{proxy}.test") for proxy in PROXIES} == old


def test_the_run_after_a_renewal_notices_it_and_the_one_after_that_has_nothing_to_do() -> None:
    assert 0 not in changes(played()).values()
    assert changes(played()) == dict.fromkeys(PROXIES, 0)


@pytest.mark.parametrize(("name", "acme", "reason", "proxies"), [
    ("refused", {"directory_url": "https://ca.test/dir"}, "forbidden by policy|rejectedIdentifier", PROXIES),
    ("late", {"directory_url": "https://ca.test:9/dir"}, "Connection refused", [NEWEST])],
    ids=["name refused", "CA unreachable"])
def test_a_first_certificate_that_is_not_issued_leaves_what_was_served(
        clients: Client, name: str, acme: dict[str, Any], reason: str, proxies: list[str]) -> None:
    for proxy in proxies:
        clients.open(f"copied.{proxy}.test", 2)
    done = play("--limit", ":".join(proxies), websocket_proxy_sites=[given("copied", "copied"), site(name, acme={
        "email": "admin@example.com", "agree_tos": True, **acme})])
    assert done.returncode != 0 and "Ask the CA for the certificates" in done.stdout
    assert len(re.findall(reason, done.stdout)) >= len(proxies)
    # The text is from this run, not from the previous one.
    assert ("urn:ietf:params:acme:error" in done.stdout) is (name == "refused")
    for proxy in proxies:
        assert clients.issuer(f"copied.{proxy}.test").startswith("CN=below root")
        assert host(proxy).check_output(
            f"cat /etc/nginx/websocket_proxy/$({GENERATION})/site-*.conf | grep -c {name}.{proxy}.test; true") == "0"
    assert clients.alive() == 2 * len(proxies)


def test_a_site_with_another_name_gets_another_certificate(clients: Client) -> None:
    acme = {"email": "admin@example.com", "agree_tos": True, "directory_url": "https://ca.test/dir"}
    sites = [{**site("issued", acme=acme), "name": "issued.{{ inventory_hostname }}.test"}]
    sites[0]["server_names"].append("late.{{ inventory_hostname }}.test")
    played("--limit", ":".join(ENDS), websocket_proxy_sites=sites)
    for proxy in ENDS:
        assert clients.issuer(f"late.{proxy}.test").startswith("CN=Pebble")
        assert clients.serial(f"late.{proxy}.test") == clients.serial(f"issued.{proxy}.test")
    assert changes(played("--limit", NEWEST, websocket_proxy_sites=sites)) == {NEWEST: 0}
    # The rollback skips the interim generation with which nginx answered the CA.
    played("--limit", NEWEST, playbook="wsedge.nginx.rollback")
    assert clients.issuer(f"copied.{NEWEST}.test").startswith("CN=below root")


# --- unusable certificates, and secrets


def secret_lines(text: str) -> set[str]:
    """Return the lines of keys without the lines of their public halves, which certificates contain as well."""
    public = b""
    for one in re.findall(r"-----BEGIN (?!ENCRYPTED).*?-----END [A-Z ]+-----", text, re.DOTALL):
        key = serialization.load_pem_private_key(one.encode(), None)
        public += key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return {line for line in text.splitlines()
            if len(line) > 40 and "-" not in line and base64.b64decode(line) not in public}


def keys_of(proxy: str) -> set[str]:
    """Return the secret lines of all keys for a proxy: those made here, those it made, and those of certbot."""
    keys = [*(path.read_text() for path in PKI.glob(f"**/*.{proxy}.test.key")),
            host(proxy).check_output(f"cat /etc/ssl/tests/there.key {PLACED}/*.key /etc/letsencrypt/archive/*/*.key "
                                     "/etc/letsencrypt/archive/*/privkey*.pem 2>/dev/null; true")]
    return {line for key in keys for line in secret_lines(key)}


@pytest.fixture(name="told", scope="module")
def told_() -> list[str]:
    """Return a list for the output of runs with -vvvv and --diff."""
    return []


def test_certificates_that_are_not_fit_change_nothing(clients: Client, told: list[str]) -> None:
    reasons = {"wrong": "certificate_content is not for wrong.", "expired": "certificate_content expired on",
               "mismatched": "certificate_key_content is not the key of the first certificate"}
    clients.open(f"copied.{ONE}.test", 2)
    state = f"{GENERATION}; ls {PLACED}; readlink /etc/nginx/nginx.conf; sha256sum /etc/nginx/nginx.conf"
    before = host(ONE).check_output(state)
    done = play("--limit", ONE, "-vvvv", "--diff", websocket_proxy_sites=[given(kind, kind) for kind in reasons])
    told.append(done.stdout)
    assert done.returncode != 0 and [reason for reason in reasons.values() if reason not in done.stdout] == []
    assert host(ONE).check_output(state) == before
    assert clients.alive() == 2


def test_no_key_is_in_any_output_log_or_list_of_processes(told: list[str]) -> None:
    copied = given("copied", "copied")
    done = play("--limit", ONE, "-vvvv", "--diff", websocket_proxy_sites=[
        {**copied, "tls": copied["tls"]["certificate_key_content"]}, given("protected", "protected")])
    assert done.returncode != 0 and "certificate_key_content: this key has a password" in done.stdout
    told.append(done.stdout)
    # Ansible itself shows the values on its command line.
    (PKI / "hash").write_text(HASH)
    users = {"alice": "{{ lookup('ansible.builtin.file', pki ~ '/hash') }}"}
    told.append(played("--limit", ONE, "-vvvv", "--diff", websocket_proxy_sites=[
        given("copied", "again"), {**site("self", self_signed=True, key_type="ecdsa"), "allowed_origins": "same_host",
                                   "auth": {"basic": {"users": users}}}]))
    assert "users-1" in told[-1]
    assert "nginx_certificates" in told[-1]
    for proxy in PROXIES:
        edge = host(proxy)
        edge.check_output("systemctl stop watch")
        assert "nginx" in edge.file("/root/processes").content_string
        lines = [*keys_of(proxy), HASH]
        assert len(lines) > 20
        assert not [line for line in lines for output in told if line in output]
        edge.check_output("printf %s %s > /run/lines", "%s\n", "\n".join(lines))
        edge.check_output("journalctl --no-pager > /root/journal")
        found = edge.check_output("grep -rlF -f /run/lines --exclude=lines --exclude-dir=proc --exclude-dir=sys "
                                  "--exclude-dir=dev / 2>/dev/null; true").split()
        allowed = (f"{PLACED}/", "/etc/letsencrypt/", "/etc/ssl/tests/")
        # Only the generations that use the hash contain it.
        found = [path for path in found if not re.fullmatch(r"/etc/nginx/websocket_proxy/[^/]+/users-1", path)]
        assert [path for path in found if path.startswith(PLACED)]
        assert not [path for path in found if not path.startswith(allowed)]


# --- the end


def test_nothing_is_left_when_the_edge_is_gone() -> None:
    played("--limit", ":".join(ENDS), websocket_proxy_state="absent")
    left = everywhere(f"ls -d {PLACED} /etc/letsencrypt/live/websocket_proxy_* /usr/local/lib/websocket_proxy "
                      "/usr/local/sbin/websocket_proxy_reload /var/lib/websocket_proxy 2>/dev/null; true", ENDS)
    assert set(left.values()) == {""}
    wait_until(lambda: not any(everywhere("ss -Hltn 'sport = :443'", ENDS).values()), step=1)


def test_a_first_run_whose_certificate_is_not_issued_leaves_the_host_as_it_was() -> None:
    edge = host(OLDEST)
    state = ("cd /etc/nginx && find . -printf '%p %y %m %l\\n' | sort && sha256sum nginx.conf && "
             "dpkg-divert --list '*nginx*'; curl -s -o /dev/null -w '%{http_code}' http://localhost/")
    edge.check_output("systemctl start nginx")
    before = edge.check_output(state)
    assert before.endswith("200")
    done = play("--limit", OLDEST, websocket_proxy_sites=[site("late", acme={
        "email": "admin@example.com", "agree_tos": True, "directory_url": "https://ca.test:9/dir"})])
    assert done.returncode != 0 and "Connection refused" in done.stdout
    kept = [line for line in edge.check_output(state).splitlines() if "websocket_proxy_certificates" not in line]
    assert kept == before.splitlines()
