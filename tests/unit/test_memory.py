"""The remaining memory that the kernel reports for a host and for control groups of both versions."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.wsedge.nginx.plugins.module_utils import memory

GROUP = "/system.slice/nginx.service"
MEMINFO = "MemTotal:       4000000 kB\nMemFree: 1 kB\nMemAvailable:   3000000 kB\nHugePages_Total:       0\n"


@pytest.fixture(name="host")
def host_(tmp_path: Path) -> Path:
    """Return a folder with the files of a host that runs process 7."""
    write(tmp_path, {"proc/meminfo": MEMINFO, "proc/7/cgroup": f"0::{GROUP}\n",
                     "proc/7/smaps_rollup": "00-ff ---p 00000000 00:00 0 [rollup]\nRss: 900 kB\nPss: 700 kB\n"})
    return tmp_path


def write(folder: Path, files: dict[str, str]) -> None:
    """Write files, by path."""
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)


def left(host: Path) -> tuple[int, int]:
    """Return the remaining memory for process 7, and the limit."""
    return memory.left(7, str(host / "proc"), str(host / "groups"))


def test_without_a_limit_it_is_the_hosts(host: Path) -> None:
    write(host, {f"groups{GROUP}/memory.max": "max\n", f"groups{GROUP}/memory.current": "5\n"})
    assert left(host) == (3000000 * 1024, 4000000 * 1024)


def test_a_nearer_limit_of_the_service_or_of_one_above_it_counts(host: Path) -> None:
    write(host, {f"groups{GROUP}/memory.max": "9000\n", f"groups{GROUP}/memory.current": "5000\n",
                 f"groups{GROUP}/memory.stat": "anon 4000\ninactive_file 1000\n"})
    assert left(host) == (5000, 9000)
    write(host, {"groups/system.slice/memory.max": "100\n", "groups/system.slice/memory.current": "40\n"})
    assert left(host) == (60, 100)


def test_the_older_version_of_control_groups_is_known(host: Path) -> None:
    write(host, {"proc/7/cgroup": f"9:memory:{GROUP}\n3:cpu,cpuacct:{GROUP}\n0::{GROUP}\n",
                 f"groups/memory{GROUP}/memory.limit_in_bytes": "9000\n",
                 f"groups/memory{GROUP}/memory.usage_in_bytes": "5000\n"})
    assert left(host) == (4000, 9000)


def test_a_process_has_its_part_of_what_it_shares(host: Path) -> None:
    assert memory.used(7, str(host / "proc")) == 700 * 1024
    assert memory.used(8, str(host / "proc")) == 0
    assert memory.used(os.getpid()) > 1 << 20 and 0 < memory.left(os.getpid())[0] <= memory.left(os.getpid())[1]
