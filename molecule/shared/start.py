"""Script that starts a scenario's hosts in parallel, and waits until all have booted.

The hosts run systemd in unprivileged containers.

Usage: start.py SUFFIX INVENTORY PLATFORMS IMAGE...

PLATFORMS are those of molecule.yml in JSON, each with its IMAGE. The script writes the container of each host to
INVENTORY. It removes what an earlier run left.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

BOOT_SECONDS = 120
# systemd needs these options.
SYSTEMD = ["--cgroupns", "host", "--volume", "/sys/fs/cgroup:/sys/fs/cgroup:rw", "--env", "container=docker",
           "--tmpfs", "/run", "--tmpfs", "/run/lock", "--tmpfs", "/tmp", "--cap-add", "SYS_ADMIN",
           "--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined"]


def docker(*words: str, check: bool = True) -> str:
    """Run docker; return its output."""
    done = subprocess.run(["docker", *words], capture_output=True, text=True, check=False)
    if check and done.returncode:
        sys.exit(f"docker {' '.join(words)}: {done.stderr}")
    return done.stdout.strip()


def start(platform: dict[str, Any], container: str, network: str, image: str) -> None:
    """Start one host and wait until it has booted."""
    # All hosts are on one network, whatever its name here: Molecule's schema allows aliases only there.
    aliases = [alias for one in platform.get("networks", []) for alias in one["aliases"]]
    names = [word for name in (platform["name"], *aliases) for word in ("--network-alias", name)]
    docker("rm", "--force", "--volumes", container, check=False)
    docker("run", "--detach", "--name", container, "--hostname", platform["name"], "--network", network, *names,
           *SYSTEMD, image, "/lib/systemd/systemd")
    deadline = time.monotonic() + BOOT_SECONDS
    while (state := docker("exec", container, "systemctl", "is-system-running", "--wait", check=False)) not in (
            "running", "degraded"):
        if time.monotonic() > deadline:
            sys.exit(f"{container} is not up after {BOOT_SECONDS} seconds; systemd says: {state or 'nothing'}")
        time.sleep(0.2)


def main(suffix: str, inventory: str, platforms: str, *images: str) -> None:
    """Start all hosts."""
    hosts = json.loads(platforms)
    containers = [f"{host['name']}-{suffix}" for host in hosts]
    # JSON is also YAML, and Ansible reads the file as YAML.
    Path(inventory).write_text(json.dumps({"all": {"hosts": {
        host["name"]: {"ansible_host": container} for host, container in zip(hosts, containers, strict=True)}}}))
    network = f"molecule-{suffix}"
    if not docker("network", "ls", "--quiet", "--filter", f"name=^{network}$"):
        docker("network", "create", network)
    with ThreadPoolExecutor() as pool:
        list(pool.map(start, hosts, containers, [network] * len(hosts), images))


if __name__ == "__main__":
    main(*sys.argv[1:])
