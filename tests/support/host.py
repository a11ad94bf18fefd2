"""A host with systemd, on which the role's two modules run with the role's arguments, without Ansible."""

from __future__ import annotations

import copy
import subprocess
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.wsedge.nginx.plugins.action.websocket_proxy_config import options
from ansible_collections.wsedge.nginx.plugins.module_utils.generations import MARKER
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.layout import FOLDER, LAYOUTS
from ansible_collections.wsedge.nginx.plugins.plugin_utils.render.files import rendered
from ansible_collections.wsedge.nginx.plugins.plugin_utils.render.host_files import (
    DIVERTED_POLICY,
    UPGRADE_FILES,
    host_files,
)
from ansible_collections.wsedge.nginx.plugins.plugin_utils.render.program import PROGRAM, program

from .compiling import RENDERER, compiled
from .container import AGENT, CHECKOUT, Container, mounts
from .waiting import wait_until

SOCKET = "/run/websocket_proxy/nginx.sock"
ECHO = "127.0.0.1:3000"
POLICY = "/usr/sbin/policy-rc.d"

# systemd needs these options in an unprivileged container. SYS_PTRACE lets root read which sockets a worker holds.
SYSTEMD = ["--cgroupns", "host", "--volume", "/sys/fs/cgroup:/sys/fs/cgroup:rw", "--env", "container=docker",
           "--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined",
           "--cap-add", "SYS_ADMIN", "--cap-add", "SYS_PTRACE", "--cap-add", "NET_ADMIN",
           "--tmpfs", "/run", "--tmpfs", "/run/lock", "--tmpfs", "/tmp"]


@dataclass
class Run:
    """The results of the role's modules in one run of the role; the result of a module that was not called is empty."""

    config: dict[str, Any]
    validate: dict[str, Any] = field(default_factory=dict)
    reload: dict[str, Any] = field(default_factory=dict)

    @property
    def error(self) -> str:
        """The message with which the run failed; empty if it succeeded."""
        return "".join(result["msg"] for result in (self.config, self.validate, self.reload) if result.get("failed"))

    @property
    def changed(self) -> bool:
        """Whether the run changed anything."""
        return any(result.get("changed") for result in (self.config, self.validate, self.reload))


@dataclass
class Nginx:
    """The processes of nginx; workers that are shutting down are listed separately."""

    master: int
    workers: set[int]
    ending: set[int]


def site(*listen: object, name: str = "a", **keys: Any) -> dict[str, Any]:
    """Return variables with one site and its LISTEN values."""
    return {"worker_processes": 2, "upstreams": [{"name": "echo", "servers": [ECHO]}],
            "sites": [{"server_names": [name], "listen": list(listen) or [80], "upstream": "echo", **keys}]}


def zone(key: str) -> dict[str, str]:
    """Return a file with a limit_req zone, whose name is always the same and whose KEY is given."""
    return {"zone.conf": f"limit_req_zone {key} zone=theirs:64k rate=1r/s;\n"}


