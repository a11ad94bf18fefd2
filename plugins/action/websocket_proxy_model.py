# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The role's preflight: it inspects the host, checks the inventory against it, and finds the steps that are needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.compiler import InventoryError
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.host import DRAINED
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.model import Model
from ansible_collections.wsedge.nginx.plugins.plugin_utils.render.host_files import host_files
from ansible_collections.wsedge.nginx.plugins.plugin_utils.role_action import RoleAction
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.secrets import unmarked
from ansible_collections.wsedge.nginx.plugins.plugin_utils.steps import asked, needed

_ROOT = ("The role needs root on this host. Set become: true for the play or the host, or run ansible-playbook with "
         "--become. Nothing was changed")
_SYSTEMD = ("This host does not run systemd (/run/systemd/system is missing). The role starts and reloads nginx with "
            "systemd: use a host or a container that runs it. Nothing was changed")


class ActionModule(RoleAction):
    """The action that inspects the host and compiles the inventory on the controller."""

    _VALID_ARGS = frozenset(("before", "host", "drained"))

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the facts that the role's tasks need, or fail with every problem of the inventory."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        known = task_vars or {}
        host = self._task.args.get("host") or self.module("nginx_info", asked(self.variables(known)), known)
        if host.get("failed"):
            return {**result, **host}
        if "drained" in self._task.args:
            stage = self._task.args["drained"]
            host = {**host, "folders": {**host["folders"], DRAINED: [stage] if stage else []}}
        try:
            model = self.model(known, host, self._task.args.get("before", ()))
        except InventoryError as error:
            return {**result, "failed": True, "msg": "\n".join(["The inventory cannot be used:", *error.problems])}
        # Without systemd, the role can still remove its files from the host.
        reason = _ROOT if not host["root"] else _SYSTEMD if model.state == "present" and not host["systemd"] else ""
        if reason:
            return {**result, "failed": True, "msg": reason}
        return {**result, **unmarked(self._told(model, host)), "warnings": model.warnings}

    def _told(self, model: Model, host: Mapping[str, Any]) -> dict[str, Any]:
        files = host_files(model, self.renderer())
        return {
            "host": host,
            "state": model.state,
            "verify": model.verify,
            "drained": model.drained,
            "health_checks": any(one.health_check for site in model.sites for one in site.locations),
            "package": model.package,
            "repository": model.apt_repository is not None,
            "certbot": "certbot" in model.packages,
            "sites": [site.name for site in model.sites] if model.state == "present" else [],
            **asdict(needed(model, host, files)),
        }
