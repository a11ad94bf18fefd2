#!/usr/bin/python
# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: websocket_proxy_config
short_description: Render, test and commit the configuration of the role websocket_proxy
version_added: 0.1.0
author: wsedge contributors (@wsedge)
description:
  - Compiles the inventory, renders its files, and runs M(wsedge.nginx.nginx_config) with them.
  - This is a step of the role. A handler reloads nginx.
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
options:
  state:
    description:
      - V(present) commits the configuration of the inventory.
      - V(rolled_back) and V(absent) are as in O(wsedge.nginx.nginx_config#module:state). V(listed) only lists the
        generations. These three ignore upstreams and sites, so they work even if those have errors.
    type: str
    choices: [present, rolled_back, absent, listed]
    default: present
  host:
    description:
      - Required with O(state=present).
      - What M(wsedge.nginx.websocket_proxy_model) returned as
        RV(wsedge.nginx.websocket_proxy_model#module:host).
    type: dict
  generation:
    description: As O(wsedge.nginx.nginx_config#module:generation).
    type: str
  interim:
    description: As O(wsedge.nginx.nginx_config#module:interim).
    type: bool
    default: false
  test:
    description: As O(wsedge.nginx.nginx_config#module:test).
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Commit the configuration
  wsedge.nginx.websocket_proxy_config:
    host: "{{ model.host }}"
  register: commit
  notify: Reload nginx

- name: Go back to the previous configuration
  wsedge.nginx.websocket_proxy_config:
    state: rolled_back
  register: commit
  notify: Reload nginx
"""

RETURN = r"""
generation:
  description: As RV(wsedge.nginx.nginx_config#module:generation).
  type: str
  returned: success
reload:
  description: As RV(wsedge.nginx.nginx_config#module:reload).
  type: bool
  returned: success
interim:
  description: As RV(wsedge.nginx.nginx_config#module:interim).
  type: bool
  returned: success
earlier_generation:
  description: As RV(wsedge.nginx.nginx_config#module:earlier_generation).
  type: str
  returned: success
generations:
  description: As RV(wsedge.nginx.nginx_generations_info#module:generations).
  type: list
  elements: dict
  returned: with O(state=listed)
settings:
  description: The options of M(wsedge.nginx.nginx_reload) for this configuration.
  type: dict
  returned: always
"""
