"""How modules run programs of the host."""

from __future__ import annotations

from ansible_collections.wsedge.nginx.plugins.module_utils.programs import settle


class Process:
    """A process that has closed its pipes, and ends after a number of looks at it."""

    def __init__(self, looks: int) -> None:
        self.looks = looks

    def poll(self) -> int | None:
        """Tell how it ended, once it has."""
        self.looks -= 1
        return 3 if self.looks < 0 else None


def test_a_process_that_ends_is_seen_to_end_by_the_first_of_two_looks() -> None:
    for looks in range(10):
        process = Process(looks)
        settle(process)
        assert process.poll() == process.poll() == 3


def test_a_process_that_goes_on_is_seen_to_go_on() -> None:
    process = Process(1000)
    settle(process)
    assert process.poll() is process.poll() is None
