"""Memory per idle WebSocket over TLS 1.3 in the worker of each Debian's nginx: what the role writes, with a certificate
that it makes, and the same without its directives on memory, so with nginx's own defaults for them. The workers'
common memory has a session for each handshake, and ends at 10 MiB for all; what is left without it is shown as well.

Usage: python -m tests.bench.tls
"""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from statistics import median

from ansible_collections.wsedge.nginx.plugins.action.websocket_proxy_certificates import options
from tests.bench.edge import ECHO_SERVICE, NGINX
from tests.bench.inside import TLS_SOCKETS
from tests.bench.table import ratio, table
from tests.support.compiling import compiled
from tests.support.container import Container, images
from tests.support.edge import CERTIFICATES, FOLDER, rendered

HERE = Path(__file__).parent
RELEASES = ["bullseye", "bookworm", "trixie"]
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
MOST = 39  # KiB
INVENTORY = {
    "worker_processes": 1,
    "upstreams": [{"name": "ws_node", "servers": ["127.0.0.1:3000"]}],
    "sites": [{"server_names": ["example.com"], "upstream": "ws_node", "tls": {"self_signed": True}}],
}


def without(files: dict[str, str], *directives: str) -> dict[str, str]:
    """Return the files without some directives, each of which they have."""
    for directive in directives:
        line = re.compile(rf"^ *{directive} .*;\n", re.M)
        assert any(map(line.search, files.values())), directive
        files = {path: line.sub("", text) for path, text in files.items()}
    return files


def measured(image: str) -> tuple[str, dict[str, list[float]]]:
    """Return which nginx an image has, and the bytes for one socket in each round, the reference first."""
    # The kernel shows the memory of nginx's workers, which changed their user, to SYS_PTRACE alone.
    container = Container(image, "none", "--cap-add", "SYS_PTRACE", "--volume", f"{HERE}:/bench:ro", "--volume",
                          f"{ECHO_SERVICE}:/websocket_echo:ro", "--env", "NODE_PATH=/usr/share/nodejs")
    try:
        # As the role looks at a host: its OpenSSL decides about the key exchange.
        host = container.module("nginx_info", {})
        model = compiled(INVENTORY, host)
        placed = container.module("nginx_certificates", {
            "certificates": options(model)["certificates"], "folder": CERTIFICATES, "generations": FOLDER})
        assert not placed.get("failed"), placed
        files = rendered(model)
        compared = {"defaults": without(files, "request_pool_size", "connection_pool_size", "ssl_buffer_size"),
                    "role": files, "no sessions": without(files, "ssl_session_cache")}
        container.write({"/tmp/task.json": json.dumps({"rounds": ROUNDS, "kinds": {"tls": 1}, "proxies": {
            name: {"files": some, "command": NGINX} for name, some in compared.items()}})})
        container.shell("python3 -B /bench/inside.py < /tmp/task.json > /tmp/results.json")
        results = json.loads(container.shell("cat /tmp/results.json"))
    finally:
        container.remove()
    version = f"nginx {'.'.join(map(str, container.nginx_version))}, OpenSSL {host['openssl_version']}"
    return version, {name: result["tls"] for name, result in results.items()}


def main() -> None:
    """Measure in a container of each release, one after the other, and print one table."""
    rows = []
    for release, image in zip(RELEASES, images(*RELEASES), strict=True):
        print(f"tls: {release}", file=sys.stderr)
        version, results = measured(image)
        kib = {name: median(values) / 1024 for name, values in results.items()}
        rows.append([version, *(f"{kib[name]:.1f} KiB" for name in ("defaults", "role")),
                     ratio(results["role"], results["defaults"]), "yes" if kib["role"] <= MOST else "no",
                     f"{kib['no sessions']:.1f} KiB"])
    print(f"tls: memory of nginx's worker for one of {TLS_SOCKETS:,} sockets over TLS 1.3 that echoed once, medians of "
          f"{ROUNDS}, opened with a browser's handshake.\n"
          "The certificate is the role's own (ECDSA). The defaults are nginx's, of the role's directives on memory."
          " Without sessions there is\nno cache of them in the workers' common memory, which ends at 10 MiB for all.")
    print(table(["", "nginx's defaults", "role", "to the defaults", f"at most {MOST} KiB", "without sessions"], rows))


if __name__ == "__main__":
    main()
