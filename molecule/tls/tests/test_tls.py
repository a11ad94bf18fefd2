"""TLS as clients on the network meet it, on each version of nginx, and what is done to certificates meanwhile."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import testinfra
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from testinfra.host import Host

SCENARIO = Path(__file__).parents[1]
INVENTORY = Path(os.environ["MOLECULE_INVENTORY_FILE"]).parent
PKI = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "pki"
CONTAINERS = {name: told["ansible_host"] for name, told in yaml.safe_load(
    (INVENTORY / "containers.yml").read_text())["all"]["hosts"].items()}
PROXIES = ["proxy1", "proxy2", "proxy3"]
PLACED = "/etc/nginx/websocket_proxy_certificates"
GENERATION = "curl -s --unix-socket /run/websocket_proxy/nginx.sock http://edge/generation"
each_proxy = pytest.mark.parametrize("proxy", PROXIES)


def host(name: str) -> Host:
    """Return a host of the scenario."""
    return testinfra.get_host(f"docker://{CONTAINERS[name]}")


def everywhere(command: str) -> dict[str, str]:
    """Run a command on each proxy; return what it printed."""
    return {proxy: host(proxy).check_output(command) for proxy in PROXIES}


def play(*options: str, playbook: str = "site", **variables: Any) -> subprocess.CompletedProcess[str]:
    """Run a documented playbook on the proxies."""
    command = ["ansible-playbook", "-i", str(INVENTORY), f"wsedge.nginx.{playbook}", *options,
               "-e", json.dumps(variables)]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                          timeout=300, cwd=SCENARIO,
                          env={**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0"})


def played(*options: str, playbook: str = "site", **variables: Any) -> str:
    """Run it, to succeed; return its output."""
    done = play(*options, playbook=playbook, **variables)
    assert done.returncode == 0, done.stdout
    return done.stdout


def site(name: str, **tls: Any) -> dict[str, Any]:
    """Return a site as extra variables have it."""
    return {"server_names": [name + ".{{ inventory_hostname }}.test"], "tls": tls}


def copied(kind: str) -> dict[str, Any]:
    """Return a site with a certificate of some kind from the controller."""
    of = "{{ lookup('ansible.builtin.file', pki ~ '/" + kind + ".' ~ inventory_hostname ~ '.test.%s') }}"
    return site("copied", certificate_content=of % "pem", certificate_key_content=of % "key")


class Clients:
    """WebSockets over TLS that stay open outside."""

    def __init__(self) -> None:
        program = ["python3", "-c", (SCENARIO / "files/clients.py").read_text()]
        self._process = subprocess.Popen(["docker", "exec", "--interactive", CONTAINERS["outside"], *program],
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, do: str, **question: Any) -> Any:
        """Have something done."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps({"do": do, **question}) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def serial(self, name: str) -> int:
        """Return the serial number of what a name shows; 0 where the handshake comes to nothing."""
        shown = self.ask("shown", name=name)
        return x509.load_pem_x509_certificate(shown.encode()).serial_number if shown else 0

    def issuer(self, name: str) -> str:
        """Return who issued what a name shows."""
        return x509.load_pem_x509_certificate(self.ask("shown", name=name).encode()).issuer.rfc4514_string()

    def hang_up(self) -> None:
        """End them all."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(timeout=20)


@pytest.fixture(name="clients")
def clients_() -> Iterator[Clients]:
    """Give a client that keeps what it opens."""
    clients = Clients()
    yield clients
    clients.hang_up()


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


ECHO = ("(() => { if (!window.opened) { window.opened = new WebSocket(`wss://${location.host}/`); "
        "opened.onopen = () => opened.send('grüße'); opened.onmessage = (m) => { window.got = m.data; }; } "
        "return window.got ? [document.title, window.got, isSecureContext] : null; })()")


@each_proxy
def test_chromium_loads_the_page_and_echoes_through_tls(proxy: str) -> None:
    browse = (SCENARIO.parent / "shared/browse.py").read_text()
    shown = host("outside").check_output("python3 -c %s %s %s", browse, f"https://copied.{proxy}.test/", ECHO)
    assert json.loads(shown) == ["WebSocket echo", "grüße", True]


@each_proxy
def test_a_plain_request_is_sent_to_tls_and_a_handshake_is_told(proxy: str) -> None:
    outside, name = host("outside"), f"copied.{proxy}.test"
    assert f"location: https://{name}/x?y=1" in outside.check_output(f"curl -si http://{name}/x?y=1").lower()
    told = outside.check_output(
        f"curl -s -H 'Upgrade: websocket' -H 'Connection: Upgrade' -w %{{http_code}} http://{name}/x")
    assert told == f"WebSockets are served with TLS alone: wss://{name}/x\n403"


# --- certificates


def test_each_site_shows_its_own_certificate_and_only_root_can_read_a_key(clients: Clients) -> None:
    for proxy in PROXIES:
        assert clients.issuer(f"issued.{proxy}.test").startswith("CN=Pebble Intermediate CA")
        assert clients.issuer(f"self.{proxy}.test") == f"CN=self.{proxy}.test"
        pair = (PKI / f"there.{proxy}.test.pem").read_bytes()
        assert clients.serial(f"there.{proxy}.test") == x509.load_pem_x509_certificate(pair).serial_number
        edge = host(proxy)
        assert edge.check_output(f"stat -c %a:%U {PLACED}") == "700:root"
        modes = edge.check_output(f"stat -c %a:%U {PLACED}/*.key /etc/letsencrypt/live/*/privkey.pem -L").split()
        assert set(modes) == {"600:root"}


@pytest.mark.parametrize(("kind", "reason"), [
    ("wrong", "certificate_content is not for copied."), ("expired", "certificate_content is over since"),
    ("mismatched", "certificate_key_content is not the key of the first certificate"),
    ("protected", "certificate_key_content: this key has a password")])
def test_a_certificate_that_is_not_fit_changes_nothing(clients: Clients, kind: str, reason: str) -> None:
    for proxy in PROXIES:
        clients.ask("open", name=f"copied.{proxy}.test", count=2)
    before = everywhere(f"{GENERATION}; ls {PLACED}; readlink /etc/nginx/nginx.conf; sha256sum /etc/nginx/nginx.conf")
    done = play(websocket_proxy_sites=[copied(kind)])
    assert done.returncode != 0 and len(re.findall(reason, done.stdout)) >= len(PROXIES)
    assert everywhere(
        f"{GENERATION}; ls {PLACED}; readlink /etc/nginx/nginx.conf; sha256sum /etc/nginx/nginx.conf") == before
    assert clients.ask("alive") == 6


def test_a_renewed_file_is_shown_after_the_hook_and_no_socket_of_200_drops(clients: Clients) -> None:
    names = {proxy: f"there.{proxy}.test" for proxy in PROXIES}
    old = {proxy: clients.serial(name) for proxy, name in names.items()}
    for name in names.values():
        clients.ask("open", name=name, count=200)
    for proxy, name in names.items():
        for kind in ("pem", "key"):
            text = (PKI / f"renewed.{name.removeprefix('there.')}.{kind}").read_text()
            host(proxy).check_output(f"printf %s %s > /etc/ssl/tests/there.{kind}", "%s", text)
        assert "nginx was reloaded: " in host(proxy).check_output("/usr/local/sbin/websocket_proxy_reload")
        new = x509.load_pem_x509_certificate((PKI / f"renewed.{proxy}.test.pem").read_bytes()).serial_number
        assert clients.serial(name) == new != old[proxy]
    assert clients.ask("alive") == 600
    # The next run notices as well, and the one after it finds nothing to do.
    assert len(re.findall(r"proxy\d .*changed=[1-9]", played())) == 3
    assert len(re.findall(r"proxy\d .*changed=0", played())) == 3
    assert clients.ask("alive") == 600


# --- the CA


def test_a_renewal_by_the_timer_is_shown_without_a_run(clients: Clients) -> None:
    assert set(everywhere("systemctl is-active certbot.timer").values()) == {"active"}
    for proxy in PROXIES:
        edge, name = host(proxy), f"issued.{proxy}.test"
        clients.ask("open", name=name, count=3, verify=False)
        old = clients.serial(name)
        edge.check_output("sed -i 's/^# renew_before_expiry = .*/renew_before_expiry = 99 years/' "
                          "/etc/letsencrypt/renewal/*.conf && systemctl start certbot.service")
        assert clients.serial(name) not in (0, old)
    assert clients.ask("alive") == 9


def test_a_renewal_that_fails_leaves_the_old_certificate(clients: Clients) -> None:
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
    assert len(re.findall(r"proxy\d .*changed=[1-9]", played())) == 3


@pytest.mark.parametrize(("name", "acme", "reason"), [
    ("refused", {"directory_url": "https://ca.test/dir"}, "forbidden by policy|rejectedIdentifier"),
    ("late", {"directory_url": "https://ca.test:9/dir"}, "Connection refused")],
    ids=["name refused", "CA unreachable"])
def test_a_first_certificate_that_is_not_issued_leaves_what_was_served(
        clients: Clients, name: str, acme: dict[str, Any], reason: str) -> None:
    for proxy in PROXIES:
        clients.ask("open", name=f"copied.{proxy}.test", count=2)
    before = everywhere("cat /etc/nginx/websocket_proxy/*/site-*.conf | sort -u | grep server_name; "
                        "ls /etc/letsencrypt/live")
    done = play(websocket_proxy_sites=[copied("copied"), site(name, acme={
        "email": "admin@example.com", "agree_tos": True, **acme})])
    assert done.returncode != 0 and "The CA issues the certificates" in done.stdout
    assert len(re.findall(reason, done.stdout)) >= len(PROXIES)
    # Of this run, and not of the one before.
    assert ("urn:ietf:params:acme:error" in done.stdout) is (name == "refused")
    for proxy in PROXIES:
        assert clients.issuer(f"copied.{proxy}.test").startswith("CN=below root")
        assert host(proxy).check_output(
            f"cat /etc/nginx/websocket_proxy/$({GENERATION})/site-*.conf | grep -c {name}; true") == "0"
    assert before
    assert clients.ask("alive") == 6
    played()


def test_a_site_with_another_name_gets_another_certificate(clients: Clients) -> None:
    acme = {"email": "admin@example.com", "agree_tos": True, "directory_url": "https://ca.test/dir"}
    sites = [{**site("issued", acme=acme), "name": "issued.{{ inventory_hostname }}.test"}]
    sites[0]["server_names"].append("late.{{ inventory_hostname }}.test")
    played(websocket_proxy_sites=sites)
    for proxy in PROXIES:
        assert clients.issuer(f"late.{proxy}.test").startswith("CN=Pebble")
        assert clients.serial(f"late.{proxy}.test") == clients.serial(f"issued.{proxy}.test")
    assert len(re.findall(r"proxy\d .*changed=0", played(websocket_proxy_sites=sites))) == 3
    # Not to the step with which the CA was answered.
    played(playbook="rollback")
    for proxy in PROXIES:
        assert clients.issuer(f"copied.{proxy}.test").startswith("CN=below root")
    played()


# --- secrets


def secret_lines(text: str) -> set[str]:
    """Return the lines of keys that are not just their public halves, which stand in certificates as well."""
    public = b""
    for one in re.findall(r"-----BEGIN (?!ENCRYPTED).*?-----END [A-Z ]+-----", text, re.DOTALL):
        key = serialization.load_pem_private_key(one.encode(), None)
        public += key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return {line for line in text.splitlines()
            if len(line) > 40 and "-" not in line and base64.b64decode(line) not in public}


def test_no_key_is_in_any_output_log_or_list_of_processes() -> None:
    everywhere("systemctl stop watch 2>/dev/null; systemctl reset-failed watch 2>/dev/null; "
               "systemd-run --quiet --unit=watch sh -c 'while sleep 0.05; do ps axww -o args; done > /root/processes'")
    told = ""
    for sites in ([copied("copied")], [copied("mismatched")], [{**copied("copied"), "tls": copied("copied")["tls"][
            "certificate_key_content"]}], [site("self", self_signed=True, key_type="ecdsa")]):
        done = play("-vvvv", "--diff", websocket_proxy_sites=sites)
        told += done.stdout
    assert "certificate_key_content" in told
    told += played("-vvvv", "--diff")
    for proxy in PROXIES:
        edge = host(proxy)
        edge.check_output("systemctl stop watch")
        assert "nginx" in edge.file("/root/processes").content_string
        keys = [*(path.read_text() for path in PKI.glob(f"*.{proxy}.test.key")),
                edge.check_output(f"cat {PLACED}/*.key /etc/letsencrypt/live/*/privkey.pem")]
        lines = {line for key in keys for line in secret_lines(key)}
        assert len(lines) > 20
        assert not [line for line in lines if line in told]
        edge.check_output("printf %s %s > /run/lines", "%s\n", "\n".join(lines))
        edge.check_output("journalctl --no-pager > /root/journal")
        found = edge.check_output("grep -rlF -f /run/lines --exclude=lines --exclude-dir=proc --exclude-dir=sys "
                                  "--exclude-dir=dev / 2>/dev/null; true").split()
        allowed = (f"{PLACED}/", "/etc/letsencrypt/", "/etc/ssl/tests/")
        assert [path for path in found if path.startswith(PLACED)]
        assert not [path for path in found if not path.startswith(allowed)]


# --- what a scanner says


# Findings about the tests' own CA and network, and of the scanner about itself. Of tickets, of which there are none, it
# says at times that it could not connect.
OURS = {"engine_problem", "cert_revocation", "DNS_CAArecord", "scanProblem", "sessionresumption_ticket"}


def test_a_scanner_finds_nothing() -> None:
    scans = {}
    for proxy in PROXIES:
        command = ("testssl --quiet --color 0 --warnings batch --ip one --protocols --std --fs --server-preference "
                   "--server-defaults --headers --vulnerable --add-ca /usr/local/share/ca-certificates/tests.crt "
                   f"--overwrite --jsonfile /tmp/{proxy}.json copied.{proxy}.test")
        scans[proxy] = subprocess.Popen(["docker", "exec", CONTAINERS["outside"], "sh", "-c", command],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for proxy, scan in scans.items():
        scan.wait(timeout=500)
        told = json.loads(host("outside").file(f"/tmp/{proxy}.json").content_string)
        assert {"TLS1", "TLS1_2", "TLS1_3", "BREACH", "heartbleed", "FS"} <= {one["id"] for one in told}
        findings = [(one["id"], one["severity"], one["finding"]) for one in told
                    if one["severity"] not in ("OK", "INFO") and one["id"] not in OURS]
        assert findings == []


# --- the end


def test_nothing_is_left_when_the_edge_is_gone() -> None:
    played(websocket_proxy_state="absent")
    left = everywhere(f"ls -d {PLACED} /etc/letsencrypt/live/websocket_proxy_* /usr/local/lib/websocket_proxy "
                      "/usr/local/sbin/websocket_proxy_reload /var/lib/websocket_proxy 2>/dev/null; true")
    assert set(left.values()) == {""}
    deadline = time.monotonic() + 10
    while any(everywhere("ss -Hltn 'sport = :443'").values()):
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_a_first_run_whose_certificate_is_not_issued_leaves_the_host_as_it_was() -> None:
    tree = ("cd /etc/nginx && find . -printf '%p %y %m %l\\n' | sort && sha256sum nginx.conf && "
            "dpkg-divert --list '*nginx*'")
    everywhere("systemctl start nginx")
    before = everywhere(f"{tree}; curl -s -o /dev/null -w '%{{http_code}}' http://localhost/")
    assert all(told.endswith("200") for told in before.values())
    done = play(websocket_proxy_sites=[site("late", acme={
        "email": "admin@example.com", "agree_tos": True, "directory_url": "https://ca.test:9/dir"})])
    assert done.returncode != 0 and len(re.findall("Connection refused", done.stdout)) >= len(PROXIES)
    after = everywhere(f"{tree}; curl -s -o /dev/null -w '%{{http_code}}' http://localhost/")
    for proxy in PROXIES:
        kept = [line for line in after[proxy].splitlines() if "websocket_proxy_certificates" not in line]
        assert kept == before[proxy].splitlines()
