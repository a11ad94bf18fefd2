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
  - Inspects the host with M(wsedge.nginx.nginx_info), and checks all variables whose names begin with
    C(websocket_proxy_). It reports all errors at once, and changes nothing.
  - Values that are allowed but probably not intended are warnings.
  - This is a step of the role; the other steps use its result.
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
      - The sites of an earlier use of the role in the same play, from RV(sites). A warning names those that this use
        removes.
    type: list
    elements: str
    default: []
  drained:
    description: The stage to which the edge is drained; empty to put it back into service. By default, the stage on the
      host.
    type: str
  host:
    description: What M(wsedge.nginx.nginx_info) found on the host. With this, the host is not inspected again.
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
  description: The Debian package that contains nginx.
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
  description: The names of the sites; none with V(absent).
  type: list
  elements: str
  returned: success
install:
  description: Whether the host lacks a package, or apt does not know the right repository.
  type: bool
  returned: success
apt_files:
  description: Files of apt to write.
  type: list
  elements: dict
  returned: success
unwanted_files:
  description: Files of apt to remove.
  type: list
  elements: str
  returned: success
drained:
  description: The stage to which the edge is drained; empty if it is in service.
  type: str
  returned: success
health_checks:
  description: Whether a location is a health check.
  type: bool
  returned: success
packages:
  description: Debian packages to install besides nginx.
  type: list
  elements: str
  returned: success
certificates:
  description: Whether there are certificates to check, install or remove.
  type: bool
  returned: success
program:
  description: Whether the host program has to be installed.
  type: bool
  returned: success
service:
  description: Whether the systemd unit has to be changed.
  type: bool
  returned: success
upgrade_files:
  description: Files to write for seamless upgrades of packages.
  type: list
  elements: dict
  returned: success
ordinary_upgrades:
  description: Whether to remove those files.
  type: bool
  returned: success
service_files:
  description: Files of systemd and logrotate to write.
  type: list
  elements: dict
  returned: success
unwanted_service_files:
  description: Files of systemd and logrotate to remove.
  type: list
  elements: str
  returned: success
lineages:
  description: The certificates of the role that certbot keeps.
  type: list
  elements: str
  returned: success
"""
