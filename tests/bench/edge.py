"""CPU per echo and memory per idle socket of what the role makes of the recipe's inventory, of the recipe's own text
in Debian's nginx.conf, and of HAProxy, before the same backend.

Usage: python -m tests.bench.edge IMAGE
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.bench.table import ratio, table
from tests.integration.container import CHECKOUT, Container
from tests.integration.edge import Edge

HERE = Path(__file__).parent
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "9"))
ECHO_SOCKETS = 200
ECHOES = 40_000
IDLE_SOCKETS = 3000

INVENTORY = {
    "upstreams": [{"name": "ws_node", "servers": ["127.0.0.1:3000"]}],
    "sites": [{"server_names": ["example.com"], "upstream": "ws_node"}],
}


@dataclass
class Bench:
    """A container in which one proxy at a time stands before the echo backend."""

    edge: Edge

    def __post_init__(self) -> None:
        self.container = self.edge.container
        backend = (CHECKOUT / "roles/websocket_echo/files").glob("*")
        self.container.write({"/bench/load.py": (HERE / "load.py").read_text(),
                              **{f"/bench/{file.name}": file.read_text() for file in backend}})
        self.container.shell("NODE_PATH=/usr/share/nodejs node /bench/websocket_echo.js 127.0.0.1 3000 "
                             "> /bench/websocket_echo.log 2>&1 &")

    def start_recipe(self) -> None:
        """Serve the recipe as people paste it, with the two limits raised that would else end it at 384 sockets."""
        self.container.restore()
        self.container.write({"/etc/nginx/conf.d/recipe.conf": (HERE / "proxies/recipe.conf").read_text()})
        self.container.shell(
            "rm /etc/nginx/sites-enabled/default; cd /etc/nginx; "
            "sed -i 's/worker_connections 768;/worker_connections 16384;/; 1i worker_rlimit_nofile 32768;' nginx.conf; "
            "grep -q 'worker_connections 16384' nginx.conf; nginx")

    def start_role(self) -> None:
        """Serve what the role makes of the recipe's inventory."""
        self.edge.put(INVENTORY)
        self.container.shell("nginx")

    def start_haproxy(self) -> None:
        """Serve an ordinary HAProxy configuration for WebSockets."""
        self.container.write({"/bench/haproxy.cfg": (HERE / "proxies/haproxy.cfg").read_text()})
        self.container.shell("haproxy -D -q -f /bench/haproxy.cfg")

    def stop(self) -> None:
        """End the proxy and wait for it."""
        self.container.shell("killall --quiet --wait nginx haproxy 2>/dev/null || pkill -x 'nginx|haproxy'; "
                             "while pgrep -x 'nginx|haproxy' > /dev/null; do sleep 0.02; done")

    def measure(self, *words: object) -> float:
        """Return what load.py tells."""
        return float(self.container.shell(f"python3 /bench/load.py {' '.join(map(str, words))}"))

    def versions(self) -> str:
        """Return what is measured, in words."""
        haproxy = self.container.shell("haproxy -v").split()[2].split("-")[0]
        return f"nginx {'.'.join(map(str, self.edge.nginx_version))}, HAProxy {haproxy}"


def main(image: str) -> None:
    """Measure in rounds, each in another order, and print one table."""
    container = Container(image, "none")
    try:
        bench = Bench(Edge(container))
        proxies = {"recipe": bench.start_recipe, "role": bench.start_role, "HAProxy": bench.start_haproxy}
        echo: dict[str, list[float]] = {name: [] for name in proxies}
        idle: dict[str, list[float]] = {name: [] for name in proxies}
        names = list(proxies)
        for number in range(ROUNDS):
            print(f"edge: round {number + 1} of {ROUNDS}", file=sys.stderr)
            for name in names[number % 3:] + names[:number % 3]:
                for results, words in ((echo, ("echo", ECHO_SOCKETS, ECHOES)), (idle, ("idle", IDLE_SOCKETS))):
                    if results is idle and number % 3 != 0:
                        continue  # memory hardly varies
                    proxies[name]()
                    results[name].append(bench.measure(*words))
                    bench.stop()
        print(f"edge: {bench.versions()}; {ECHOES:,} echoes of 128 bytes over {ECHO_SOCKETS} sockets; "
              f"{IDLE_SOCKETS:,} idle sockets; medians of {len(echo['role'])} and {len(idle['role'])} rounds; "
              f"in brackets the ratio to the recipe and the middle half of the rounds' ratios")
        print(table(["", "CPU per echo", "memory per idle socket"], [
            [name, f"{ratio(echo[name], echo['recipe'], 'µs', 1000)}", ratio(idle[name], idle["recipe"], "KiB", 1024)]
            for name in proxies]))
    finally:
        container.remove()


if __name__ == "__main__":
    main(sys.argv[1])
