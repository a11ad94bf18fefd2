# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Workers that are shutting down and only serve their open connections, by generation."""

from __future__ import annotations

import json
import os
import time
from typing import Any

from ansible_collections.wsedge.nginx.plugins.module_utils import memory, processes
from ansible_collections.wsedge.nginx.plugins.module_utils.generations import read


class Draining:
    """The workers of the masters that PID_FILE leads to; a file beside the private SOCKET records their generations."""

    def __init__(self, socket: str, pid_file: str) -> None:
        self._record = os.path.join(os.path.dirname(socket), "draining.json")
        self._pid_file = pid_file

    def workers(self) -> dict[int, bool]:
        """Return all workers, including those without a master, and whether each is shutting down."""
        return {**processes.workers(*processes.masters(self._pid_file)), **processes.orphans(self._pid_file)}

    def remember(self, workers: dict[int, str], generation: str | None) -> None:
        """Record the GENERATION of WORKERS, each with its start time; process titles do not show it."""
        known = {key: noted for key, noted in self._remembered().items()
                 if processes.started(int(key.split("@")[0])) == key.split("@")[1]}
        known.update((f"{pid}@{start}", generation or "unknown") for pid, start in workers.items())
        with open(self._record + ".new", "w", encoding="ascii") as file:
            json.dump(known, file)
        os.rename(self._record + ".new", self._record)

    def listed(self) -> list[dict[str, Any]]:
        """Return the workers that are shutting down, by generation, with their sockets and their memory."""
        known = self._remembered()
        found: dict[str, dict[str, Any]] = {}
        for worker, sockets in (self._ending() if processes.master(self._pid_file) else {}).items():
            generation = known.get(worker, "unknown")
            one = found.setdefault(generation, {"generation": generation, "workers": 0, "sockets": 0, "memory": 0})
            one["workers"] += 1
            one["memory"] += memory.used(int(worker.split("@")[0]))
            one["sockets"] = None if sockets is None or one["sockets"] is None else one["sockets"] + sockets
        return sorted(found.values(), key=lambda one: one["generation"])

    def _remembered(self) -> dict[str, str]:
        try:
            return dict(json.loads(read(self._record) or b"{}"))
        except ValueError:
            return {}

    def _ending(self) -> dict[str, int | None]:
        """Return the workers that are shutting down, with their sockets; give one without sockets a moment to end."""
        deadline = time.monotonic() + 1
        while True:
            found = {pid: processes.open_sockets(pid) for pid, ending in self.workers().items() if ending}
            if 0 not in found.values() or time.monotonic() > deadline:
                return {f"{pid}@{processes.started(pid)}": sockets for pid, sockets in found.items()
                        if processes.started(pid)}
            time.sleep(0.05)
