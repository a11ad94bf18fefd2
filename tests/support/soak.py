"""The extent of the broad tests: a fixed sample in an ordinary run, everything in ``make soak``."""

from __future__ import annotations

import os

SOAK = os.environ.get("WSEDGE_SOAK") == "1"


def broad(sample: int, whole: int) -> int:
    """Return how many cases a broad test tries in this run."""
    return whole if SOAK else sample
