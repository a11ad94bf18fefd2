# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The role's commit: it renders the inventory, and nginx_config commits the result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.wsedge.nginx.plugins.module_utils.generations import MARKER
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.compiler import InventoryError, compile_settings
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.layout import FOLDER, LAYOUTS
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.model import Settings
from ansible_collections.wsedge.nginx.plugins.plugin_utils.render.files import rendered
from ansible_collections.wsedge.nginx.plugins.plugin_utils.render.sending import commit
from ansible_collections.wsedge.nginx.plugins.plugin_utils.role_action import RoleAction


class ActionModule(RoleAction):
    """The action that compiles and renders the inventory on the controller and runs nginx_config on the host."""

    _VALID_ARGS = frozenset(("state", "host", "generation", "interim", "test"))

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the module's result, with the settings that the handlers need."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        known = task_vars or {}
        arguments = self._task.args
        settings: Settings
        try:
            if arguments.get("state", "present") == "present":
                settings = model = self.model(known, arguments["host"])
                main, files = rendered(model, self.renderer(), FOLDER, MARKER)
                done = commit(lambda given: self.module("nginx_config", given, known),
                              {**options(model), "replace": model.replace_nginx_conf, "references": model.references,
                               "readable": model.readable,
                               **{name: arguments[name] for name in ("interim", "test") if name in arguments}},
                              main, files, model.secrets)
            else:
                settings = compile_settings(self.variables(known))
                done = self._earlier(settings, arguments, known)
        except InventoryError as error:
            return {**result, "failed": True, "msg": "\n".join(["The inventory cannot be used:", *error.problems])}
        return {**result, **done, "settings": {
            **LAYOUTS[settings.nginx_conf].options(), "allow_restart": settings.allow_restart,
            "max_draining": settings.max_draining_generations}}

    def _earlier(self, settings: Settings, arguments: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
        """List, roll back or remove generations without compiling the sites, which may be the cause of the problem."""
        if arguments["state"] == "listed":
            where = LAYOUTS[settings.nginx_conf].options()
            return self.module("nginx_generations_info", {name: where[name] for name in ("path", "folder", "socket")},
                               known)
        return self.module("nginx_config", {
            **options(settings), "state": arguments["state"], "generation": arguments.get("generation")}, known)


def options(settings: Settings) -> dict[str, Any]:
    """Return the options of nginx_config that do not depend on what is committed."""
    layout = LAYOUTS[settings.nginx_conf]
    return {**layout.options(), "unlink": list(layout.unlink), "keep": settings.keep_generations}
