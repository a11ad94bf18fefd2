#!/usr/bin/python
# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: nginx_generations_info
short_description: List the generations of a configuration, and draining workers
version_added: 0.1.0
author: wsedge contributors (@wsedge)
description:
  - Lists the generations that M(wsedge.nginx.nginx_config) can go back to, and the workers of earlier generations that
    still have open connections. It changes nothing.
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
  - wsedge.nginx.configuration.files
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  platform:
    platforms: Debian, Ubuntu
options:
  socket:
    description: As O(wsedge.nginx.nginx_config#module:socket).
    type: str
  pid_file:
    description: The pid file of nginx, as in its directive C(pid).
    type: str
    default: /run/nginx.pid
"""

EXAMPLES = r"""
- name: List the generations
  wsedge.nginx.nginx_generations_info:
    folder: /etc/nginx/edge
  register: kept
"""

RETURN = r"""
generations:
  description: The generations, newest first.
  type: list
  elements: dict
  returned: success
  contains:
    generation:
      description: Its name.
      type: str
    age:
      description: How long ago it was written, in seconds.
      type: int
    on_disk:
      description: Whether it is the one on disk.
      type: bool
    running:
      description: Whether it is the one that nginx reports on O(socket).
      type: bool
    interim:
      description: Whether it is interim.
      type: bool
    different:
      description: The files in which it differs from the one on disk.
      type: list
      elements: str
draining:
  description: As RV(wsedge.nginx.nginx_reload#module:draining); empty without O(socket).
  type: list
  elements: dict
  returned: success
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.wsedge.nginx.plugins.module_utils.draining import Draining
from ansible_collections.wsedge.nginx.plugins.module_utils.generations import Generations
from ansible_collections.wsedge.nginx.plugins.module_utils.options import FILES
from ansible_collections.wsedge.nginx.plugins.module_utils.processes import running_generation


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **FILES,
            "socket": {"type": "str"},
            "pid_file": {"type": "str", "default": "/run/nginx.pid"},
        },
        supports_check_mode=True,
    )
    socket = module.params["socket"]
    generations = Generations(module.params["path"], module.params["folder"])
    module.exit_json(changed=False, generations=generations.listed(running_generation(socket) if socket else None),
                     draining=Draining(socket, module.params["pid_file"]).listed() if socket else [])


if __name__ == "__main__":
    main()
