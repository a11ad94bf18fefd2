# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The role's step for the program that systemd and certbot call on the host."""

from __future__ import annotations

import tempfile
from typing import Any

from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.compiler import compile_settings
from ansible_collections.wsedge.nginx.plugins.plugin_utils.render.program import PROGRAM, program
from ansible_collections.wsedge.nginx.plugins.plugin_utils.role_action import RoleAction


class ActionModule(RoleAction):
    """The action that builds the program on the controller and copies it to the host."""

    _VALID_ARGS: frozenset[str] = frozenset()

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the result of ansible.builtin.copy, which replaces the file by a rename."""
        super().run(tmp, task_vars)
        with tempfile.NamedTemporaryFile() as file:
            file.write(program(compile_settings(self.variables(task_vars or {}))))
            file.flush()
            task = self._task.copy()
            task.args = {"src": file.name, "dest": PROGRAM, "owner": "root", "group": "root", "mode": "0755"}
            copy = self._shared_loader_obj.action_loader.get(
                "ansible.builtin.copy", task=task, connection=self._connection, play_context=self._play_context,
                loader=self._loader, templar=self._templar, shared_loader_obj=self._shared_loader_obj)
            result: dict[str, Any] = copy.run(task_vars=task_vars)
        return result
