# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Logs that were rotated: every process of nginx that still writes to the old file opens the new one.

Source: https://nginx.org/en/docs/control.html#logs
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress

from ansible_collections.wsedge.nginx.plugins.module_utils import processes

# A master opens its logs at once, unless it is in the middle of a reload.
_SECONDS = 2


def reopen_logs(pid_file: str) -> None:
    """Have nginx open its logs anew, workers included that have outlived their master.

    A master makes a log that is missing, and gives it to the user of its workers, who could not make it themselves.
    """
    orphans = processes.orphans(pid_file)
    for master in processes.masters(pid_file):
        before = processes.open_files(master)
        _signal(master)
        deadline = time.monotonic() + (_SECONDS if orphans else 0)
        last, now = before, processes.open_files(master)
        # It opens one after the other, and is done when nothing more changes between two looks.
        while (now == before or now != last) and time.monotonic() < deadline:
            time.sleep(0.1)
            last, now = now, processes.open_files(master)
    for orphan in orphans:
        _signal(orphan)


def _signal(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGUSR1)
