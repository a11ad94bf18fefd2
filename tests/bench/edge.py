"""CPU per echo and memory per idle socket: the recipe as people paste it into Debian's nginx, what the role makes of
the recipe's inventory, and HAProxy, before the same backend. The recipe stands in the table twice: what differs between
its two rows is noise.

Usage: python -m tests.bench.edge IMAGE
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median

from tests.bench.inside import ECHO_SOCKETS, ECHOES, IDLE_SOCKETS
from tests.bench.table import ratio, table
from tests.support.compiling import compiled
from tests.support.edge import rendered

HERE = Path(__file__).parent
ECHO_SERVICE = HERE.parents[1] / "roles/websocket_echo/files"
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "15"))
IDLE_EVERY = 5  # rounds; memory hardly varies
NGINX = ["nginx", "-g", "daemon off;"]
INVENTORY = {
    "upstreams": [{"name": "ws_node", "servers": ["127.0.0.1:3000"]}],
    "sites": [{"server_names": ["example.com"], "upstream": "ws_node"}],
}


def output(image: str, *command: str) -> str:
    """Return what a command in a container prints."""
    return subprocess.run(["docker", "run", "--rm", "--network", "none", image, *command],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True).stdout


def debian_nginx_conf(image: str) -> str:
    """Return Debian's own main file, with the two limits raised that would end the recipe at 384 sockets."""
    text = output(image, "cat", "/etc/nginx/nginx.conf")
    assert "worker_connections 768;" in text
    return "worker_rlimit_nofile 32768;\n" + text.replace("worker_connections 768;", "worker_connections 16384;")


def proxies(image: str) -> dict[str, dict[str, object]]:
    """Return what is compared, the reference first."""
    recipe = {"/etc/nginx/nginx.conf": debian_nginx_conf(image),
              "/etc/nginx/conf.d/recipe.conf": (HERE / "proxies/recipe.conf").read_text()}
    haproxy = {"/etc/haproxy/haproxy.cfg": (HERE / "proxies/haproxy.cfg").read_text()}
    return {"recipe": {"files": recipe, "command": NGINX},
            "recipe, again": {"files": recipe, "command": NGINX},
            "role": {"files": rendered(compiled(INVENTORY)), "command": NGINX},
            "HAProxy": {"files": haproxy, "command": ["haproxy", "-db", "-q", "-f", "/etc/haproxy/haproxy.cfg"]}}


def main(image: str) -> None:
    """Measure in a container without a network and print one table."""
    compared = proxies(image)
    # The kernel shows the memory of nginx's workers, which changed their user, to SYS_PTRACE alone.
    done = subprocess.run(
        ["docker", "run", "--rm", "--interactive", "--network", "none", "--cap-add", "SYS_PTRACE",
         "--volume", f"{HERE}:/bench:ro", "--volume", f"{ECHO_SERVICE}:/websocket_echo:ro",
         "--env", "NODE_PATH=/usr/share/nodejs", image, "python3", "-B", "/bench/inside.py"],
        input=json.dumps({"rounds": ROUNDS, "kinds": {"echo": 1, "browser": IDLE_EVERY, "minimal": IDLE_EVERY},
                          "proxies": compared}) + "\n", stdout=subprocess.PIPE, text=True, check=True)
    results = json.loads(done.stdout)
    reference = results["recipe"]
    versions = [output(image, "nginx", "-v").split("/")[1].split()[0], output(image, "haproxy", "-v").split()[2]]
    print(f"edge: nginx {versions[0]}, HAProxy {versions[1]}. {ECHOES:,} echoes of 128 bytes over {ECHO_SOCKETS} "
          f"sockets, medians of {len(reference['echo'])} rounds; {IDLE_SOCKETS:,} sockets that echoed once, medians of "
          f"{len(reference['browser'])}, opened with a browser's handshake and with the shortest possible.\n"
          "Ratios are medians of the rounds' own, in brackets their middle half.")
    columns = (("echo", "µs", 1000), ("browser", "KiB", 1024), ("minimal", "KiB", 1024))
    print(table(
        ["", "CPU per echo", "to the recipe", "idle, browser", "to the recipe", "idle, shortest", "to the recipe"],
        [[name, *(cell for kind, unit, divisor in columns
                  for cell in (f"{median(result[kind]) / divisor:.2f} {unit}", ratio(result[kind], reference[kind])))]
         for name, result in results.items()]))


if __name__ == "__main__":
    main(sys.argv[1])
