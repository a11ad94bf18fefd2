"""The cost of WebSockets for a proxy: CPU for each echo, each MiB and each handshake, and memory for each idle socket.

The recipe is in the table twice: the difference between its two rows is noise.

Usage: python -m tests.bench.edge IMAGE
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from statistics import median

from tests.bench.compared import ECHO_SERVICE, HERE, caddy, haproxy, recipe, role
from tests.bench.inside import ECHO_SOCKETS, ECHOES, HANDSHAKES, IDLE_SOCKETS, LARGE_ECHOES, TLS_SOCKETS
from tests.bench.table import ratio, table

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
BUFFERS = ["1k", "2k", "8k", "16k", "32k"]  # the default is 4k
KINDS = (("echo", "µs", 1000), ("mib", "ms", 1e6), ("handshake", "µs", 1000), ("idle", "KiB", 1024),
         ("idle_tls", "KiB", 1024))


def output(image: str, *command: str) -> str:
    """Return the output of a command in a container."""
    return subprocess.run(["docker", "run", "--rm", "--network", "none", image, *command],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True).stdout


def main(image: str) -> None:
    """Measure in a container without a network, and print one table."""
    pasted = recipe(output(image, "cat", "/etc/nginx/nginx.conf"))
    versions = [output(image, "nginx", "-v").split("/")[1].split()[0], output(image, "haproxy", "-v").split()[2],
                output(image, "caddy", "version").split()[0]]
    openssl = re.findall(r"OpenSSL (\S+)", output(image, "nginx", "-V"))[-1]
    found = {"version": versions[0], "openssl_version": openssl}
    compared = {"recipe": pasted, "recipe, again": pasted, "role": role(found),
                **{f"role, {size}": role(found, live_buffer_size=size) for size in BUFFERS},
                "HAProxy": haproxy(), "Caddy": caddy()}
    # nginx's workers have changed their user, so the kernel shows their memory only with SYS_PTRACE.
    done = subprocess.run(
        ["docker", "run", "--rm", "--interactive", "--network", "none", "--cap-add", "SYS_PTRACE",
         "--volume", f"{HERE}:/bench:ro", "--volume", f"{ECHO_SERVICE}:/websocket_echo:ro",
         "--env", "NODE_PATH=/usr/share/nodejs", "--env", "HOME=/root", image, "python3", "-B", "/bench/inside.py"],
        input=json.dumps({"rounds": ROUNDS, "kinds": [kind for kind, _unit, _divisor in KINDS], "proxies": compared}),
        stdout=subprocess.PIPE, text=True, check=True)
    results = json.loads(done.stdout)
    print(f"edge: nginx {versions[0]}, HAProxy {versions[1]}, Caddy {versions[2]}, medians of {ROUNDS} rounds.\n"
          f"{ECHOES:,} echoes of 128 bytes over {ECHO_SOCKETS} sockets; {LARGE_ECHOES:,} of 64 KiB, for each MiB there "
          f"and back;\n{HANDSHAKES:,} handshakes; {IDLE_SOCKETS:,} sockets that echoed once, {TLS_SOCKETS:,} over TLS "
          "1.3, opened with a browser's handshake.\n1k to 32k are values of live_buffer_size, of which 4k is the "
          "default. Ratios are to the recipe, medians of the rounds' own,\nin brackets their middle half.")
    head = ["", *(cell for title in ("CPU, echo", "CPU, MiB", "CPU, handshake", "idle", "idle, TLS")
                  for cell in (title, "ratio"))]
    print(table(head, [[name, *(cell for kind, unit, divisor in KINDS for cell in (
        f"{median(result[kind]) / divisor:.1f} {unit}", ratio(result[kind], results["recipe"][kind])))]
        for name, result in results.items()]))


if __name__ == "__main__":
    main(sys.argv[1])
