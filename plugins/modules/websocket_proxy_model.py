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
  - Asks the host with M(wsedge.nginx.nginx_info), and checks all variables whose names begin with
    C(websocket_proxy_). It fails with every problem at once, and changes nothing.
  - What can be used and is probably a mistake is shown as a warning.
  - This is a step of the role, which the other steps go by.
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
  before:
    description:
      - The names of the sites with which the role was used before in the same run, as RV(sites) returns them. A warning
        names those that this use removes.
    type: list
    elements: str
    default: []
  drained:
    description: The stage to which the edge is taken out, empty where it is taken in. Left out, the host is asked.
    type: str
  host:
    description: What M(wsedge.nginx.nginx_info) has found on the host, with which the host is not asked.
    type: dict
"""

EXAMPLES = r"""
- name: Compile the inventory
  wsedge.nginx.websocket_proxy_model:
  register: model
"""

RETURN = r"""
host:
  description: What M(wsedge.nginx.nginx_info) found on the host.
  type: dict
  returned: success
state:
  description: Whether the edge is to be V(present) or V(absent).
  type: str
  returned: success
verify:
  description: Whether WebSockets are opened after the run, as V(no), V(yes) or V(rollback).
  type: str
  returned: success
package:
  description: The Debian package that brings nginx.
  type: str
  returned: success
repository:
  description: Whether the package comes from a repository of the inventory.
  type: bool
  returned: success
certbot:
  description: Whether a site's certificate comes from a CA.
  type: bool
  returned: success
sites:
  description: The names of the sites; none where the edge is to be absent.
  type: list
  elements: str
  returned: success
install:
  description: Whether the host lacks a package, or apt does not know the right repository.
  type: bool
  returned: success
apt_files:
  description: Files of apt's that are to be written.
  type: list
  elements: dict
  returned: success
unwanted_files:
  description: Files of apt's that are to be removed.
  type: list
  elements: str
  returned: success
drained:
  description: The stage at which the edge was taken out, empty where it is in.
  type: str
  returned: success
health_checks:
  description: Whether a location is a health check.
  type: bool
  returned: success
packages:
  description: Debian packages that are to be installed besides nginx's.
  type: list
  elements: str
  returned: success
certificates:
  description: Whether there are certificates to check, to place or to remove.
  type: bool
  returned: success
program:
  description: Whether the host program is not as it has to be.
  type: bool
  returned: success
service:
  description: Whether the systemd unit is not as it has to be.
  type: bool
  returned: success
upgrade_files:
  description: Files that are to be written so that upgrades of packages exchange nginx's binary.
  type: list
  elements: dict
  returned: success
ordinary_upgrades:
  description: Whether those files are to be removed.
  type: bool
  returned: success
service_files:
  description: Files of systemd's and logrotate's that are to be written.
  type: list
  elements: dict
  returned: success
unwanted_service_files:
  description: Those that are to be removed.
  type: list
  elements: str
  returned: success
lineages:
  description: The certificates of the role that certbot keeps.
  type: list
  elements: str
  returned: success
"""
