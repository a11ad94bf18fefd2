"""Inventories with values from a vault, as Ansible itself passes them on.

The compatibility run also runs these tests with the oldest ansible-core.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible.parsing.vault import VaultLib, VaultSecret

from tests.support.compiling import FACTS
from tests.support.playing import play

PLAY = f"""
- hosts: localhost
  gather_facts: false
  vars_files: [variables.yml]
  tasks:
    - wsedge.nginx.websocket_proxy_model:
        host: {json.dumps(FACTS)}
      register: model
      ignore_errors: true
    - ansible.builtin.debug:
        var: model
"""
SITE = """
websocket_proxy_upstreams: [{{name: chat, servers: ["10.0.0.1:3000"]}}]
websocket_proxy_sites:
  - server_names: [!unsafe chat.example.com]
    upstream: chat
    listen: [{listen}]
    request_headers: {{X-Token: {header}, X-Raw: !unsafe "{{{{ raw }}}}"}}
websocket_proxy_extra_config: {extra}
"""


def from_a_vault(text: str) -> str:
    """Return TEXT as an encrypted YAML value."""
    secret = VaultLib([("default", VaultSecret(b"password"))]).encrypt(text)
    return '!vault "' + secret.decode().replace("\n", "\\n") + '"'


def told(folder: Path, listen: str = "8080", header: str = "S3cret", extra: str = "gzip on;") -> str:
    """Return the output of a playbook that compiles an inventory with values from a vault."""
    (folder / "password").write_text("password")
    (folder / "play.yml").write_text(PLAY)
    (folder / "variables.yml").write_text(SITE.format(
        listen=from_a_vault(listen), header=from_a_vault(header), extra=from_a_vault(extra)))
    done = play(folder, "--vault-password-file", "password", "play.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_values_from_a_vault_are_taken(tmp_path: Path) -> None:
    assert '"failed": false' in told(tmp_path)


@pytest.mark.parametrize("values", [{"header": "S3cret\u0001"}, {"listen": "S3cret"}, {"extra": "S3cret {"}],
                         ids=lambda values: next(iter(values)))
def test_an_error_shows_nothing_that_came_out_of_a_vault(tmp_path: Path, values: dict[str, str]) -> None:
    text = told(tmp_path, **values)
    assert "S3cret" not in text
    assert "The inventory cannot be used" in text
