#!/usr/bin/python
# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: nginx_info
short_description: Tell what a host has, or would get, as nginx
version_added: 0.1.0
author: wsedge contributors (@wsedge)
description:
  - Reads the state of a Debian package of nginx, of its service, of given files, folders and further packages, whether
    IPv6 sockets can be opened, and from which addresses and how many ports connections can be. It changes nothing.
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  platform:
    platforms: Debian, Ubuntu
options:
  package:
    description: The package that brings nginx.
    type: str
    default: nginx
  service:
    description: The systemd unit of nginx.
    type: str
    default: nginx.service
  files:
    description: Files whose checksums are wanted.
    type: list
    elements: str
    default: []
  addresses:
    description: IP addresses of which it is wanted whether the host has them.
    type: list
    elements: str
    default: []
  packages:
    description: Further Debian packages of which it is wanted whether they are installed.
    type: list
    elements: str
    default: []
  folders:
    description: Folders whose entries are wanted.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: The version of nginx is known
  wsedge.nginx.nginx_info:
  register: nginx
"""

RETURN = r"""
installed:
  description: Whether the package is installed and configured.
  type: bool
  returned: success
version:
  description:
    - The package's version, or the one that apt would install; empty when apt knows none.
    - Distributions backport fixes, so this is the package's version and not what C(nginx -v) says.
  type: str
  returned: success
  sample: 1.26.3-3+deb13u1
enabled:
  description: Whether the service starts at boot.
  type: bool
  returned: success
active:
  description: Whether the service runs.
  type: bool
  returned: success
stale:
  description: Whether systemd has not read the unit since it was changed.
  type: bool
  returned: success
lists:
  description:
    - Whether apt has lists of packages. Where they were removed, as in small container images, their folder is as young
      as after an update.
  type: bool
  returned: success
root:
  description: Whether the module ran as root.
  type: bool
  returned: success
systemd:
  description: Whether the host was booted with systemd.
  type: bool
  returned: success
files:
  description: The SHA-256 of each of O(files); empty for one that is not there, or is not root's
    with mode 0644, or 0755 where it begins with C(#!).
  type: dict
  returned: success
ipv6:
  description: Whether the host can open a listening IPv6 socket.
  type: bool
  returned: success
addresses:
  description:
    - For each of O(addresses) whether a connection can be opened from it. An address of another host counts where
      C(net.ipv4.ip_nonlocal_bind) allows it.
  type: dict
  returned: success
openssl_version:
  description: The version of OpenSSL that nginx runs with, empty where nginx is not installed.
  type: str
  returned: success
  sample: 3.5.4
underscores_in_headers:
  description: Whether a file in C(/etc/nginx) sets C(underscores_in_headers) on; generations are not looked at.
  type: bool
  returned: success
listen_options:
  description:
    - The sockets to which a file in C(/etc/nginx) gives options such as C(ipv6only) or C(backlog), each with the file
      and its directive. Generations and C(sites-available) are not looked at.
  type: dict
  returned: success
  sample: {"[::]:443": "/etc/nginx/conf.d/shop.conf: listen [::]:443 ssl ipv6only=on"}
rotated_logs:
  description: The patterns of logs that files in C(/etc/logrotate.d) rotate, each with its file.
  type: dict
  returned: success
  sample: {"/var/log/nginx/*.log": "/etc/logrotate.d/nginx"}
packages:
  description: For each of O(packages) whether it is installed and configured.
  type: dict
  returned: success
folders:
  description: The names of what is in each of O(folders); none for one that is not there.
  type: dict
  returned: success
local_ports:
  description:
    - How many connections one address of the host can have open to one port of another, which is the number of ports
      in C(net.ipv4.ip_local_port_range).
  type: int
  returned: success
  sample: 28232
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.wsedge.nginx.plugins.module_utils.inspection import inspect
from ansible_collections.wsedge.nginx.plugins.module_utils.programs import runner


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "package": {"type": "str", "default": "nginx"},
            "service": {"type": "str", "default": "nginx.service"},
            "files": {"type": "list", "elements": "str", "default": []},
            "addresses": {"type": "list", "elements": "str", "default": []},
            "packages": {"type": "list", "elements": "str", "default": []},
            "folders": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    module.get_bin_path("apt-get", required=True)
    module.exit_json(changed=False, **inspect(module.params, runner(module)))


if __name__ == "__main__":
    main()
