"""The lock: a second run waits, and then says what it waited for."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from ansible_collections.wsedge.nginx.plugins.module_utils.generations import Failure, lock


def test_a_run_that_waits_too_long_says_what_for(tmp_path: Path) -> None:
    other = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX)
    with pytest.raises(Failure, match=f"another run has been changing {tmp_path} for 1 seconds"):
        lock(str(tmp_path), seconds=1)
    os.close(other)
    lock(str(tmp_path), seconds=1)
