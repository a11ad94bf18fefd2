# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The filter that tells the module that writes the configuration what of it is secret, past the model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.secrets import marked, vaulted

DOCUMENTATION = r"""
name: websocket_proxy_secrets
short_description: Find the values of an inventory that came out of a vault
version_added: 0.1.0
author: wsedge contributors (@wsedge)
description:
  - Returns the values with C(!vault), decrypted. With ansible-core 2.19 and later, also those that are only referred
    to, such as with C({{ token }}).
  - A file that is encrypted as a whole, and a value that a secret is only a part of, are not known.
positional: _input
options:
  _input:
    description: All variables of the host whose names begin with C(websocket_proxy_), by name.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: The configuration is committed, and its secrets are not shown
  wsedge.nginx.nginx_config:
    folder: /etc/nginx/edge
    template: nginx.conf.j2
    secrets: "{{ {'websocket_proxy_sites': websocket_proxy_sites} | wsedge.nginx.websocket_proxy_secrets }}"
"""

RETURN = r"""
_value:
  description: The values.
  type: list
  elements: str
"""


def websocket_proxy_secrets(variables: Mapping[str, Any]) -> list[str]:
    """Return the texts among the VARIABLES that came out of a vault."""
    return sorted(vaulted(marked(variables)))


class FilterModule:
    """Entry point for Ansible."""

    @staticmethod
    def filters() -> dict[str, Callable[..., Any]]:
        """Return the filter of this file."""
        return {"websocket_proxy_secrets": websocket_proxy_secrets}
