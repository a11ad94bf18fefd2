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
  - Writes C(/usr/local/sbin/websocket_proxy_reload). Without arguments it reloads nginx and proves that it runs, for
    certbot; with C(exchange) it exchanges nginx's binary after an upgrade, for dpkg and needrestart; with
    C(clear-sockets) it removes unix sockets that nginx has left behind, before systemd starts it; with C(reopen-logs)
    it has nginx open rotated logs anew, for logrotate; with C(certificates) it tells when each certificate expires.
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
