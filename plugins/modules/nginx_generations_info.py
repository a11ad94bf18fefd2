#!/usr/bin/python
# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: nginx_generations_info
short_description: List the generations of a configuration that are kept
version_added: 0.1.0
author: wsedge contributors (@wsedge)
description:
  - Tells what M(wsedge.nginx.nginx_config) can go back to. It changes nothing.
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
  path:
    description: As O(wsedge.nginx.nginx_config#module:path).
    type: str
    default: /etc/nginx/nginx.conf
  folder:
    description: As O(wsedge.nginx.nginx_config#module:folder).
    type: str
    required: true
  socket:
    description: As O(wsedge.nginx.nginx_config#module:socket).
    type: str
"""

EXAMPLES = r"""
- name: The generations are known
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
      description: Whether it is the one that nginx answers with on O(socket).
      type: bool
    interim:
      description: Whether it was only a step to the next.
      type: bool
    different:
      description: The files in which it differs from the one on disk.
      type: list
      elements: str
"""

import os
import time

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.wsedge.nginx.plugins.module_utils.generations import Generations
from ansible_collections.wsedge.nginx.plugins.module_utils.running import running_generation


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "str", "default": "/etc/nginx/nginx.conf"},
            "folder": {"type": "str", "required": True},
            "socket": {"type": "str"},
        },
        supports_check_mode=True,
    )
    generations = Generations(module.params["path"], module.params["folder"])
    running = running_generation(module.params["socket"]) if module.params["socket"] else None
    current = generations.current()
    here = generations.plain_texts(current) if current else {}
    listed = []
    for name in reversed(generations.all()):
        texts = generations.plain_texts(name)
        listed.append({
            "generation": name,
            "age": int(time.time() - os.stat(generations.path(name)).st_mtime),
            "on_disk": name == current,
            "running": name == running,
            "interim": generations.interim(name),
            "different": sorted(file for file in set(texts) | set(here) if texts.get(file) != here.get(file)),
        })
    module.exit_json(changed=False, generations=listed)


if __name__ == "__main__":
    main()
