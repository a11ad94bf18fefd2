# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The reopening of rotated logs by every nginx process that still writes to the old file.

Source: https://nginx.org/en/docs/control.html#logs
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress

from ansible_collections.wsedge.nginx.plugins.module_utils import processes

# The time for a master to reopen its logs. It does so at once, unless it is in the middle of a reload.
_SECONDS = 2


def reopen_logs(pid_file: str) -> None:
    """Make nginx reopen its logs, including workers that have outlived their master.

    A master creates a missing log and gives it to the user of its workers. Workers cannot create it themselves, so
    masters reopen their logs first.
    """
    orphans = processes.orphans(pid_file)
    for master in processes.masters(pid_file):
        before = processes.open_files(master)
        _signal(master)
        deadline = time.monotonic() + (_SECONDS if orphans else 0)
        last, now = before, processes.open_files(master)
        # A master reopens its logs one by one. It has finished if nothing changes between two checks.
        while (now == before or now != last) and time.monotonic() < deadline:
            time.sleep(0.1)
            last, now = now, processes.open_files(master)
    for orphan in orphans:
        _signal(orphan)


def _signal(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGUSR1)
