# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The role's last step, on demand: it opens WebSockets through the edge, as clients do."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import Any

from ansible_collections.wsedge.nginx.plugins.module_utils.verification import FAILED, LEFT_OUT, OPEN, PAGE
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.compiler import InventoryError
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.probes import probes
from ansible_collections.wsedge.nginx.plugins.plugin_utils.role_action import RoleAction
from ansible_collections.wsedge.nginx.plugins.plugin_utils.steps import asked

_NONE_OPEN = ("No WebSocket was opened: no location is known to accept one. Add the key probe to a location, such as "
              "probe: {path: /socket}, or websocket_only: true. probe: false skips a location")


class ActionModule(RoleAction):
    """The action that compiles the probes on the controller and runs them on the host."""

    _VALID_ARGS = frozenset()

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return a report, or fail with it."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        known = task_vars or {}
        # Inspect the host again: a CA may have issued a certificate since the preflight.
        host = self.module("nginx_info", asked(self.variables(known)), known)
        if host.get("failed"):
            return {**result, **host}
        try:
            model = self.model(known, host)
        except InventoryError as error:
            return {**result, "failed": True, "msg": "\n".join(["The inventory cannot be used:", *error.problems])}
        done = self.module("websocket_proxy_verify", {"probes": [asdict(one) for one in probes(model)]}, known)
        return {**result, **(done if done.get("failed") else judged(done["outcomes"]))}


def judged(outcomes: list[dict[str, str]]) -> dict[str, Any]:
    """Return the result of the task for the OUTCOMES of all probes."""
    count = Counter(one["outcome"] for one in outcomes)
    report = [one["line"] for one in outcomes]
    kinds = [kind for kind in (OPEN, PAGE, FAILED, LEFT_OUT) if count[kind]]
    told = ", ".join(f"{count[kind]} {kind}" for kind in kinds) or "nothing to try"
    if count[FAILED]:
        failed = [one["line"] for one in outcomes if one["outcome"] == FAILED]
        return {"changed": False, "failed": True, "report": report,
                "msg": "\n".join([f"Some WebSockets did not open ({told}):", *failed])}
    if count[PAGE] and not count[OPEN]:
        return {"changed": False, "failed": True, "report": report, "msg": "\n".join([f"{_NONE_OPEN}:", *report])}
    return {"changed": False, "report": report, "msg": told}
