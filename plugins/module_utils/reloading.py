# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A reload of nginx with the proof that it took effect, and the recovery if it did not.

The host program contains this module and its imports, for a reload without Ansible. So they need only Python.
"""

from __future__ import annotations

import os
import re
import signal
import time
from typing import Any

from ansible_collections.wsedge.nginx.plugins.module_utils import memory, processes
from ansible_collections.wsedge.nginx.plugins.module_utils.config_test import ConfigTest
from ansible_collections.wsedge.nginx.plugins.module_utils.draining import Draining
from ansible_collections.wsedge.nginx.plugins.module_utils.generations import Failure, Generations, lock, number
from ansible_collections.wsedge.nginx.plugins.module_utils.options import called
from ansible_collections.wsedge.nginx.plugins.module_utils.programs import Done, Run
from ansible_collections.wsedge.nginx.plugins.module_utils.takeover import Takeover

# An error that prevents a configuration from running has the level emerg and no connection. Errors of connections
# have a number, such as *17.
_REASON = re.compile(r"[0-9/]+ [0-9:]+ \[emerg\] ([0-9]+)#[0-9]+: (?!\*)(.*\S)")


class ErrorLog:
    """The lines that nginx writes to its error log from now on; with MASTER, only the lines of that process.

    Beside a master that was started by hand, the service may repeatedly fail to start, and log that.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.master: int | None = None
        self.position = os.path.getsize(path) if os.path.isfile(path) else 0

    def errors(self) -> list[str]:
        """Return the new errors that prevent a configuration from running, without times and repetitions."""
        try:
            with open(self.path, encoding="utf-8", errors="replace") as file:
                file.seek(self.position)
                found = [_REASON.match(line) for line in file]
        except OSError:
            return []
        return list(dict.fromkeys(f"[emerg] {line[2]}" for line in found
                                  if line and self.master in (None, int(line[1]))))


