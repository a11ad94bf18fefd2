# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The role's compilation of the inventory, whose problems fail a task and whose warnings are Ansible's own."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.wsedge.nginx.plugins.filter.websocket_proxy_model import websocket_proxy_model
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.compiler import PREFIX


class ActionModule(ActionBase):
    """Compiles on the controller; the host has been asked before."""

    _requires_connection = False
    _VALID_ARGS = frozenset(("host", "before"))

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the model, or fail with every problem of the inventory."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        known = task_vars or {}
        variables = {name: self._templar.template(value) for name, value in known.items() if name.startswith(PREFIX)}
        arguments = self._task.args
        model = websocket_proxy_model(variables, arguments["host"], known["groups"], known["hostvars"],
                                      arguments.get("before", ()))
        problems = model.pop("problems")
        result.update(model)
        if problems:
            result.update(failed=True, msg="\n".join(["The inventory cannot be used:", *problems]))
        return result
