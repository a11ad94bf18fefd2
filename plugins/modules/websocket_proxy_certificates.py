#!/usr/bin/python
# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: websocket_proxy_certificates
short_description: Check and install the certificates of the role websocket_proxy
version_added: 0.1.0
author: wsedge contributors (@wsedge)
description:
  - Compiles the inventory and runs M(wsedge.nginx.nginx_certificates) with its certificates. Private keys of the
    inventory do not become variables or arguments of a task.
  - This is a step of the role.
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
  - ansible.builtin.action_common_attributes.conn
  - ansible.builtin.action_common_attributes.flow
attributes:
  action:
    support: full
  async:
    support: none
  become:
    support: full
  bypass_host_loop:
    support: none
  check_mode:
    support: full
  connection:
    support: full
  delegation:
    support: full
  diff_mode:
    support: none
  platform:
    platforms: Debian, Ubuntu
options:
  host:
    description:
      - What M(wsedge.nginx.websocket_proxy_model) returned as
        RV(wsedge.nginx.websocket_proxy_model#module:host).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Check and install the certificates
  wsedge.nginx.websocket_proxy_certificates:
    host: "{{ model.host }}"
"""

RETURN = r"""
issue:
  description: As RV(wsedge.nginx.nginx_certificates#module:issue).
  type: list
  elements: dict
  returned: success
forgotten:
  description: As RV(wsedge.nginx.nginx_certificates#module:forgotten).
  type: list
  elements: str
  returned: success
"""
