#!/usr/bin/python
# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: websocket_proxy_drain
short_description: Wait until an edge has no open connections
version_added: 0.1.0
author: wsedge contributors (@wsedge)
description:
  - A step of the playbook C(wsedge.nginx.drain). Every five seconds, it reads which workers still have open
    connections, and shows their number by generation.
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
    details: It does not wait.
  connection:
    support: full
  delegation:
    support: full
  diff_mode:
    support: none
  platform:
    platforms: Debian, Ubuntu
options:
  timeout:
    description: How long to wait, in seconds. After that, the module fails.
    type: int
    default: 3600
  cut:
    description: Succeed after the timeout. The next steps on the host then cut the remaining connections.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Wait until the edge has no open connections
  wsedge.nginx.websocket_proxy_drain:
    timeout: 600
"""

RETURN = r"""
draining:
  description: The remaining workers, as RV(wsedge.nginx.nginx_reload#module:draining).
  type: list
  elements: dict
  returned: always
"""
