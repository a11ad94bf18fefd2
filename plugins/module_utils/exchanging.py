# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An exchange of nginx's binary while nginx serves, which replaces a restart after a package upgrade.

Source: https://nginx.org/en/docs/control.html#upgrade
"""

from __future__ import annotations

import os
import re
import signal
import time
from typing import Any, Callable

from ansible_collections.wsedge.nginx.plugins.module_utils import processes
from ansible_collections.wsedge.nginx.plugins.module_utils.generations import Failure, lock
from ansible_collections.wsedge.nginx.plugins.module_utils.reloading import ErrorLog, Reload

# Paths of a master's binary, modules and libraries that are not on disk any more.
_CODE = re.compile(r"(?:/usr)?/(?:s?bin|lib[^/]*)/.* \(deleted\)$")


class Exchange(Reload):
    """One exchange; if it does not finish, the next exchange finishes it."""

    def run(self) -> dict[str, Any]:
        """Exchange the binary if the running master has a binary, module or library that is not on disk any more.

        :raises Failure: the binary on disk does not run; the old master keeps serving
        """
        lock(os.path.dirname(self.params["folder"]))
        pid_file = self.params["pid_file"]
        self.wanted = self.generations.current()
        master = processes.master(pid_file)
        if master is None:
            return self.result("stopped", changed=False)
        # An exchange that was not finished left this master.
        other = processes.exchanged(pid_file)
        if other:
            self._end(other)
        if not processes.replaced(master, _CODE):
            return self.result("kept", changed=False)
        if not processes.title(master).startswith(f"{processes.MASTER} /"):
            raise Failure(f"nginx (pid {master}) was started with a relative path and cannot start the new binary; it "
                          "runs the old one until it is restarted")
        self.ran = processes.running_generation(self.params["socket"])
        self.config_test.test(self.entry, self.entry, "the old binary keeps serving")
        self._exchange(master)
        return self.result("exchanged")

    def _exchange(self, old: int) -> None:
        """Start a new master that takes over from the OLD one."""
        pid_file = self.params["pid_file"]
        self.log = ErrorLog(self.params["error_log"])
        before = self._workers()
        self.draining.remember(before, self.ran)
        children = self._children(old)
        os.kill(old, signal.SIGUSR2)
        new = self._until(lambda: next((pid for pid in processes.masters(pid_file)[:1] if pid != old), 0))
        if not new or not self._until(lambda: self._serves(new) or not processes.is_master(new)) \
                or not processes.is_master(new):
            # A new master that hangs would prevent the next exchange of the old one.
            for pid in self._children(old) - children:
                if not processes.title(pid).startswith(processes.WORKER):
                    os.kill(pid, signal.SIGKILL)
            self._until(lambda: processes.master(pid_file) == old)
            raise Failure("\n".join(["nginx's binary on disk does not start; the old one keeps serving:",
                                     *(self._errors() or ["it wrote no error"])]))
        self._end(old)
        if not self._until(lambda: processes.running_generation(self.params["socket"]) in (self.wanted, self.ran)):
            raise Failure(f"nginx's binary was exchanged, but nginx does not answer at {self.params['socket']}")

    @staticmethod
    def _children(master: int) -> set[int]:
        return {pid for pid, parent in processes.parent_pids().items() if parent == master}

    @staticmethod
    def _serves(master: int) -> bool:
        """Return whether a master has a worker that serves; a worker has its master's title until it is ready."""
        return any(processes.title(pid).startswith(processes.WORKER) and not ending
                   for pid, ending in processes.workers(master).items())

    def _end(self, old: int) -> None:
        """End a master that another one has replaced; its workers keep running for their WebSockets.

        While this master runs, nginx starts no other binary. After a QUIT, the master waits for its last worker.
        """
        start = processes.started(old)
        os.kill(old, signal.SIGQUIT)
        self._until(lambda: processes.started(old) != start or all(processes.workers(old).values()))
        if processes.started(old) == start and processes.is_master(old) and all(processes.workers(old).values()):
            os.kill(old, signal.SIGKILL)
            self._until(lambda: processes.started(old) != start)

    def _until(self, true: Callable[[], Any]) -> Any:
        """Wait until a condition is true, or until the timeout; return its last value."""
        deadline = time.monotonic() + self.params["timeout"]
        while not (found := true()) and time.monotonic() < deadline:
            time.sleep(0.05)
        return found
