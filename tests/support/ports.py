"""Free TCP ports of this machine, which no other worker of the test run uses."""

from __future__ import annotations

import itertools
import os
import random
import socket

# Below the ports that the kernel uses for outgoing connections (net.ipv4.ip_local_port_range), so that a port is
# still free when nginx listens on it.
FIRST, LAST = 10000, 30000
EACH = 1000

_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_begin = FIRST + _worker * EACH % (LAST - FIRST)
# The start is random, because another test run on the same machine must not use the same ports.
_ports = itertools.islice(itertools.cycle(range(_begin, _begin + EACH)), random.randrange(EACH), None)


def free_port() -> int:
    """Return the next port on which no process listens."""
    for port in itertools.islice(_ports, EACH):
        with socket.socket() as probe:
            try:
                probe.bind(("", port))
            except OSError:
                continue
            return port
    raise RuntimeError(f"no port from {_begin} on is free")


def free_address() -> str:
    """Return a free port of 127.0.0.1 as nginx and the inventory write it."""
    return f"127.0.0.1:{free_port()}"
