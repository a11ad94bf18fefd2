"""The duration of a handshake beside clients that stop halfway, in a request head or in a TLS handshake.

Usage: python -m tests.bench.slow
"""

from __future__ import annotations

import json
import os
from statistics import median

from tests.bench.compared import ECHO_SERVICE, HERE, recipe, role
from tests.bench.inside import HALF_HANDSHAKES, HALF_HEADS, WAITS
from tests.bench.table import ratio, table
from tests.support.container import Container, images

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
KINDS = {"wait_heads": ("wait", f"{HALF_HEADS:,} half heads"),
         "wait_handshakes": ("wait_tls", f"{HALF_HANDSHAKES:,} half handshakes of TLS")}
WANTED = 50


def main() -> None:
    """Measure on the newest release, and print a table."""
    (image,) = images("trixie")
    container = Container(image, "none", "--cap-add", "SYS_PTRACE", "--volume", f"{HERE}:/bench:ro", "--volume",
                          f"{ECHO_SERVICE}:/websocket_echo:ro", "--env", "NODE_PATH=/usr/share/nodejs")
    try:
        compared = {"recipe": recipe(container.shell("cat /etc/nginx/nginx.conf")),
                    "role": role(container.module("nginx_info", {}))}
        kinds = [kind for pair, (alone, _what) in KINDS.items() for kind in (alone, pair)]
        container.write({"/tmp/task.json": json.dumps({"rounds": ROUNDS, "kinds": kinds, "proxies": compared})})
        container.shell("python3 -B /bench/inside.py < /tmp/task.json > /tmp/results.json")
        results = json.loads(container.shell("cat /tmp/results.json"))
    finally:
        container.remove()
    rows = [[f"{name}, {what}", f"{median(result[alone]):.2f} ms", f"{median(result[beside]):.2f} ms",
             ratio(result[beside], result[alone]), "yes" if median(result[beside]) < WANTED else "no"]
            for name, result in results.items() for beside, (alone, what) in KINDS.items()]
    print(f"slow: a handshake of a WebSocket, median of {WAITS}, medians of {ROUNDS} rounds. Ratios are to a handshake "
          "without others.")
    print(table(["beside", "without", "with", "ratio", f"below {WANTED} ms"], rows))


if __name__ == "__main__":
    main()
