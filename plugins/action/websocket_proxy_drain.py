# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The wait until a drained edge has no connections, which shows the remaining ones on the screen."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from ansible.utils.display import Display

from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.compiler import InventoryError, compile_settings
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.layout import LAYOUTS
from ansible_collections.wsedge.nginx.plugins.plugin_utils.role_action import RoleAction

# The seconds between two checks of the host.
_PAUSE = 5


class ActionModule(RoleAction):
    """The action that repeatedly asks the host which workers still have connections."""

    _VALID_ARGS = frozenset(("timeout", "cut"))

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return when no connection is left, or after the timeout."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        known = task_vars or {}
        _valid, given = self.validate_argument_spec({  # type: ignore[no-untyped-call]
            "timeout": {"type": "int", "default": 3600}, "cut": {"type": "bool", "default": False}})
        try:
            layout = LAYOUTS[compile_settings(self.variables(known)).nginx_conf].options()
        except InventoryError as error:
            return {**result, "failed": True, "msg": "\n".join(["The inventory cannot be used:", *error.problems])}
        deadline = time.monotonic() + given["timeout"]
        shown: list[str] = []
        while True:
            found = self.module("nginx_generations_info", {
                name: layout[name] for name in ("path", "folder", "socket")}, known)
            if found.get("failed"):
                return {**result, **found}
            left, lines = found["draining"], told(found["draining"])
            seconds = deadline - time.monotonic()
            if not left or seconds <= 0 or self._task.check_mode:
                break
            if lines != shown:
                shown = lines
                for line in lines:
                    Display().display(f"{known['inventory_hostname']}: {line}; waiting {seconds:.0f} s more at most")
            time.sleep(min(_PAUSE, seconds))
        if left and not given["cut"] and not self._task.check_mode:
            return {**result, "failed": True, "draining": left, "msg": "\n".join([
                f"There are still connections after {given['timeout']} seconds, and the edge stays out of service. To "
                "wait longer, run this again with -e drain_seconds=SECONDS. To continue and cut them, add -e cut=true. "
                "To put the edge back into service, use -e state=in", *lines])}
        return {**result, "changed": False, "draining": left, "msg": "\n".join(lines) or "No connections are left"}


def told(draining: Sequence[dict[str, Any]]) -> list[str]:
    """Return a line for each generation that still has connections."""
    return [f"{one['generation']}: {one['workers']} {'worker' if one['workers'] == 1 else 'workers'} with "
            + ("connections" if one["sockets"] is None else f"{one['sockets']} TCP connections") for one in draining]
