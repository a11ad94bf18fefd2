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
  - Tests the configuration that M(wsedge.nginx.nginx_config) committed, reloads nginx, and waits for the proof that it
    runs. The proof is that every worker of before is gone or shutting down, and that nginx answers on its private
    socket with the generation on disk. nginx's own exit status tells nothing of the kind.
  - When the proof does not come, the generation that runs is put back on disk, so that a restart brings it up again,
    and the module fails with nginx's own error lines and the remedy.
  - nginx that does not run is started, nginx that was started by hand is signalled.
notes:
  - A WebSocket lives on in its old worker after a reload; the result tells how many do, and what memory that takes.
  - The module warns before new workers could bring the host, or the service's control group, near its memory limit.
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
  - wsedge.nginx.configuration
  - wsedge.nginx.configuration.place
attributes:
  check_mode:
    support: partial
    details: Nothing is tested, and nothing is done.
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
      - Whether nginx is reloaded. V(false) only tests the configuration, and puts back what runs when it is refused.
    type: bool
    default: true
  start:
    description: Whether nginx is started where it does not run.
    type: bool
    default: true
  error_log:
    description: The error log of nginx, as its C(error_log) directive names it.
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
      - Restart nginx where a reload cannot do what is wanted and a restart can, such as to narrow C(*:80) to one
        address, or to change the key of a C(limit_req) zone.
      - A restart drops every open WebSocket.
    type: bool
    default: false
  max_draining:
    description:
      - How many generations may still have workers that live on for their last WebSockets; with that many, nginx is not
        reloaded once more, because each keeps its memory.
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
  description: The generation that runs now, empty when the configuration on disk has none.
  type: str
  returned: success
  sample: 000004-5a1c0b9d2e7f
how:
  description: What brought it into force; V(tested) with O(reload=false).
  type: str
  returned: success
  choices: [tested, started, reloaded, restarted]
draining:
  description: Workers that live on for their last connections.
  type: list
  elements: dict
  returned: success
  contains:
    generation:
      description: The generation that they run; V(unknown) where it was not this module that reloaded nginx.
      type: str
    workers:
      description: How many workers there are.
      type: int
    sockets:
      description: How many TCP connections they hold; null where the host does not let that be read.
      type: int
    memory:
      description: How many bytes they take, of what they share their part.
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
