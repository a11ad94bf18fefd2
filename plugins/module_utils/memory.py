# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The memory that processes use, and the memory that is left for them.

Source: proc_pid_smaps(5), proc_meminfo(5), and cgroups(7) in both versions
"""

from __future__ import annotations

import os
from collections.abc import Iterator

# The limit and the usage of a control group, and its cache in memory.stat, in cgroup v2 and v1.
_FILES = (("memory.max", "memory.current", "inactive_file"),
          ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"))


def used(pid: int, proc: str = "/proc") -> int:
    """Return how many bytes a process uses, with its part of shared memory; 0 if that cannot be read."""
    return _numbers(f"{proc}/{pid}/smaps_rollup").get("Pss:", 0) * 1024


def left(pid: int, proc: str = "/proc", groups: str = "/sys/fs/cgroup") -> tuple[int, int]:
    """Return how many bytes of memory are left for a process, and of how many.

    They are those of the host or of the limit of a control group, whichever has less left.
    """
    host = _numbers(f"{proc}/meminfo")
    return min([(host.get("MemAvailable:", 0) * 1024, host.get("MemTotal:", 0) * 1024), *_limits(pid, proc, groups)])


def _limits(pid: int, proc: str, groups: str) -> Iterator[tuple[int, int]]:
    """Yield the bytes that are left and the limit, for each control group with a limit."""
    for line in _lines(f"{proc}/{pid}/cgroup"):
        _number, controllers, path = line.rstrip("\n").split(":", 2)
        root = {"": groups, "memory": f"{groups}/memory"}.get(controllers)
        while root and path not in ("", "/"):
            for limit, usage, cache in _FILES:
                most = _number_in(f"{root}{path}/{limit}")
                if most is not None:
                    # The kernel frees inactive pages of files before memory runs out, so they count as free.
                    taken = (_number_in(f"{root}{path}/{usage}") or 0) \
                        - _numbers(f"{root}{path}/memory.stat").get(cache, 0)
                    yield most - taken, most
            path = os.path.dirname(path)


def _number_in(path: str) -> int | None:
    text = "".join(_lines(path)).strip()
    return int(text) if text.isdigit() else None


def _numbers(path: str) -> dict[str, int]:
    """Return the numbers of a file whose lines have a name, a number, and perhaps a unit."""
    words = [line.split() for line in _lines(path)]
    return {one[0]: int(one[1]) for one in words if len(one) > 1 and one[1].isdigit()}


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.readlines()
    except OSError:
        return []
