#!/usr/bin/python
# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: websocket_proxy_model
short_description: Compile the variables of the role websocket_proxy for a host
version_added: 0.1.0
author: wsedge contributors (@wsedge)
description:
  - Checks all variables of the host whose names begin with C(websocket_proxy_), and fails with every problem at once.
  - What can be used and is probably not what was meant is shown as a warning.
  - This is a step of the role. It runs on the controller and changes nothing.
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
    support: none
  bypass_host_loop:
    support: none
  check_mode:
    support: full
  connection:
    support: none
  delegation:
    support: none
  diff_mode:
    support: none
  platform:
    platforms: all
options:
  host:
    description: What M(wsedge.nginx.nginx_info) has found on the host.
    type: dict
    required: true
  before:
    description:
      - The names of the sites with which the role was used before in the same run, as RV(sites) tells them. Those that
        this use would take away are named in a warning.
    type: list
    elements: str
    default: []
seealso:
  - plugin: wsedge.nginx.websocket_proxy_model
    plugin_type: filter
    description: Compiles variables that a playbook gives it, and returns what the role's steps see.
"""

EXAMPLES = r"""
- name: The host is asked
  wsedge.nginx.nginx_info:
  register: host

- name: The inventory is compiled
  wsedge.nginx.websocket_proxy_model:
    host: "{{ host }}"
  register: model
"""

RETURN = r"""
main:
  description: What the template of C(nginx.conf) sees.
  type: dict
  returned: success
files:
  description: The other files, as O(wsedge.nginx.nginx_config#module:files) takes them.
  type: list
  elements: dict
  returned: success
sites:
  description: The names of the sites; none where the edge is to be absent.
  type: list
  elements: str
  returned: success
certificates:
  description: The certificates of the sites, as M(wsedge.nginx.nginx_certificates) takes them.
  type: list
  elements: dict
  returned: success
references:
  description: The files on the host that nginx reads with its configuration.
  type: list
  elements: str
  returned: success
packages:
  description: The Debian packages that the host needs beside nginx's.
  type: list
  elements: str
  returned: success
"""
