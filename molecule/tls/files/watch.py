"""Script for a proxy: records the command line of each process that it sees. Usage: watch.py FILE"""

from __future__ import annotations

import sys
import time
from pathlib import Path


def main(file: str) -> None:
    """Watch until the process is stopped."""
    seen: set[bytes] = set()
    with open(file, "wb", buffering=0) as out:
        while True:
            for process in Path("/proc").glob("[1-9]*/cmdline"):
                try:
                    line = process.read_bytes().replace(b"\0", b" ")
                except OSError:
                    continue
                if line not in seen:
                    seen.add(line)
                    out.write(line + b"\n")
            time.sleep(0.1)


main(*sys.argv[1:])
