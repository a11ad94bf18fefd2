# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The role's step for certificates, which passes certificates and keys in the inventory only to the module."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.host import LINEAGES
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.layout import CERTIFICATES_FOLDER, FOLDER
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.model import Model
from ansible_collections.wsedge.nginx.plugins.plugin_utils.role_action import RoleAction


class ActionModule(RoleAction):
    """The action that compiles the inventory on the controller and runs nginx_certificates on the host."""

    _VALID_ARGS = frozenset(("host",))

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the module's result."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        known = task_vars or {}
        found = self.module("nginx_certificates", options(self.model(known, self._task.args["host"])), known)
        # It repeats the arguments, which may contain keys, and -vvv would show it.
        found.pop("invocation", None)
        return {**result, **found}


def options(model: Model) -> dict[str, Any]:
    """Return the options of nginx_certificates for a model."""
    listed = [asdict(one) for one in model.certificates]
    contents = {path: text for one in listed for path, text in zip(
        (one["certificate"], one["certificate_key"]), one.pop("content") or (), strict=False)}
    return {"certificates": listed, "contents": contents, "folder": CERTIFICATES_FOLDER, "generations": FOLDER,
            "lineages": LINEAGES, "warn_days": model.certificate_warn_days}
