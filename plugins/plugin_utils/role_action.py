# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The base of the action plugins for the role's steps. Each compiles the play's own variables on the controller.

Inventories may be large. So the model never becomes a variable of Ansible: each step that needs it compiles it again.
That takes a fraction of the time.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.compiler import PREFIX, compile_model
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.host import Host
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.model import Model
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.upstreams import Inventory
from ansible_collections.wsedge.nginx.plugins.plugin_utils.render.rendering import Renderer
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.secrets import unmarked

TEMPLATES = Path(__file__).parents[2] / "roles/websocket_proxy/templates"


class RoleAction(ActionBase):
    """A step of the role."""

    def variables(self, task_vars: Mapping[str, Any]) -> dict[str, Any]:
        """Return the role's variables with their templates evaluated."""
        return {name: self._templar.template(value) for name, value in task_vars.items() if name.startswith(PREFIX)}

    def model(self, task_vars: Mapping[str, Any], host: Mapping[str, Any], before: Collection[str] = ()) -> Model:
        """Return the model for a HOST as nginx_info describes it; BEFORE are the sites of previous uses of the role.

        :raises InventoryError: with every problem found
        """
        return compile_model(self.variables(task_vars), Host.of(host),
                             Inventory(task_vars["groups"], task_vars["hostvars"]), before)

    @staticmethod
    def renderer() -> Renderer:
        """Return a renderer of the role's templates."""
        return Renderer([str(TEMPLATES)])

    def module(self, name: str, arguments: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        """Run a module of the collection on the host.

        Modules usually write their arguments to the host's journal, which not only root can read. This module does not.
        """
        result: dict[str, Any] = self._execute_module(
            module_name=f"wsedge.nginx.{name}", module_args=unmarked(arguments),
            task_vars={**task_vars, "ansible_no_target_syslog": True})
        return result