class Host(Container):
    """One host, which powers off if the tests are killed; ``found`` is the result of nginx_info for the role."""

    found: Mapping[str, Any] | None = None

    def __init__(self, image: str) -> None:
        self.name = f"wsedge-test-{uuid.uuid4().hex[:12]}"
        # Not with --rm: on a busy machine, docker removes a host that it is restarting.
        subprocess.run(["docker", "run", "--detach", "--name", self.name, *SYSTEMD, *mounts(),
                        "--volume", f"{CHECKOUT}/roles/websocket_echo/files:/websocket_echo:ro",
                        image, "/lib/systemd/systemd"], stdout=subprocess.DEVNULL, check=True)
        self._booted()
        self.shell("cp -a /etc/nginx /root/nginx && cp -a /var/lib/dpkg/diversions /root/diversions")
        banner = self.shell("nginx -v").rsplit("/", 1)[1].split()[0]
        self.nginx_version = tuple(int(number) for number in banner.split("."))
        self._write_unit()

    def _docker(self, *words: str) -> str:
        return subprocess.run(["docker", *words], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()

    def _booted(self) -> None:
        wait_until(self._entered)
        wait_until(lambda: self.run("systemctl is-system-running --wait")[1].strip() in ("running", "degraded"))
        # The input closes when this process ends, however it ends; then the host powers off.
        self._watch = subprocess.Popen(["docker", "exec", "--interactive", self.name, "sh", "-c",
                                        "cat && systemctl poweroff"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        self.address = self._docker("inspect", "--format", "{{.NetworkSettings.IPAddress}}", self.name)

    def _entered(self) -> bool:
        """Start the agent; return whether it answers.

        On a busy machine, docker reports a host as started before the host accepts commands.
        """
        self._process = subprocess.Popen(["docker", "exec", "--interactive", self.name, *AGENT],
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            return self.run("true")[0] == 0
        except (AssertionError, OSError, ValueError):
            return False

    def _write_unit(self) -> None:
        """Write the files that the role writes beside nginx's configuration."""
        self.install_program()
        self.write(host_files(compiled(site()), RENDERER).service)
        self.shell("systemctl daemon-reload && systemctl enable --quiet nginx")

    def install_program(self) -> None:
        """Install the role's host program."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "program")
            path.write_bytes(program(compiled(site())))
            path.chmod(0o755)
            self._docker("cp", str(path), f"{self.name}:{PROGRAM}")

    def upgrade_seamlessly(self) -> None:
        """Write the files with which a package upgrade exchanges nginx's binary."""
        texts = host_files(compiled(site()), RENDERER).upgrades
        self.shell(f"dpkg-divert --quiet --local --rename --divert {DIVERTED_POLICY} --add {POLICY}")
        self.write(texts)
        self.shell("".join(f"chmod {'755' if text.startswith('#!') else '644'} {path}\n"
                           for path, text in texts.items()))

    def upgrade_ordinarily(self) -> None:
        """Undo `upgrade_seamlessly`."""
        self.shell(f"rm -f {' '.join(UPGRADE_FILES)}; dpkg-divert --quiet --rename --remove {POLICY}")

    def exchange(self) -> str:
        """Have nginx run a copy of its binary, which is another file; return the output of the host program."""
        self.shell("cp -p /usr/sbin/nginx /root/copy && mv /root/copy /usr/sbin/nginx")
        return self.shell(f"{PROGRAM} exchange")

    def master(self) -> int:
        """Return the master according to systemd, which must be the one in the pid file."""
        told = self.shell("systemctl show --property=MainPID --value nginx; cat /run/nginx.pid").split()
        assert told[0] == told[1]
        return int(told[0])

    def runs_what_is_on_disk(self, pid: int) -> bool:
        """Return whether a master runs the binary that is on disk."""
        return self.shell(f"readlink /proc/{pid}/exe").strip() == "/usr/sbin/nginx"

    def another(self) -> Host:
        """Return a second connection to the same host, for two commands at the same time."""
        second = copy.copy(self)
        second._process = subprocess.Popen(["docker", "exec", "--interactive", self.name, *AGENT],
                                           stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return second

    def hang_up(self) -> None:
        """Close this connection to the host."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(timeout=20)

    def reset(self) -> None:
        """Remove everything that an earlier test left."""
        self.found = None
        self.shell("systemctl stop 'other-*' echo 2>/dev/null; systemctl kill --signal=KILL nginx 2>/dev/null; "
                   "for pid in $(ps -eo pid=,args= | awk '/nginx: (master|worker)/ && !/awk/ {print $1}'); "
                   "do kill -9 $pid; done; systemctl stop nginx; systemctl reset-failed; "
                   "rm -rf /run/websocket_proxy; : > /var/log/nginx/error.log")
        self.restore()

    def reboot(self) -> None:
        """Restart the host: /run becomes empty, and systemd starts the enabled units."""
        self.hang_up()
        self._docker("restart", "--time", "60", self.name)
        self._booted()

    def remove(self) -> None:
        """Remove the host."""
        self.hang_up()
        self._docker("rm", "--force", self.name)

    # --- the role

    def configure(self, variables: Mapping[str, Any], files: Mapping[str, str] | None = None,
                  **others: Any) -> dict[str, Any]:
        """Commit the role's files for VARIABLES, and further FILES of the generation; OTHERS are options."""
        model = compiled(variables, self.found)
        main, texts = rendered(model, RENDERER, FOLDER, MARKER)
        return self.module("nginx_config", {
            **options(model), "references": model.references, "readable": model.readable, "content": main,
            "files": [{"name": name, "content": text} for name, text in {**texts, **(files or {})}.items()], **others})

    def validate(self) -> dict[str, Any]:
        """Call the first handler."""
        return self.module("nginx_reload", {**LAYOUTS["own"].options(), "reload": False})

    def reload(self, allow_restart: bool = False, max_draining: int = 24, **others: Any) -> dict[str, Any]:
        """Call the second handler; OTHERS are options that the role does not set."""
        return self.module("nginx_reload", {**LAYOUTS["own"].options(), "allow_restart": allow_restart,
                                            "max_draining": max_draining, **others})

    def apply(self, variables: Mapping[str, Any], files: Mapping[str, str] | None = None, **how: Any) -> Run:
        """Run the role: commit, and if nginx has something to load, call the handlers."""
        run = Run(self.configure(variables, files))
        if run.config.get("reload"):
            run.validate = self.validate()
            if not run.validate.get("failed"):
                run.reload = self.reload(**how)
        return run

    def serve(self, variables: Mapping[str, Any], files: Mapping[str, str] | None = None) -> str:
        """Run the role, which must succeed; return the running generation."""
        run = self.apply(variables, files)
        assert not run.error, run.error
        assert self.answer() == run.config["generation"]
        return run.config["generation"]

    def refuses(self, variables: Mapping[str, Any], files: Mapping[str, str] | None = None, **how: Any) -> str:
        """Run the role, which must fail and leave the processes and the files as they are; return the error."""
        before, answer, tree = self.nginx(), self.answer(), self.tree()
        run = self.apply(variables, files, **how)
        assert run.error
        assert self.nginx() == before and self.answer() == answer and self.tree() == tree
        return run.error

    def restarts(self, generation: str) -> None:
        """Restart nginx, which must then serve this GENERATION."""
        self.shell("systemctl restart nginx")
        assert self.answer() == generation

    # --- the state of the host

    def answer(self) -> str:
        """Return the answer of nginx on its private socket; empty if there is none."""
        return self.run(f"curl --silent --max-time 30 --unix-socket {SOCKET} http://x/generation")[1].strip()

    def nginx(self) -> Nginx:
        """Return the processes of nginx, which must have exactly one first master."""
        lines = [line.split(None, 2) for line in self.shell("ps -eo pid=,ppid=,args=").splitlines()]
        parents = {int(pid): int(parent) for pid, parent, title in lines if title.startswith("nginx: ")}
        # The parents decide, not the titles: a worker has its master's title until it sets its own.
        (master,) = (pid for pid, parent in parents.items() if parent not in parents)
        ending = {int(pid) for pid, _parent, title in lines if title.startswith("nginx: worker process is shutting")}
        return Nginx(master, {*parents} - {master} - ending, ending)

    def tree(self) -> str:
        """Return every path below /etc/nginx with its type, mode and content, and dpkg's diversions."""
        return self.shell("cd /etc/nginx && find . -printf '%p %y %m %U:%G %l\\n' | sort && "
                          "find . -type f -print0 | sort -z | xargs -0 sha256sum && dpkg-divert --list '*nginx*'")

    @contextmanager
    def other(self, port: int, address: str = "0.0.0.0") -> Iterator[None]:
        """Run a process other than nginx that listens on PORT."""
        unit = f"other-{port}"
        code = f"import socket, time; s = socket.create_server((\"{address}\", {port})); time.sleep(900)"
        self.shell(f"systemd-run --quiet --unit={unit} /usr/bin/python3 -c '{code}'")
        wait_until(lambda: self.shell(f"ss -Hltn 'sport = :{port}'"))
        try:
            yield
        finally:
            self.shell(f"systemctl stop {unit}")

    @contextmanager
    def echo(self) -> Iterator[None]:
        """Run the role's echo service behind the edge."""
        address, port = ECHO.split(":")
        self.shell("systemd-run --quiet --unit=echo --setenv=NODE_PATH=/usr/share/nodejs "
                   f"/usr/bin/node /websocket_echo/websocket_echo.js {address} {port}")
        wait_until(lambda: self.shell(f"ss -Hltn 'sport = :{port}'"))
        try:
            yield
        finally:
            self.shell("systemctl stop echo")
