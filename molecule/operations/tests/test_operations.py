"""Operations on an edge that owns its nginx.conf: two uses of the role, rollback, check mode, and removal."""

from __future__ import annotations

from typing import Any

import pytest
from testinfra.host import Host

from tests.support.scenario import GENERATION, changes, host, played

POLICY = "/usr/sbin/policy-rc.d"
UPGRADES = [POLICY, "/etc/dpkg/dpkg.cfg.d/websocket_proxy", "/etc/needrestart/restart.d/nginx.service"]
OWNED = ("--limit", "owned")


def named(host: Host) -> str:
    """Return the server names of the running generation, from its file on disk."""
    folder = f"/etc/nginx/websocket_proxy/{host.check_output(GENERATION)}"
    return host.check_output(f"cat {folder}/site-*.conf | sed -n 's/ *server_name //p'")


def served(name: str) -> dict[str, Any]:
    """Return variables with one site of that name."""
    return {"websocket_proxy_sites": [{"server_names": [name], "upstream": "ws_node"}]}


@pytest.fixture(name="host")
def host_() -> Host:
    """Return the host as the inventory configures it; most tests restore that state themselves."""
    owned = host("owned")
    if named(owned) != "example.com;":
        played(*OWNED)
    return owned


def test_a_second_use_of_the_role_in_a_play_replaces_the_first_and_a_rollback_goes_to_the_named_generation(
        host: Host) -> None:
    before = host.check_output(GENERATION)
    output = played(*OWNED, playbook="twice.yml")
    assert named(host) == "second.example.com;"
    assert output.count("RUNNING HANDLER [wsedge.nginx.websocket_proxy : Reload nginx of the edge]") == 2
    played(*OWNED, playbook="wsedge.nginx.rollback", generation=before)
    assert named(host) == "example.com;"


def test_a_check_shows_what_the_run_then_does_and_a_rollback_puts_the_configuration_before_in_force(host: Host) -> None:
    shown = []
    for options in (["--check"], []):
        output = played(*OWNED, "--diff", *options, **served("other.example.com"))
        shown.append([line for line in output.splitlines() if line[:1] in "+-@" and line.strip()])
    assert shown[0] == shown[1]
    assert "+    server_name other.example.com;" in shown[0]
    assert named(host) == "other.example.com;"
    listed = played(*OWNED, playbook="wsedge.nginx.rollback", list=True)
    assert host.check_output(GENERATION) in listed
    played(*OWNED, playbook="wsedge.nginx.rollback")
    assert named(host) == "example.com;"
    assert changes(played(*OWNED)) == {"owned": 0}


def test_upgrades_are_seamless_unless_they_are_switched_off(host: Host) -> None:
    asked = f"{POLICY} --quiet nginx restart"
    assert all(host.file(path).exists for path in UPGRADES) and host.run(asked).rc == 101
    host.check_output(f"printf '#!/bin/sh\\nexit 104\\n' > {POLICY}.new; chmod 755 {POLICY}.new; "
                      f"mv {POLICY}.new {POLICY}.before_websocket_proxy")
    assert (host.run(asked).rc, host.run(f"{POLICY} cron restart").rc) == (101, 104)
    off = {"websocket_proxy_seamless_upgrades": False}
    assert changes(played(*OWNED, **off)) != {"owned": 0}
    assert host.run(asked).rc == 104 and not any(host.file(path).exists for path in UPGRADES[1:])
    assert changes(played(*OWNED, **off)) == {"owned": 0}
    assert changes(played(*OWNED)) != {"owned": 0}
    assert (host.run(asked).rc, host.run(f"{POLICY} cron restart").rc) == (101, 104)
    host.check_output(f"rm {POLICY}.before_websocket_proxy")


def test_removal_leaves_the_host_as_the_package_made_it_and_the_edge_can_come_back(host: Host) -> None:
    assert changes(played(*OWNED, websocket_proxy_state="absent")) != {"owned": 0}
    assert not any(host.file(path).exists for path in UPGRADES)
    assert host.check_output("dpkg --verify nginx-common nginx") == ""
    assert host.check_output("dpkg-divert --list '*nginx*'") == ""
    assert host.check_output("readlink /etc/nginx/sites-enabled/default") == "/etc/nginx/sites-available/default"
    # The lock file stays until the next boot, because another run may be waiting for it.
    assert host.check_output("find /etc /run /usr /var -name '*websocket_proxy*'") == "/run/websocket_proxy.lock"
    packaged = "dpkg -L nginx-common | sed -n 's|^/etc/nginx/\\([^/]*\\)$|\\1|p' | sort"
    assert host.check_output("ls /etc/nginx") == host.check_output(packaged)
    assert host.service("nginx").is_running
    assert "Welcome to nginx" in host.check_output("curl -s http://127.0.0.1/")
    assert changes(played(*OWNED, websocket_proxy_state="absent")) == {"owned": 0}
    played(*OWNED)
    assert named(host) == "example.com;"
