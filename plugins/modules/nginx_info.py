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
    with mode 0644 or 0755.
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

import contextlib
import glob
import hashlib
import os
import re
import socket
import stat

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.wsedge.nginx.plugins.module_utils.programs import Run, runner


def output(run: Run, *command: str) -> str:
    """Return what a command prints; nothing where it fails."""
    done = run(*command)
    return done.output if done.code == 0 else ""


def openssl_version(run: Run) -> str:
    """Return the version of the OpenSSL that nginx runs with; nginx tells it where it is not what it was built with."""
    found = re.search(r"built with OpenSSL (\S+).*?(?:\(running with OpenSSL (\S+)|$)",
                      run("/usr/sbin/nginx", "-V").errors.replace("\n", " "))
    return (found[2] or found[1]) if found else ""


def installed(run: Run, packages: list[str]) -> dict[str, bool]:
    """Return for each package whether it is installed; dpkg-query fails where it does not know one."""
    told = run("dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", "--", *packages).output
    return {package: f"{package} installed" in told.splitlines() for package in packages}


def entries(folder: str) -> list[str]:
    """Return the names of what is in a folder, none where there is no folder."""
    return sorted(os.listdir(folder)) if os.path.isdir(folder) else []


def takes_underscores(folder: str) -> bool:
    """Tell whether a configuration file in a folder, generations apart, may have nginx take underscores in headers."""
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if (parent, name) != (folder, "websocket_proxy")]
        for path in filter(os.path.isfile, (os.path.join(parent, name) for name in files)):
            with contextlib.suppress(OSError), open(path, "rb") as file:
                if re.search(rb"(?m)^[^#\n]*\bunderscores_in_headers\s+[\"']?on\b", file.read()):
                    return True
    return False


def sha256(path: str) -> str:
    """Return the checksum of a regular file of root's with mode 0644 or 0755, and nothing for any other."""
    try:
        found = os.lstat(path)
        if not stat.S_ISREG(found.st_mode) or stat.S_IMODE(found.st_mode) not in (0o644, 0o755) \
                or (found.st_uid, found.st_gid) != (0, 0):
            return ""
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except OSError:
        return ""


def can_open_ipv6() -> bool:
    """Tell whether a socket like that of nginx's C(listen [::]:80) can be opened."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            probe.bind(("::", 0))
            probe.listen(1)
    except OSError:
        return False
    return True


def has_address(address: str) -> bool:
    """Tell whether a connection can be opened from an IP address."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.bind((address.strip("[]"), 0))
    except (OSError, UnicodeError):
        return False
    return True


def local_ports() -> int:
    """Return how many ports the kernel chooses from for a connection."""
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
        first, last = (int(port) for port in file.read().split())
    return last - first + 1


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
    run = runner(module)
    package, service = module.params["package"], module.params["service"]
    module.get_bin_path("apt-get", required=True)
    status, _space, version = output(
        run, "dpkg-query", "-W", "-f", "${db:Status-Status} ${Version}", "--", package).partition(" ")
    is_installed = status == "installed"
    if not is_installed:
        candidate = re.search(r"Candidate: (\S+)", output(run, "apt-cache", "policy", "--", package))
        version = "" if not candidate or candidate[1] == "(none)" else candidate[1]
    module.exit_json(
        changed=False, installed=is_installed, version=version, openssl_version=openssl_version(run),
        packages=installed(run, module.params["packages"]) if module.params["packages"] else {},
        folders={folder: entries(folder) for folder in module.params["folders"]}, ipv6=can_open_ipv6(),
        local_ports=local_ports(), addresses={address: has_address(address) for address in module.params["addresses"]},
        lists=bool(glob.glob("/var/lib/apt/lists/*Packages*")), root=os.geteuid() == 0,
        # sd_booted(3)
        systemd=os.path.isdir("/run/systemd/system"),
        enabled=output(run, "systemctl", "is-enabled", service).strip() == "enabled",
        underscores_in_headers=takes_underscores("/etc/nginx"),
        active=output(run, "systemctl", "is-active", service).strip() == "active",
        stale=output(run, "systemctl", "show", "--property=NeedDaemonReload", service).strip()
        == "NeedDaemonReload=yes",
        files={path: sha256(path) for path in module.params["files"]})


if __name__ == "__main__":
    main()
