#!/usr/bin/python
# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: nginx_info
short_description: Inspect nginx on a host
version_added: 0.1.0
author: wsedge contributors (@wsedge)
description:
  - Reads the state of the Debian package of nginx, its service, and the given files, folders and packages. Reports
    whether the host can open IPv6 sockets, and from which addresses and how many ports it can connect. It changes
    nothing.
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
    description: The package that contains nginx.
    type: str
    default: nginx
  service:
    description: The systemd unit of nginx.
    type: str
    default: nginx.service
  files:
    description: Files whose checksums to return.
    type: list
    elements: str
    default: []
  addresses:
    description: IP addresses to look for on the host.
    type: list
    elements: str
    default: []
  packages:
    description: More Debian packages to look for.
    type: list
    elements: str
    default: []
  folders:
    description: Folders whose entries to return.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Find the version of nginx
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
    - The version of the package, or the one that apt would install; empty if apt knows none.
    - Distributions backport fixes, so this is the version of the package, not that of C(nginx -v).
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
  description: Whether the unit changed since systemd read it.
  type: bool
  returned: success
lists:
  description:
    - Whether apt has package lists. In small container images they are removed, and the time of their folder does not
      show that.
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
  description: The SHA-256 of each of O(files). Empty if the file does not exist, or has not owner root and mode 0644,
    or 0755 if it begins with C(#!).
  type: dict
  returned: success
ipv6:
  description: Whether the host can open a listening IPv6 socket.
  type: bool
  returned: success
addresses:
  description:
    - For each of O(addresses), whether the host can connect from it. With C(net.ipv4.ip_nonlocal_bind), addresses of
      other hosts count too.
  type: dict
  returned: success
openssl_version:
  description: The version of OpenSSL that nginx uses; empty if nginx is not installed.
  type: str
  returned: success
  sample: 3.5.4
underscores_in_headers:
  description: Whether a file in C(/etc/nginx), other than generations, switches C(underscores_in_headers) on.
  type: bool
  returned: success
listen_options:
  description:
    - The sockets whose options, such as C(ipv6only) or C(backlog), are set in C(/etc/nginx), each with the file and its
      directive. Generations and C(sites-available) are skipped.
  type: dict
  returned: success
  sample: {"[::]:443": "/etc/nginx/conf.d/shop.conf: listen [::]:443 ssl ipv6only=on"}
rotated_logs:
  description: The patterns of logs that files in C(/etc/logrotate.d) rotate, each with its file.
  type: dict
  returned: success
  sample: {"/var/log/nginx/*.log": "/etc/logrotate.d/nginx"}
packages:
  description: For each of O(packages), whether it is installed and configured.
  type: dict
  returned: success
folders:
  description: The entries of each of O(folders); none if it does not exist.
  type: dict
  returned: success
local_ports:
  description:
    - How many connections one address of the host can have to one port of another, which is the number of ports in
      C(net.ipv4.ip_local_port_range).
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
