"""The edge among others on its host, and what is done to it: rolled back, used twice, removed."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from testinfra.host import Host

testinfra_hosts = ["ansible://owned"]

INVENTORY = str(Path(os.environ["MOLECULE_INVENTORY_FILE"]).parent)
SCENARIO = Path(__file__).parents[1]
GENERATION = "curl -s --unix-socket /run/websocket_proxy/nginx.sock http://edge/generation"


def play(playbook: str, **variables: Any) -> str:
    """Run a playbook on the host that owns its nginx.conf; return its output."""
    command = ["ansible-playbook", "-i", INVENTORY, playbook, "--limit", "owned",
               "-e", json.dumps(variables)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, cwd=SCENARIO,
                          env={**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0"})
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def named(host: Host) -> str:
    """Return the server names that the running generation has, from its file on disk."""
    folder = f"/etc/nginx/websocket_proxy/{host.check_output(GENERATION)}"
    return host.check_output(f"cat {folder}/site-*.conf | sed -n 's/ *server_name //p'")


@pytest.fixture(autouse=True)
def _the_inventorys_edge(host: Host) -> None:
    """Begin each test with what the inventory says."""
    play("wsedge.nginx.site")


def test_a_second_use_of_the_role_in_a_play_replaces_the_first(host: Host) -> None:
    output = play("twice.yml")
    assert named(host) == "second.example.com;"
    assert output.count("RUNNING HANDLER [wsedge.nginx.websocket_proxy : Reload nginx of the edge]") == 2


def test_a_rollback_puts_the_configuration_before_the_last_in_force(host: Host) -> None:
    play("wsedge.nginx.site", websocket_proxy_sites=[{"server_names": ["new.example.com"], "upstream": "ws_node"}])
    assert named(host) == "new.example.com;"
    listed = play("wsedge.nginx.rollback", list=True)
    assert host.check_output(GENERATION) in listed
    play("wsedge.nginx.rollback")
    assert named(host) == "example.com;"
    assert "changed=0" in play("wsedge.nginx.site")


def test_a_rollback_goes_to_the_generation_that_is_named(host: Host) -> None:
    first = host.check_output(GENERATION)
    for name in ("one.example.com", "two.example.com"):
        play("wsedge.nginx.site", websocket_proxy_sites=[{"server_names": [name], "upstream": "ws_node"}])
    play("wsedge.nginx.rollback", generation=first)
    assert named(host) == "example.com;"


def test_a_check_shows_what_the_run_then_does(host: Host) -> None:
    variables = {"websocket_proxy_sites": [{"server_names": ["other.example.com"], "upstream": "ws_node"}]}
    command = ["ansible-playbook", "-i", INVENTORY, "wsedge.nginx.site", "--limit", "owned",
               "--diff", "-e", json.dumps(variables)]
    shown = []
    for options in (["--check"], []):
        done = subprocess.run([*command, *options], capture_output=True, text=True, check=True, timeout=300,
                              env={**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0"})
        shown.append([line for line in done.stdout.splitlines() if line[:1] in "+-@" and line.strip()])
    assert shown[0] == shown[1]
    assert "+    server_name other.example.com;" in shown[0]


def test_removal_leaves_the_host_as_the_package_made_it_and_the_edge_can_come_back(host: Host) -> None:
    assert "changed=0" not in play("wsedge.nginx.site", websocket_proxy_state="absent")
    assert host.check_output("dpkg --verify nginx-common nginx") == ""
    assert host.check_output("dpkg-divert --list '*nginx*'") == ""
    assert host.check_output("readlink /etc/nginx/sites-enabled/default") == "/etc/nginx/sites-available/default"
    assert host.check_output("find /etc /run /usr /var -name '*websocket_proxy*'") == ""
    packaged = "dpkg -L nginx-common | sed -n 's|^/etc/nginx/\\([^/]*\\)$|\\1|p' | sort"
    assert host.check_output("ls /etc/nginx") == host.check_output(packaged)
    assert host.service("nginx").is_running
    assert "Welcome to nginx" in host.check_output("curl -s http://127.0.0.1/")
    assert "changed=0" in play("wsedge.nginx.site", websocket_proxy_state="absent")
