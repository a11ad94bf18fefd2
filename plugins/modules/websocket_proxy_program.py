#!/usr/bin/python
# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: websocket_proxy_program
short_description: Install the host program of the role websocket_proxy
version_added: 0.1.0
author: wsedge contributors (@wsedge)
description:
  - Writes C(/usr/local/sbin/websocket_proxy_reload). Without arguments, it reloads nginx and proves that it runs, for
    certbot. C(exchange) replaces nginx's running binary after an upgrade, for dpkg and needrestart. C(clear-sockets)
    removes old unix sockets before systemd starts nginx. C(reopen-logs) makes nginx reopen rotated logs, for logrotate.
    C(certificates) reports when each certificate expires.
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
    support: full
  platform:
    platforms: Debian, Ubuntu
"""

EXAMPLES = r"""
- name: Install the host program
  wsedge.nginx.websocket_proxy_program:
"""

RETURN = r"""
dest:
  description: The path of the program.
  type: str
  returned: success
"""
