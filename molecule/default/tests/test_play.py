"""Runs of the playbook on hosts that are already configured."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from testinfra.host import Host

from tests.support.scenario import CONTAINERS, changes, host, play, played

NEWEST = ("--limit", "newest")


@pytest.fixture(name="host", scope="module")
def host_() -> Host:
    """Return the host with the newest nginx: if its version does not matter, a run is limited to it."""
    return host("newest")


def tree(host: Host) -> str:
    """Return every file of the configuration with its checksum, owner, mode, and modification time."""
    return host.check_output("find /etc/nginx /etc/systemd/system ! -type d -printf '%p %l %u %g %m %T@ ' "
                             r"\( -type f -exec md5sum {} \; -o -printf '\n' \) | sort")


SITE = {"server_names": ["example.com"], "upstream": "ws_node"}
UPSTREAM = {"name": "ws_node", "servers": ["127.0.0.1:3000"]}


@pytest.mark.parametrize(("variables", "told"), [
    ({"websocket_proxy_sites": "example.com"}, ["websocket_proxy_sites"]),
    ({"websocket_proxy_worker_process": 2,
      "websocket_proxy_sites": [
          {**SITE, "upstream": "ws_nod", "listen": [70000], "read_timeout": "30 sec"}, {**SITE, "upstrem": "x"},
          {**SITE, "server_names": ["a.example\n} server {"]}],
      "websocket_proxy_upstreams": [UPSTREAM, {**UPSTREAM, "servers": []}]},
     ["The inventory cannot be used:\n",
      'websocket_proxy_worker_process: not a variable of this role; did you mean "websocket_proxy_worker_processes"?\n',
      'websocket_proxy_upstreams[1].name: "ws_node" is already the name of websocket_proxy_upstreams[0].name\n',
      "websocket_proxy_upstreams[1].servers: the list is empty; an upstream needs at least one server\n",
      'websocket_proxy_sites[0].read_timeout: "30 sec" is not a time; expected seconds or nginx\'s form, such as 90, '
      "90s, 5m or 1d\n",
      "websocket_proxy_sites[0].listen[0]: 70000 is not a whole number from 1 to 65535\n",
      'websocket_proxy_sites[0].upstream: "ws_nod" is not an upstream; did you mean "ws_node"?\n',
      'websocket_proxy_sites[1]: "upstrem" is not a key here', "control character"]),
], ids=["text for a list", "several"])
def test_a_bad_variable_fails_with_its_place_twice_and_touches_nothing(
        host: Host, variables: dict[str, Any], told: list[str]) -> None:
    before = tree(host)
    for _run in range(2):
        done = play(*NEWEST, **variables)
        assert done.returncode == 2
        assert [line for line in told if line not in done.stdout] == [], done.stdout
        assert changes(done.stdout) == {"newest": 0}
    assert tree(host) == before


@pytest.mark.parametrize("options", [("--tags", "configure"), ("--tags", "install"), ("--tags", "service"),
                                     ("--skip-tags", "configure"), ("--skip-tags", "service,install"),
                                     ("--check", "--diff")], ids=" ".join)
def test_a_run_that_has_nothing_to_do_says_so(host: Host, options: tuple[str, ...]) -> None:
    before = tree(host)
    assert changes(played(*NEWEST, *options)) == {"newest": 0}
    assert tree(host) == before


def test_a_unit_that_somebody_has_changed_is_put_right() -> None:
    unit = "/etc/systemd/system/nginx.service.d/websocket_proxy.conf"
    damages = {"newest": "echo '#' >>", "middle": "chmod 600", "oldest": "rm"}
    before = {name: host(name).check_output(f"stat -c %a {unit} && cat {unit}") for name in CONTAINERS}
    for name, damage in damages.items():
        host(name).check_output(f"{damage} {unit}")
    assert 0 not in changes(played("--tags", "service")).values()
    for name in damages:
        assert host(name).check_output(f"stat -c %a {unit} && cat {unit}") == before[name]
        assert host(name).check_output("systemctl show nginx -p NeedDaemonReload --value") == "no"


def test_a_check_shows_what_the_run_would_do_and_does_nothing(host: Host) -> None:
    before = tree(host)
    shown = played(*NEWEST, "--check", "--diff", websocket_proxy_sites=[{**SITE, "read_timeout": "7m"}])
    assert "-        proxy_read_timeout 60s;\n+        proxy_read_timeout 7m;\n" in shown
    assert tree(host) == before


@pytest.fixture
def vault(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return a function that runs the playbook with secrets, one of them from a vault."""
    password = tmp_path / "password"
    password.write_text("password")

    def run(secret: str, *options: str, extra: str = "map $uri $x { default 1; }") -> subprocess.CompletedProcess[str]:
        vaulted = [subprocess.run(["ansible-vault", "encrypt_string", "--vault-password-file", password, text],
                                  capture_output=True, text=True, check=True).stdout for text in (secret, extra)]
        headers = {"Authorization": f"S3cret-plain-{secret[-3:]}", "X-Plain": f"shown-{secret[-3:]}"}
        (tmp_path / "variables.yml").write_text(
            f"websocket_proxy_upstreams: {json.dumps([UPSTREAM])}\n"
            "websocket_proxy_sites:\n  - server_names: [example.com]\n    upstream: ws_node\n"
            f"    auth: {{basic: {{users: {{alice: $6$S3cret{secret[-3:]}${'x' * 86}}}}}}}\n"
            f"    request_headers: {json.dumps(headers)}\n    response_headers:\n      X-Vaulted: {vaulted[0]}\n"
            f"websocket_proxy_extra_config: {vaulted[1]}\n")
        return play(*NEWEST, "--diff", "--vault-password-file", str(password),
                    "-e", f"@{tmp_path}/variables.yml", *options)

    return run


def test_differences_and_errors_show_no_secrets(
        host: Host, vault: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    try:
        told = [vault("S3cret-one"), vault("S3cret-two", "--check"), vault("S3cret-one", extra="S3cret_key on;"),
                # The host records which lines are secret, so later runs hide them without the vault as well.
                play(*NEWEST, "--diff", "--check")]
        shown = "".join(one.stdout for one in told)
        assert [one.returncode for one in told] == [0, 0, 2, 0], shown
        assert "-proxy_set_header X-Plain shown-one;\n+proxy_set_header X-Plain shown-two;" in shown
        assert "proxy_set_header Authorization ********;" in shown and "add_header ********" in shown
        assert "[emerg] unknown directive" in shown
        assert "users-1" in shown and "S3cret" not in shown and "S3cret" not in host.check_output("journalctl")
    finally:
        played(*NEWEST)


def test_a_map_of_the_popular_name_in_another_file_changes_nothing(host: Host) -> None:
    theirs = "/etc/nginx/conf.d/theirs.conf"
    text = 'map $http_upgrade $connection_upgrade { default upgrade; "" close; }'
    before = tree(host)
    host.check_output(f"printf '%s' '{text}' > {theirs}")
    try:
        # This also covers a complete run that has nothing to do.
        assert changes(played(*NEWEST)) == {"newest": 0}
        host.check_output("systemctl reload nginx")
        answer = host.check_output(
            "curl -s -m 60 -H 'Host: example.com' -H 'Upgrade: h2c' -H 'Connection: Upgrade' http://127.0.0.1/whoami")
        assert "upgrade" not in {name.lower() for name, _value in json.loads(answer)["request"]["headers"]}
    finally:
        host.check_output(f"rm {theirs} && systemctl reload nginx")
    assert tree(host) == before
