# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The way Ansible modules run programs of the host; code that runs without Ansible has its own way."""

from __future__ import annotations

import time
from typing import Any, Callable, NamedTuple


class Done(NamedTuple):
    """The result of a program."""

    code: int
    output: str
    errors: str


# Runs a program, given word by word, in a FOLDER. If there is no such program, the code is 127, as in a shell.
Run = Callable[..., Done]


def settle(process: Any) -> None:
    """Prevent a process from being seen to end between two polls.

    After its pipes are closed, AnsibleModule.run_command polls the process twice in a row. If only the first poll finds
    it alive, run_command waits for the closed pipes, which takes a second. So this makes the result "alive" last for a
    moment. If both polls find the process alive, run_command waits for its end.
    """
    look, alive_until = process.poll, 0.0

    def poll() -> int | None:
        nonlocal alive_until
        if time.monotonic() < alive_until:
            return None
        code: int | None = look()
        if code is None:
            alive_until = time.monotonic() + 0.05
        return code

    process.poll = poll


def runner(module: Any) -> Run:
    """Return a function that runs programs for an AnsibleModule."""

    def run(*words: str, folder: str | None = None) -> Done:
        try:
            return Done(*module.run_command(
                list(words), cwd=folder, environ_update={"LC_ALL": "C"}, expand_user_and_vars=False,
                errors="surrogate_or_replace", handle_exceptions=False, before_communicate_callback=settle))
        except FileNotFoundError as error:
            return Done(127, "", str(error))

    return run
