"""Examples from hypothesis, many at once: starting nginx for each one would take too long."""

from __future__ import annotations

from typing import TypeVar

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

T = TypeVar("T")


def examples(strategy: st.SearchStrategy[T], count: int) -> list[T]:
    """Return up to COUNT different examples."""
    found: list[T] = []

    @settings(max_examples=count, database=None, deadline=None, phases=[Phase.generate],
              suppress_health_check=list(HealthCheck))
    @given(strategy)
    def note(example: T) -> None:
        found.append(example)

    note()
    return found
