# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The filter that hands certificates of the inventory to the module that places them, past the model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.tls import contents
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.secrets import marked, unmarked

DOCUMENTATION = r"""
name: websocket_proxy_contents
short_description: Find the certificates and keys that an inventory holds itself
version_added: 0.1.0
author: wsedge contributors (@wsedge)
description:
  - Returns the texts of the keys C(certificate_content) and C(certificate_key_content) of C(tls), with private keys.
  - The model has the paths that they are placed at, and not the texts, so that it can be shown.
positional: _input
options:
  _input:
    description: The certificates of the model that P(wsedge.nginx.websocket_proxy_model#filter) has made.
    type: list
    elements: dict
    required: true
  variables:
    description: All variables of the host whose names begin with C(websocket_proxy_), by name.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: The certificates are there
  wsedge.nginx.nginx_certificates:
    certificates: "{{ model.certificates }}"
    contents: "{{ model.certificates | wsedge.nginx.websocket_proxy_contents(variables) }}"
    folder: /etc/nginx/websocket_proxy_certificates
    generations: /etc/nginx/websocket_proxy
"""

RETURN = r"""
_value:
  description: The text of each file, by the path that it is placed at.
  type: dict
"""


def websocket_proxy_contents(certificates: Sequence[Mapping[str, Any]],
                             variables: Mapping[str, Any]) -> dict[str, str]:
    """Return the texts that the VARIABLES hold of the model's CERTIFICATES, keys included, each by its path."""
    return dict(unmarked(dict(contents(certificates, marked(variables)))))


class FilterModule:
    """Entry point for Ansible."""

    @staticmethod
    def filters() -> dict[str, Callable[..., Any]]:
        """Return the filter of this file."""
        return {"websocket_proxy_contents": websocket_proxy_contents}
