"""What a run of the playbook does on hosts that are already configured."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from testinfra.host import Host

testinfra_hosts = ["ansible://newest"]

INVENTORY = str(Path(os.environ["MOLECULE_INVENTORY_FILE"]).parent)
CHECKOUT = Path(__file__).parents[3]


def play(*options: str, **variables: Any) -> subprocess.CompletedProcess[str]:
    """Run the documented playbook against the scenario's hosts."""
    command = ["ansible-playbook", "-i", INVENTORY, "wsedge.nginx.site", *options,
               "-e", json.dumps(variables)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, cwd=CHECKOUT,
                          env={**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0"})


def tree(host: Host) -> str:
    """Return every file of the configuration with its checksum, owner, mode and time of change."""
    return host.check_output("find /etc/nginx /etc/systemd/system ! -type d -printf '%p %l %u %g %m %T@ ' "
                             r"\( -type f -exec md5sum {} \; -o -printf '\n' \) | sort")


SITE = {"server_names": ["example.com"], "upstream": "ws_node"}
UPSTREAM = {"name": "ws_node", "servers": ["127.0.0.1:3000"]}


@pytest.mark.parametrize(("variables", "told"), [
    ({"websocket_proxy_sites": [{**SITE, "upstrem": "x"}]}, 'websocket_proxy_sites[0]: "upstrem" is not a key here'),
    ({"websocket_proxy_worker_process": 2}, 'websocket_proxy_worker_process: not a variable of this role; did you mean '
                                            '"websocket_proxy_worker_processes"?'),
    ({"websocket_proxy_sites": "example.com"}, "websocket_proxy_sites"),
    ({"websocket_proxy_sites": [{**SITE, "upstream": "ws_nod", "listen": [70000], "read_timeout": "30 sec"}],
      "websocket_proxy_upstreams": [UPSTREAM, {**UPSTREAM, "servers": []}]},
     'The inventory cannot be used:\n'
     "websocket_proxy_upstreams[1].name: \"ws_node\" is already the name of websocket_proxy_upstreams[0].name\n"
     "websocket_proxy_upstreams[1].servers: the list is empty; an upstream needs at least one server\n"
     'websocket_proxy_sites[0].read_timeout: "30 sec" is not a time; expected seconds or nginx\'s form, such as 90, '
     "90s, 5m or 1d\n"
     "websocket_proxy_sites[0].listen[0]: 70000 is not a whole number from 1 to 65535\n"
     'websocket_proxy_sites[0].upstream: "ws_nod" is not an upstream; did you mean "ws_node"?\n'),
    ({"websocket_proxy_sites": [{**SITE, "server_names": ["a.example\n} server {"]}]}, "control character"),
], ids=["unknown key", "misspelt variable", "text for a list", "several", "line break"])
def test_a_bad_variable_fails_with_its_place_twice_and_touches_nothing(
        host: Host, variables: dict[str, Any], told: str) -> None:
    before = tree(host)
    for _run in range(2):
        done = play("--limit", "newest", **variables)
        assert done.returncode == 2
        assert told in done.stdout + done.stderr
        assert "changed=0" in done.stdout
    assert tree(host) == before


@pytest.mark.parametrize("options", [(), ("--tags", "configure"), ("--tags", "install"), ("--tags", "service"),
                                     ("--skip-tags", "install"), ("--skip-tags", "configure"),
                                     ("--skip-tags", "service,install"), ("--check", "--diff")], ids=" ".join)
def test_a_run_that_has_nothing_to_do_says_so(host: Host, options: tuple[str, ...]) -> None:
    before = tree(host)
    done = play("--limit", "newest", *options)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "changed=0" in done.stdout
    assert tree(host) == before


@pytest.mark.parametrize("damage", ["echo '#' >>", "chmod 600", "rm"])
def test_a_unit_that_somebody_has_changed_is_put_right(host: Host, damage: str) -> None:
    unit = "/etc/systemd/system/nginx.service.d/websocket_proxy.conf"
    before = host.check_output(f"stat -c %a {unit} && cat {unit}")
    host.check_output(f"{damage} {unit}")
    assert "changed=0" not in play("--limit", "newest", "--tags", "service").stdout
    assert host.check_output(f"stat -c %a {unit} && cat {unit}") == before
    assert host.check_output("systemctl show nginx -p NeedDaemonReload --value") == "no"


def test_a_check_shows_what_the_run_would_do_and_does_nothing(host: Host) -> None:
    before = tree(host)
    done = play("--limit", "newest", "--check", "--diff", websocket_proxy_sites=[{**SITE, "read_timeout": "7m"}])
    assert done.returncode == 0, done.stdout + done.stderr
    assert "-        proxy_read_timeout 1h;\n+        proxy_read_timeout 7m;\n" in done.stdout
    assert tree(host) == before


@pytest.fixture
def vault(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Give a function that runs the playbook with secrets of which one comes out of a vault."""
    password = tmp_path / "password"
    password.write_text("password")

    def run(secret: str, *options: str, extra: str = "gzip on;") -> subprocess.CompletedProcess[str]:
        vaulted = [subprocess.run(["ansible-vault", "encrypt_string", "--vault-password-file", password, text],
                                  capture_output=True, text=True, check=True).stdout for text in (secret, extra)]
        headers = {"Authorization": f"Plain-{secret}", "X-Plain": f"shown-{secret[-3:]}"}
        (tmp_path / "variables.yml").write_text(
            f"websocket_proxy_upstreams: {json.dumps([UPSTREAM])}\n"
            "websocket_proxy_sites:\n  - server_names: [example.com]\n    upstream: ws_node\n"
            f"    request_headers: {json.dumps(headers)}\n    response_headers:\n      X-Vaulted: {vaulted[0]}\n"
            f"websocket_proxy_extra_config: {vaulted[1]}\n")
        return play("--limit", "newest", "--diff", "--vault-password-file", str(password),
                    "-e", f"@{tmp_path}/variables.yml", *options)

    return run


def test_differences_and_errors_show_no_secrets(
        host: Host, vault: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    try:
        told = [vault("S3cret-one"), vault("S3cret-two", "--check"), vault("S3cret-one", extra="S3cret_key on;"),
                # Which lines are not shown is known from then on, without the vault as well.
                play("--limit", "newest", "--diff", "--check")]
        shown = "".join(one.stdout + one.stderr for one in told)
        assert [one.returncode for one in told] == [0, 0, 2, 0], shown
        assert "-        proxy_set_header X-Plain shown-one;\n+        proxy_set_header X-Plain shown-two;" in shown
        assert "proxy_set_header Authorization ********;" in shown and "add_header ********" in shown
        assert "[emerg] unknown directive" in shown
        assert "S3cret" not in shown
    finally:
        play("--limit", "newest")


def test_somebody_elses_map_of_the_popular_name_changes_nothing(host: Host) -> None:
    theirs = "/etc/nginx/conf.d/theirs.conf"
    text = 'map $http_upgrade $connection_upgrade { default upgrade; "" close; }'
    host.check_output(f"printf '%s' '{text}' > {theirs}")
    try:
        done = play("--limit", "newest")
        assert done.returncode == 0, done.stdout + done.stderr
        host.check_output("systemctl reload nginx")
        answer = host.check_output(
            "curl -s -m 5 -H 'Host: example.com' -H 'Upgrade: h2c' -H 'Connection: Upgrade' http://127.0.0.1/whoami")
        assert "upgrade" not in {name.lower() for name, _value in json.loads(answer)["request"]["headers"]}
    finally:
        host.check_output(f"rm {theirs} && systemctl reload nginx")
