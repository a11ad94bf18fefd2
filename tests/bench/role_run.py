"""The duration of a role run that changes nothing, and of one that changes one site, with 1 to 1,000 sites over SSH.

The references are a play that only pings, and a loop of ansible.builtin.template over the same sites.

Usage: python -m tests.bench.role_run IMAGE
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from tests.bench.host import USER, Host, new_key
from tests.bench.table import ratio, table
from tests.support.compiling import compiled

HERE = Path(__file__).parent
CHECKOUT = HERE.parents[1]
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
ROLE_SITES = [int(number) for number in os.environ.get("BENCH_SITES", "1 10 100 1000").split()]
LOOP_SITES = [number for number in ROLE_SITES if number <= 100]  # with 1,000 a run would take a quarter of an hour
LOOP_ROUNDS = {100: 1}  # one round takes so long that noise hardly matters
SECONDS = 600  # for one run
PLAYBOOKS = {"role": CHECKOUT / "playbooks/site.yml", "loop": HERE / "playbooks/loop.yml",
             "ping": HERE / "playbooks/ping.yml"}
FEWEST = min(ROLE_SITES)
UPSTREAMS = [{"name": "ws_node", "servers": ["127.0.0.1:3000"]}]


@dataclass
class Run:
    """The duration of one run of a playbook in seconds, the number of its results, and the seconds of its tasks."""

    seconds: float
    results: int
    tasks: dict[str, float]


class Controller:
    """A folder for the inventory of each host, and Ansible with the settings that users choose for speed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key, self.public_key = new_key(folder)
        self.environment = {
            **os.environ, "ANSIBLE_PIPELINING": "1", "ANSIBLE_HOST_KEY_CHECKING": "0", "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(folder / "cp"), "ANSIBLE_PRIVATE_KEY_FILE": str(self.key),
            "ANSIBLE_SSH_ARGS": "-C -o ControlMaster=auto -o ControlPersist=60s -o UserKnownHostsFile=/dev/null "
                                "-o LogLevel=ERROR",
            "ANSIBLE_CALLBACK_PLUGINS": str(HERE / "callbacks"), "ANSIBLE_CALLBACKS_ENABLED": "task_times",
            "TASK_TIMES": str(folder / "times.json")}

    def run(self, kind: str, host: Host, sites: int, read_timeout: int, changes: bool) -> Run:
        """Run a playbook for so many SITES, the first with this READ_TIMEOUT; it must change the host if CHANGES."""
        inventory = self.folder / "inventory.json"
        inventory.write_text(json.dumps({"websocket_proxies": {
            "hosts": {"edge": {"ansible_host": "127.0.0.1", "ansible_port": host.port, "ansible_user": USER}},
            "vars": variables(kind, sites, read_timeout)}}))
        times = Path(self.environment["TASK_TIMES"])
        times.unlink(missing_ok=True)
        began = time.time()
        done = subprocess.run(["ansible-playbook", "-i", str(inventory), str(PLAYBOOKS[kind])], text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              env=self.environment, timeout=SECONDS, check=False)
        ended = time.time()
        assert done.returncode == 0, done.stdout[-5000:]
        told = json.loads(times.read_text())
        assert bool(told["changed"]) == changes, done.stdout[-5000:]
        return Run(ended - began, sum(task["results"] for task in told["tasks"]), spent(began, ended, told["tasks"]))


def variables(kind: str, count: int, read_timeout: int) -> dict[str, Any]:
    """Return the variables of a playbook for COUNT sites: an inventory as users write it, or its compiled sites."""
    sites = [{"server_names": [f"site{number}.example.com"], "upstream": "ws_node"} for number in range(count)]
    sites[0]["locations"] = [{"path": "/", "upstream": "ws_node", "read_timeout": read_timeout}]
    sites[0].pop("upstream")
    inventory = {"websocket_proxy_upstreams": UPSTREAMS, "websocket_proxy_sites": sites}
    if kind != "loop":
        return inventory
    return {"sites": [asdict(site) for site in compiled({"upstreams": UPSTREAMS, "sites": sites}).sites]}


