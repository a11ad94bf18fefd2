#!/usr/bin/python
# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: websocket_proxy_verify
short_description: Open a WebSocket at each location of the role websocket_proxy
version_added: 0.1.0
author: wsedge contributors (@wsedge)
description:
  - A step of the role C(wsedge.nginx.websocket_proxy), only for use in it. Its action plugin compiles the inventory,
    and this module opens the WebSockets on the host. It changes nothing.
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
  probes:
    description: What to open, set by the action plugin.
    type: list
    elements: dict
    default: []
"""

EXAMPLES = r"""
- name: Open WebSockets through the edge
  wsedge.nginx.websocket_proxy_verify:
"""

RETURN = r"""
report:
  description: One line for each location.
  type: list
  elements: str
  returned: always
"""

from concurrent.futures import ThreadPoolExecutor

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.wsedge.nginx.plugins.module_utils.verification import tried

# At the same time; each waits for a backend most of the time.
_AT_ONCE = 16


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "probes": {"type": "list", "elements": "dict", "default": []},
        },
        supports_check_mode=True,
    )
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        outcomes = list(pool.map(tried, module.params["probes"]))
    module.exit_json(changed=False, outcomes=outcomes)


if __name__ == "__main__":
    main()
