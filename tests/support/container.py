"""Containers with Debian's nginx, in which nothing runs until a test starts it."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import uuid
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
CHECKOUT = HERE.parents[1]
AGENT = ["python3", "-B", "/inside/agent.py"]


def images(*releases: str) -> list[str]:
    """Return the names of the images with the nginx of some Debian RELEASES; build the missing ones."""
    command = [str(CHECKOUT / "molecule/image/build"), "--with-nginx", *releases]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.split()


def mounts() -> list[str]:
    """Return the docker options with which AGENT and the collection's modules run in a container."""
    ansible = importlib.util.find_spec("ansible")
    assert ansible and ansible.submodule_search_locations
    library = "/usr/local/lib/tests"
    return ["--env", f"PYTHONPATH={library}", "--volume", f"{HERE}/inside:/inside:ro",
            "--volume", f"{ansible.submodule_search_locations[0]}:{library}/ansible:ro",
            "--volume", f"{CHECKOUT}/plugins:{library}/ansible_collections/wsedge/nginx/plugins:ro"]


class Container:
    """One container; NETWORK is the machine's own (``host``) or none at all (``none``); OPTIONS are docker's."""

    def __init__(self, image: str, network: str, *options: str) -> None:
        self.name = f"wsedge-test-{uuid.uuid4().hex[:12]}"
        self._process = subprocess.Popen(
            ["docker", "run", "--rm", "--interactive", "--name", self.name, "--network", network,
             *options, *mounts(), image, *AGENT],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        # nginx does not start here, because the package's default site would listen on port 80. With network "host",
        # that is the machine's own port.
        self.shell("cp -a /etc/nginx /root/nginx && cp -a /var/lib/dpkg/diversions /root/diversions "
                   "&& mkdir -m 700 /run/websocket_proxy")
        banner = self.shell("nginx -v").rsplit("/", 1)[1].split()[0]
        self.nginx_version = tuple(int(number) for number in banner.split("."))

    def _ask(self, do: str, **question: Any) -> Any:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps({"do": do, **question}) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, f"the container {self.name} ended"
        return json.loads(answer)

    def run(self, command: str) -> tuple[int, str]:
        """Run a shell command; return its exit code and its output."""
        answer = self._ask("shell", command=command)
        return answer["code"], answer["output"]

    def shell(self, command: str) -> str:
        """Run a shell command that must succeed; return its output."""
        code, output = self.run(command)
        assert code == 0, f"{command}: {output}"
        return output

    def write(self, files: dict[str, str]) -> None:
        """Write files, by path, and make their folders."""
        self._ask("write", files=files)

    def module(self, name: str, arguments: dict[str, Any], check: bool = False, umask: int = 0o022) -> dict[str, Any]:
        """Run a module of the collection; return its result."""
        output = self._ask("module", name=name, arguments={**arguments, "_ansible_check_mode": check}, umask=umask)
        try:
            return dict(json.loads(output["output"]))
        except ValueError:
            raise AssertionError(output["output"]) from None

    def restore(self) -> None:
        """Restore /etc/nginx and dpkg's diversions as the packages left them."""
        self.shell("rm -rf /etc/nginx /run/nginx.pid /run/websocket_proxy/* && cp -a /root/nginx /etc/nginx "
                   "&& cp -a /root/diversions /var/lib/dpkg/diversions")

    def remove(self) -> None:
        """End the container, which then removes itself."""
        assert self._process.stdin
        self._process.stdin.close()
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            subprocess.run(["docker", "rm", "--force", self.name], stdout=subprocess.DEVNULL, check=False)
