"""The lock: a second run waits, and then reports what it waited for."""

from __future__ import annotations

import fcntl
import os
import stat
from pathlib import Path

import pytest

from ansible_collections.wsedge.nginx.plugins.module_utils.generations import Failure, lock


def test_a_run_that_waits_too_long_says_what_for(tmp_path: Path) -> None:
    by = str(tmp_path / "lock")
    other = os.open(by, os.O_RDWR | os.O_CREAT)
    fcntl.flock(other, fcntl.LOCK_EX)
    with pytest.raises(Failure, match=f"another run has been changing {tmp_path} for 1 seconds"):
        lock(str(tmp_path), seconds=1, by=by)
    os.close(other)
    lock(str(tmp_path), seconds=1, by=by)


def test_a_lock_that_any_user_could_take_blocks_no_run(tmp_path: Path) -> None:
    other = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX)
    by = tmp_path / "lock"
    lock(str(tmp_path), seconds=1, by=str(by))
    os.close(other)
    assert stat.S_IMODE(by.stat().st_mode) == 0o600


def test_a_link_in_the_place_of_the_lock_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "lock").symlink_to(tmp_path / "other")
    with pytest.raises(OSError, match="symbolic link"):
        lock(str(tmp_path), seconds=1, by=str(tmp_path / "lock"))
    assert not (tmp_path / "other").exists()
