"""Memory per idle WebSocket in the nginx of each Debian release, without TLS and over TLS 1.3.

It compares the recipe with the role's configuration. The workers share a cache that has a session for each handshake
and never exceeds 10 MiB. The table therefore also has the memory without this cache.

Usage: python -m tests.bench.memory
"""

from __future__ import annotations

import json
import os
import re
import sys
from statistics import median
from typing import Any

from tests.bench.compared import ECHO_SERVICE, HERE, TLS, Served, recipe, role
from tests.bench.inside import IDLE_SOCKETS, TLS_SOCKETS
from tests.bench.table import ratio, table
from tests.support.container import Container, images

RELEASES = ["bullseye", "bookworm", "trixie"]
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
WANTED = {"role": 0.9, "role, 2k": 0.72}


def without_sessions(served: Served) -> Served:
    """Return the role's configuration without a cache of TLS sessions."""
    files = {path: re.sub(r"^ *ssl_session_cache .*;\n", "", text, flags=re.M)
             for path, text in served[TLS]["files"].items()}
    assert files != served[TLS]["files"]
    return {**served, TLS: {**served[TLS], "files": files}}


def measured(image: str) -> tuple[str, dict[str, dict[str, list[float]]]]:
    """Return the versions in an image, and the bytes for one socket of each proxy and each kind in each round."""
    # nginx's workers have changed their user, so the kernel shows their memory only with SYS_PTRACE.
    container = Container(image, "none", "--cap-add", "SYS_PTRACE", "--volume", f"{HERE}:/bench:ro", "--volume",
                          f"{ECHO_SERVICE}:/websocket_echo:ro", "--env", "NODE_PATH=/usr/share/nodejs")
    try:
        # The role reads the same facts: the host's OpenSSL decides about the key exchange.
        found: dict[str, Any] = container.module("nginx_info", {})
        compared = {"recipe": recipe(container.shell("cat /etc/nginx/nginx.conf")), "role": role(found),
                    "role, 2k": role(found, live_buffer_size="2k"), "no sessions": without_sessions(role(found))}
        container.write({"/tmp/task.json": json.dumps(
            {"rounds": ROUNDS, "kinds": ["idle", "idle_tls"], "proxies": compared})})
        container.shell("python3 -B /bench/inside.py < /tmp/task.json > /tmp/results.json")
        results = json.loads(container.shell("cat /tmp/results.json"))
    finally:
        container.remove()
    return f"nginx {'.'.join(map(str, container.nginx_version))}, OpenSSL {found['openssl_version']}", results


def main() -> None:
    """Measure in a container of each release, one after the other, and print one table."""
    rows = []
    for release, image in zip(RELEASES, images(*RELEASES), strict=True):
        print(f"memory: {release}", file=sys.stderr)
        version, results = measured(image)
        for name, result in results.items():
            cells = [cell for kind in ("idle", "idle_tls") for cell in (
                f"{median(result[kind]) / 1024:.1f} KiB", ratio(result[kind], results["recipe"][kind]))]
            share = median(result["idle"]) / median(results["recipe"]["idle"])
            at_most = f"{WANTED[name]}: {'yes' if share <= WANTED[name] else 'no'}" if name in WANTED else ""
            rows.append([f"{version}, {name}", *cells[:2], at_most, *cells[2:]])
    print(f"memory: of nginx for one of {IDLE_SOCKETS:,} sockets, and of its workers for one of {TLS_SOCKETS:,} over "
          f"TLS 1.3, that echoed once,\nmedians of {ROUNDS}, with a browser's handshake. Ratios are to the recipe. "
          "Without sessions there is no cache of them in the workers' common\nmemory, which ends at 10 MiB for all.")
    print(table(["", "idle", "ratio", "at most", "idle, TLS", "ratio"], rows))


if __name__ == "__main__":
    main()