class Reload:
    """One reload with its proof."""

    def __init__(self, params: dict[str, Any], run: Run) -> None:
        self.params = params
        self._run = run
        self.generations = Generations(params["path"], params["folder"])
        self.takeover = Takeover(self.generations, params, run)
        self.config_test = ConfigTest(params["validate"], params["pid_file"], params["socket"], self.generations, run)
        self.entry = params["entry"] or params["path"]
        self.draining = Draining(params["socket"], params["pid_file"])
        self.warnings: list[str] = []

    def run(self) -> dict[str, Any]:
        """Test the configuration, reload nginx, and return the module's result."""
        lock(os.path.dirname(self.params["folder"]))
        self.wanted = self.generations.current()
        if self.wanted is None and not self.config_test.possible():
            # The configuration was removed, and nginx is not installed any more.
            return self.result("tested", changed=False)
        self.log = ErrorLog(self.params["error_log"])
        self.ran = processes.running_generation(self.params["socket"])
        try:
            self.config_test.test(self.entry, self.entry, "it is the one on disk")
        except Failure as failure:
            raise Failure(f"{failure}\n{self.restore()}") from None
        if not self.params["reload"]:
            return self.result("tested", changed=False)
        try:
            return self._bring_into_force()
        except OSError as error:
            raise Failure(f"{error}\n{self.restore()}") from None

    def _bring_into_force(self) -> dict[str, Any]:
        os.makedirs(os.path.dirname(self.params["socket"]), mode=0o700, exist_ok=True)
        self.config_test.clear()
        master = processes.master(self.params["pid_file"])
        if master is None and (self.wanted is None or not self.params["start"]):
            return self.result("tested", changed=False)
        if master is None:
            self.start()
            return self.result("started")
        for path in [self.params["socket"], *self.generations.sockets()]:
            if processes.lost_socket(path, master):
                return self._without_socket(path, master)
        self.log.master = master
        before = self._workers()
        self._bound_draining()
        self._check_memory(master, before)
        self.draining.remember(before, self.ran)
        self._signal(master)
        if self._proved(before):
            return self.result("reloaded")
        self.config_test.clear()
        return self._instead_of_reload(master)

    # --- ways to make nginx run the configuration

    def start(self) -> None:
        """Start the service; systemd counts failed starts, so reset earlier failures first."""
        self.log.master = None
        tried = self._systemctl("is-active").output.strip() == "activating"
        self._systemctl("reset-failed")
        done = self._systemctl("start")
        if done.code or not self._proved({}):
            told = [f"nginx does not start with {self._called()}:",
                    *(self._errors() or [(done.output + done.errors).strip()]), *self._remedies(None),
                    self.restore()]
            self._give_up(tried)
            raise Failure("\n".join(told))

    def _give_up(self, tried: bool) -> None:
        """Stop the retries of systemd, which would start the restored configuration, such as Debian's default site.

        If systemd TRIED to start nginx before this run, it tries again with the restored generation.
        """
        self._systemctl("stop")
        if tried and self.generations.current():
            self._systemctl("start", "--no-block")

    def _systemctl(self, *words: str) -> Done:
        """Run systemctl for the service; the caller checks the exit status, also if there is no systemctl."""
        return self._run("systemctl", *words, self.params["service"])

    def _signal(self, master: int) -> None:
        """Reload nginx: through the service, or by a signal if the master does not belong to the service."""
        if self._systemctl("is-active", "--quiet").code == 0:
            done = self._systemctl("reload")
            if done.code == 0:
                return
        os.kill(master, signal.SIGHUP)

    def _instead_of_reload(self, master: int) -> dict[str, Any]:
        errors, remedies = self._errors(), self._remedies(master)
        if self._restart_would_do(master) and self.params["allow_restart"]:
            self._restart(master)
            return self.result("restarted")
        done = self.restore()
        if not errors:
            # nginx may still reload after the timeout. A second reload then loads the restored configuration.
            os.kill(master, signal.SIGHUP)
        raise Failure("\n".join([
            f"nginx was reloaded but does not run {self._called()}:",
            *(errors or [f"It logged no error within {self.params['timeout']} seconds"]), *remedies, done]))

    def _called(self) -> str:
        """Return the configuration on disk, as messages call it."""
        return f"the generation {self.wanted}" if self.wanted else "the configuration from before the role"

    def _without_socket(self, path: str, master: int) -> dict[str, Any]:
        if self.params["allow_restart"]:
            self._restart(master)
            return self.result("restarted")
        what = "reports its generation" if path == self.params["socket"] else "serves"
        raise Failure(f"The socket {path}, on which nginx {what}, was "
                      f"removed:\n{self._restart_needed()}\n{self.restore()}")

    def _restart_needed(self) -> str:
        return ("This needs a restart, which drops every open WebSocket: allow it with "
                f"{called(self.params, 'allow_restart')}")

    def _restart(self, master: int) -> None:
        """Stop nginx and start it; if the new configuration does not start, start the previous one again."""
        self._systemctl("stop")
        if processes.is_master(master):
            # The master does not belong to the service.
            os.kill(master, signal.SIGTERM)
        deadline = time.monotonic() + self.params["timeout"]
        while processes.is_master(master) and time.monotonic() < deadline:
            time.sleep(0.05)
        self.config_test.clear()
        try:
            self.start()
        except Failure as failure:
            self.config_test.clear()
            self._systemctl("reset-failed")
            again = self._systemctl("start").code == 0
            outcome = "was started again with" if again else "does not start with"
            raise Failure(f"{failure}\nnginx {outcome} the previous configuration") from None

    # --- proof

    def _workers(self) -> dict[int, str]:
        """Return the workers that serve, each with its start time, which distinguishes processes that reuse a pid.

        Workers of every master count, and workers without a master: they share all sockets while a binary is exchanged.
        """
        return {pid: processes.started(pid) for pid, ending in self.draining.workers().items() if not ending}

    def _proved(self, before: dict[int, str]) -> bool:
        """Wait until no worker of BEFORE serves and nginx reports the generation on disk; return whether it does."""
        deadline = time.monotonic() + self.params["timeout"]
        while time.monotonic() < deadline:
            serving = [pid for pid, start in before.items() if processes.started(pid) == start
                       and not processes.title(pid).startswith(processes.SHUTTING_DOWN)]
            if not serving and processes.running_generation(self.params["socket"]) == self.wanted:
                if self.wanted:
                    self.generations.prove(self.wanted)
                return True
            if self._final(self.log.errors()):
                return False
            time.sleep(0.05)
        return False

    @staticmethod
    def _final(errors: list[str]) -> bool:
        """Return whether nginx has given up: if an address is in use, it retries for about three seconds."""
        return any("bind() to" not in error or "still could not bind" in error or "(98:" not in error
                   for error in errors)

    # --- if there is no proof

    def _restart_would_do(self, master: int) -> bool:
        errors = self.log.errors()
        ours = {pid for pid, parent in processes.parent_pids().items() if master in (pid, parent)}
        ports = self._ports_in_use(errors)
        return any("while previously" in error or "conflicts with" in error for error in errors) or (
            bool(ports) and all(set() < processes.holders(port) <= ours for port in ports))

    def _errors(self) -> list[str]:
        """Return nginx's errors with secrets hidden."""
        return [self.config_test.shown(error) for error in self.log.errors()]

    @staticmethod
    def _ports_in_use(errors: list[str]) -> list[int]:
        return sorted({int(found[1]) for error in errors
                       for found in [re.search(r"bind\(\) to \S+:([0-9]+) failed \(98:", error)] if found})

    def _remedies(self, master: int | None) -> list[str]:
        errors = self.log.errors()
        if master is not None and self._restart_would_do(master):
            return [f"{self._restart_needed()}, or change the configuration"]
        told = [f"{'Another master' if processes.is_master(pid) else 'A worker without a master'} of nginx serves on "
                f"the same sockets, pid {pid}: an exchange of its binary was begun (kill -USR2) and not finished. "
                f"Finish it: kill -QUIT {pid}" for pid in processes.beside(self.params["pid_file"])]
        for port in self._ports_in_use(errors):
            names = ", ".join(f"{processes.title(pid)} (pid {pid})" for pid in sorted(processes.holders(port)))
            told.append(f"Port {port} is held by {names or 'another process'}: stop that, or listen elsewhere")
        if any("(99:" in error for error in errors):
            told.append("The host does not have that address: add it to an interface, or listen elsewhere")
        return told

    def restore(self) -> str:
        """Restore the running configuration on disk, so that a restart starts it; return a message on the outcome."""
        try:
            return self._restore()
        except (Failure, OSError) as error:
            return f"The previous configuration could not be restored: {error}"

    def _restore(self) -> str:
        last = self.ran or self.generations.proved()
        if self.wanted is None:
            return "The configuration from before the role stays on disk. Correct the error above, and run again"
        if last == self.wanted:
            return "The configuration on disk stays: nginx runs it, or ran it last"
        earlier = [name for name in self.generations.all() if number(name) < number(self.wanted)]
        previous = last if last in earlier else None
        if previous:
            self.generations.go_back_to(previous)
            self.generations.discard(self.wanted)
            return f"The generation {previous} is back on disk"
        self.takeover.give_main_back()
        self.generations.discard(self.wanted)
        return "The previous configuration is back on disk"

    # --- workers that drain

    def _bound_draining(self) -> None:
        draining = self.draining.listed()
        if len(draining) < self.params["max_draining"] or self.ran == self.wanted:
            return
        told = [f"  {one['generation']}: {one['workers']} workers, {one['memory'] >> 20} MiB"
                + (f", {one['sockets']} sockets" if one["sockets"] is not None else "") for one in draining]
        raise Failure("\n".join([
            f"Workers of {len(draining)} earlier generations still serve open WebSockets, and no more are "
            "allowed:", *told, f"Wait until they end, raise {called(self.params, 'max_draining', '…')}, or stop the "
                               "oldest workers (kill -TERM PID). A shorter worker_shutdown_timeout does not reach "
                               "workers that already shut down",
            self.restore()]))

    def _check_memory(self, master: int, before: dict[int, str]) -> None:
        """Warn if new workers may leave less than a tenth of the memory free.

        The workers of BEFORE keep running for their WebSockets, beside the new ones.
        """
        cost = sum(map(memory.used, before))
        free, whole = memory.left(master)
        if free - cost < whole // 10:
            self.warnings.append(
                f"nginx is reloaded with {free >> 20} of {whole >> 20} MiB of memory free: the workers that serve now "
                f"use {cost >> 20} MiB and stay until their WebSockets end, and new ones may need as much. See "
                "draining in the result; reload less often, or add memory")

    def result(self, how: str, changed: bool = True) -> dict[str, Any]:
        """Return the module's result."""
        return {"changed": changed, "how": how, "generation": self.wanted or "",
                "draining": self.draining.listed()}