def spent(began: float, ended: float, tasks: list[dict[str, Any]]) -> dict[str, float]:
    """Return the seconds from the start of each task to the start of the next, by the task's name."""
    moments = [began, *(task["began"] for task in tasks), tasks[-1].get("ended", ended), ended]
    names = ["(before the first task)", *(task["name"] for task in tasks), "(after the last task)"]
    sums: dict[str, float] = defaultdict(float)
    for name, start, end in zip(names, moments[:-1], moments[1:], strict=True):
        sums[name] += end - start
    return sums


Key = tuple[str, str, int]  # the playbook, what it does, the number of sites


def measure(controller: Controller, hosts: dict[int, Host]) -> dict[Key, list[Run]]:
    """Measure all cases in turn; after each run that changes a site, one run changes nothing."""
    runs: dict[Key, list[Run]] = defaultdict(list)
    cases = [("ping", FEWEST), *(("role", sites) for sites in ROLE_SITES), *(("loop", sites) for sites in LOOP_SITES)]
    for kind, sites in cases[1:]:
        print(f"run: first {kind} with {sites} sites", file=sys.stderr)
        controller.run(kind, hosts[sites], sites, 100, changes=True)
    for number in range(ROUNDS):
        print(f"run: round {number + 1} of {ROUNDS}", file=sys.stderr)
        for kind, sites in cases[:: -1 if number % 2 else 1]:
            if kind == "loop" and number >= LOOP_ROUNDS.get(sites, ROUNDS):
                continue
            for what in ("change", "no-op") if kind != "ping" else ("no-op",):
                runs[kind, what, sites].append(
                    controller.run(kind, hosts[sites], sites, 101 + number, changes=what == "change"))
    return runs


def ratios(runs: dict[Key, list[Run]], key: Key, reference: Key) -> str:
    """Return the ratio of two cases over the rounds that both have."""
    if reference not in runs:
        return "–"
    return ratio(seconds(runs[key]), seconds(runs[reference]))


def seconds(runs: Iterable[Run]) -> list[float]:
    """Return how long each run took."""
    return [run.seconds for run in runs]


def report(runs: dict[Key, list[Run]]) -> None:
    """Print the tables."""
    print("run: seconds over SSH (ControlPersist, pipelining, sudo), medians; ratios are medians of the rounds' own, in"
          " brackets their middle half.\n"
          "A result is what a task or one item of its loop tells. There is no loop of 1,000: it would take too long.")
    rows = []
    for what in ("no-op", "change"):
        for kind, sites in [(kind, sites) for kind, doing, sites in runs if doing == what]:
            some = runs[kind, what, sites]
            rows.append([f"{kind}, {what}, {sites:,}", str(len(some)), f"{median(seconds(some)):.2f}",
                         "–".join(map(str, sorted({run.results for run in some}))),
                         ratios(runs, (kind, what, sites), ("ping", "no-op", FEWEST)),
                         ratios(runs, (kind, what, sites), (kind, what, FEWEST)),
                         ratios(runs, (kind, what, sites), ("loop", what, sites))])
    print(table(["playbook, run, sites", "rounds", "s", "results", "to the ping", f"to {FEWEST:,} site", "to the loop"],
                rows))
    few, many = min(ROLE_SITES), max(ROLE_SITES)
    for what in ("no-op", "change"):
        print(f"\nWhere the time of the role's {what} goes, in s (medians):")
        tasks = [runs["role", what, sites] for sites in (few, many)]
        rows = [[name, *(f"{median(run.tasks.get(name, 0.0) for run in some):.2f}" for some in tasks)]
                for name in tasks[0][0].tasks]
        print(table(["", f"{few:,}", f"{many:,}"], rows))


def main(image: str) -> None:
    """Start a host for each number of sites, measure, remove the hosts, and print the tables."""
    # The name is short, because the path of a control socket must fit in 104 bytes.
    with tempfile.TemporaryDirectory(prefix="wsb", dir="/tmp") as folder:
        controller = Controller(Path(folder))
        hosts: dict[int, Host] = {}
        try:
            for sites in ROLE_SITES:
                hosts[sites] = Host(image, controller.public_key)
                hosts[sites].run("mkdir /etc/loop")
            runs = measure(controller, hosts)
        finally:
            for host in hosts.values():
                host.remove()
    report(runs)


if __name__ == "__main__":
    main(sys.argv[1])
