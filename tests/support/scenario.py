"""The Molecule scenario whose tests run: its hosts, playbooks on them, and clients that keep running on one of them."""

from __future__ import annotations

import json
import os
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import testinfra
import yaml
from testinfra.host import Host

SCENARIO = Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"])
EPHEMERAL = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])
INVENTORY = EPHEMERAL / "inventory"
CONTAINERS: dict[str, str] = {name: told["ansible_host"] for name, told in yaml.safe_load(
    (INVENTORY / "containers.yml").read_text())["all"]["hosts"].items()}
GENERATION = "curl -s --unix-socket /run/websocket_proxy/nginx.sock http://edge/generation"


@cache
def host(name: str) -> Host:
    """Return a host of the scenario."""
    return testinfra.get_host(f"docker://{CONTAINERS[name]}")


def started(*options: str, playbook: str, **variables: Any) -> subprocess.Popen[str]:
    """Start a playbook with extra variables; its output and its errors are one stream."""
    command = ["ansible-playbook", "-i", str(INVENTORY), playbook, *options, "-e", json.dumps(variables)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=SCENARIO,
                            env={**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0"})


def play(*options: str, playbook: str = "wsedge.nginx.site", **variables: Any) -> subprocess.CompletedProcess[str]:
    """Run a playbook with extra variables."""
    with started(*options, playbook=playbook, **variables) as running:
        output, _errors = running.communicate(timeout=900)
    return subprocess.CompletedProcess(running.args, running.returncode, output)


def played(*options: str, playbook: str = "wsedge.nginx.site", **variables: Any) -> str:
    """Run a playbook, which must succeed; return its output."""
    done = play(*options, playbook=playbook, **variables)
    assert done.returncode == 0, done.stdout
    return done.stdout


def changes(output: str) -> dict[str, int]:
    """Return how many tasks of a run changed each host, from the recap at the end of its OUTPUT."""
    lines = output.rpartition("PLAY RECAP")[2].splitlines()
    return {line.split()[0]: int(line.split("changed=")[1].split()[0]) for line in lines if "changed=" in line}


def browsed(name: str, expression: str, *urls: str, rules: str = "") -> list[Any]:
    """Load pages in the browser of a host; return the value of an EXPRESSION in each, once it has one."""
    program = (SCENARIO.parent / "shared/browse.py").read_text()
    words = " %s" * (len(urls) + 3)
    return list(json.loads(host(name).check_output(f"python3 -c{words}", program, expression, rules, *urls)))


class Clients:
    """WebSockets that stay open in molecule/shared/clients.py on a host; each question to it is one line of JSON."""

    def __init__(self, name: str) -> None:
        program = (SCENARIO.parent / "shared/clients.py").read_text()
        self._process = subprocess.Popen(
            ["docker", "exec", "--interactive", CONTAINERS[name], "python3", "-c", program],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, do: str, **question: Any) -> Any:
        """Call a function of the program; return what it returned."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps({"do": do, **question}) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "the clients' program ended; its error is above"
        return json.loads(answer)

    def end(self) -> None:
        """End the program, which closes all its WebSockets."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(timeout=60)
