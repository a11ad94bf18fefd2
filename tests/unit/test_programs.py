"""How modules run programs of the host."""

from __future__ import annotations

from ansible_collections.wsedge.nginx.plugins.module_utils.programs import settle
from tests.support.waiting import wait_until


class Process:
    """A process that has closed its pipes, and ends after this number of LOOKS at it."""

    def __init__(self, looks: int) -> None:
        self.looks = looks

    def poll(self) -> int | None:
        """Return the exit code, once the process has ended."""
        self.looks -= 1
        return 3 if self.looks < 0 else None


def test_two_looks_in_a_row_see_the_same_whenever_a_process_ends() -> None:
    for looks in range(10):
        process = Process(looks)
        settle(process)
        assert process.poll() == process.poll() == (None if looks else 3)


def test_a_process_that_has_ended_is_seen_to_have_ended() -> None:
    process = Process(1)
    settle(process)
    wait_until(lambda: process.poll() == 3)
