#!/usr/bin/python
# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: nginx_reload
short_description: Reload nginx, and prove that the configuration on disk runs
version_added: 0.1.0
author: wsedge contributors (@wsedge)
description:
  - Tests the configuration that M(wsedge.nginx.nginx_config) committed, reloads nginx, and proves that it runs. The
    proof is that every previous worker is gone or shutting down, and that nginx reports the generation on disk on its
    private socket. nginx's own exit status does not show this.
  - If the proof fails, the module restores the running generation on disk, so that a restart uses it again, and fails
    with nginx's error lines and the remedy.
  - If nginx does not run, it is started. If it was started by hand, it gets a signal.
notes:
  - A WebSocket stays in its old worker after a reload. The result contains their number and memory.
  - The module warns if new workers could bring the host, or the control group of the service, near its memory limit.
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
  - wsedge.nginx.configuration
  - wsedge.nginx.configuration.files
attributes:
  check_mode:
    support: partial
    details: It does nothing.
  diff_mode:
    support: none
  platform:
    platforms: Debian, Ubuntu
options:
  socket:
    description: As O(wsedge.nginx.nginx_config#module:socket).
    type: str
    required: true
  reload:
    description:
      - Whether to reload nginx. V(false) only tests the configuration, and restores the running one if nginx refuses
        it.
    type: bool
    default: true
  start:
    description: Whether to start nginx if it does not run.
    type: bool
    default: true
  error_log:
    description: The error log of nginx, as in its directive C(error_log).
    type: str
    default: /var/log/nginx/error.log
  service:
    description: The systemd unit of nginx.
    type: str
    default: nginx.service
  timeout:
    description: How long the proof may take, in seconds.
    type: int
    default: 15
  allow_restart:
    description:
      - Restart nginx if a reload is not enough, such as to replace C(*:80) with one address, or to change the key of a
        C(limit_req) zone.
      - A restart drops every open WebSocket.
    type: bool
    default: false
  max_draining:
    description:
      - How many generations may still have workers with open WebSockets. When there are that many, the module refuses
        another reload, because each needs memory.
    type: int
    default: 24
"""

EXAMPLES = r"""
- name: Reload nginx
  wsedge.nginx.nginx_reload:
    folder: /etc/nginx/edge
    socket: /run/edge/nginx.sock
"""

RETURN = r"""
generation:
  description: The generation that runs, empty if the configuration on disk has none.
  type: str
  returned: success
  sample: 000004-5a1c0b9d2e7f
how:
  description: How it was loaded; V(tested) with O(reload=false).
  type: str
  returned: success
  choices: [tested, started, reloaded, restarted]
draining:
  description: Workers that only serve their open connections.
  type: list
  elements: dict
  returned: success
  contains:
    generation:
      description: The generation that they run; V(unknown) if nginx was not reloaded by this module.
      type: str
    workers:
      description: How many workers there are.
      type: int
    sockets:
      description: How many TCP connections they have; null if the host does not allow reading that.
      type: int
    memory:
      description: How many bytes of memory they use, with their part of shared memory.
      type: int
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.wsedge.nginx.plugins.module_utils.generations import Failure
from ansible_collections.wsedge.nginx.plugins.module_utils.options import CONFIGURATION
from ansible_collections.wsedge.nginx.plugins.module_utils.programs import runner
from ansible_collections.wsedge.nginx.plugins.module_utils.reloading import Reload


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **CONFIGURATION,
            "socket": {"type": "str", "required": True},
            "reload": {"type": "bool", "default": True},
            "start": {"type": "bool", "default": True},
            "error_log": {"type": "str", "default": "/var/log/nginx/error.log"},
            "service": {"type": "str", "default": "nginx.service"},
            "timeout": {"type": "int", "default": 15},
            "allow_restart": {"type": "bool", "default": False},
            "max_draining": {"type": "int", "default": 24},
        },
        supports_check_mode=True,
    )
    if module.check_mode:
        module.exit_json(changed=module.params["reload"], how="tested", generation="", draining=[])
    reload = Reload(module.params, runner(module))
    try:
        done = reload.run()
    except (Failure, OSError) as error:
        done = {"failed": True, "msg": str(error)}
    for warning in reload.warnings:
        module.warn(warning)
    if "msg" in done:
        module.fail_json(**done)
    module.exit_json(**done)


if __name__ == "__main__":
    main()
