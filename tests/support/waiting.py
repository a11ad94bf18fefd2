"""Waiting for something to become true, on a machine that may be busy."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def wait_until(true: Callable[[], Any], seconds: float = 60, step: float = 0.05) -> None:
    """Wait for something to become true, and fail after some SECONDS."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"it did not become true within {seconds:g} seconds"
        time.sleep(step)
