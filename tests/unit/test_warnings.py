"""What an inventory can hold and is probably not meant: the model names it, and Ansible shows it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.wsedge.nginx.plugins.plugin_utils.compiler import compile_model
from ansible_collections.wsedge.nginx.plugins.plugin_utils.host import Host

UPSTREAM = {"name": "chat", "servers": ["127.0.0.1:3000"]}
SITE = {"server_names": ["chat.example.com"], "upstream": "chat"}
PLAIN_443 = ("websocket_proxy_sites[0].listen[1]: nginx listens here without TLS, which clients expect on port 443; "
             "see the site's key tls")


def warnings(*sites: dict[str, Any], host: Host | None = None, **role: Any) -> list[str]:
    """Return the warnings of the model of some sites and other variables."""
    variables = {"upstreams": [UPSTREAM], "sites": list(sites or [SITE]), **role}
    return compile_model({f"websocket_proxy_{name}": value for name, value in variables.items()},
                         host or Host(ipv6=True)).warnings


def test_an_inventory_that_is_as_meant_has_no_warnings() -> None:
    assert warnings() == []
    assert warnings({**SITE, "tls": {"self_signed": True}, "listen": [443, {"port": 8443}]}) == []


def test_port_443_without_tls_is_warned_of_once() -> None:
    assert warnings({**SITE, "listen": [80, 443]}) == [PLAIN_443]
    assert warnings(SITE, {**SITE, "server_names": ["b"]}, site_defaults={"listen": [{"port": 443}]}) == [
        PLAIN_443.replace("sites[0].listen[1]", "site_defaults.listen[0]")]


def played(folder: Path, *options: str, **variables: Any) -> subprocess.CompletedProcess[str]:
    """Run a play that compiles twice, as the role does where it has installed nginx."""
    compiling = {"name": "Compile", "wsedge.nginx.websocket_proxy_model": {"host": {}}, "register": "model"}
    play = {"hosts": "one:two", "gather_facts": False, "vars": variables, "tasks": [
        compiling, compiling, {"name": "Show", "ansible.builtin.debug": {"msg": "{{ model.main.package }}"}}]}
    (folder / "play.json").write_text(json.dumps([play]))
    return subprocess.run(["ansible-playbook", "-i", "one,two,", *options, "play.json"], cwd=folder, text=True,
                          capture_output=True, check=False, timeout=120, env={**os.environ, "ANSIBLE_NOCOLOR": "1"})


@pytest.mark.parametrize("options", [[], ["--check"]], ids=["run", "check"])
def test_a_play_shows_a_warning_as_ansibles_own_and_goes_on(options: list[str], tmp_path: Path) -> None:
    done = played(tmp_path, *options, websocket_proxy_upstreams=[UPSTREAM],
                  websocket_proxy_sites=[{**SITE, "listen": [80, 443]}])
    assert done.returncode == 0, done.stdout + done.stderr
    told = " ".join((done.stdout + done.stderr).split())
    assert told.count(PLAIN_443) == 1
    assert f"[WARNING]: {PLAIN_443}" in told
    assert '"msg": "nginx"' in done.stdout


def test_a_play_fails_with_all_problems_of_the_inventory(tmp_path: Path) -> None:
    done = played(tmp_path, websocket_proxy_site=[], websocket_proxy_sites=[{**SITE, "listen": [80, 443]}])
    assert done.returncode == 2
    told = done.stdout + done.stderr
    assert 'The inventory cannot be used:\n' in told.replace("\\n", "\n")
    assert "websocket_proxy_site: not a variable of this role" in told
    assert "is not an upstream; there is none" in told
