# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Programs of the host, as a module of Ansible's runs them; what runs without Ansible brings its own way."""

from __future__ import annotations

import time
from typing import Any, Callable, NamedTuple


class Done(NamedTuple):
    """What became of a program."""

    code: int
    output: str
    errors: str


# Runs a program, given word by word, in a FOLDER; one that is not there has the code of a shell, 127.
Run = Callable[..., Done]


def settle(process: Any) -> None:
    """Have a program's process not end between two looks at it.

    AnsibleModule.run_command looks twice in a row, once its pipes are closed. Where the first look finds the process
    alive and the second does not, it waits for the closed pipes, which takes a second. So what a look has found holds
    for a moment; after two that find it alive, run_command waits for its end.
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
    """Return what runs programs for an AnsibleModule."""

    def run(*words: str, folder: str | None = None) -> Done:
        try:
            return Done(*module.run_command(
                list(words), cwd=folder, environ_update={"LC_ALL": "C"}, expand_user_and_vars=False,
                errors="surrogate_or_replace", handle_exceptions=False, before_communicate_callback=settle))
        except FileNotFoundError as error:
            return Done(127, "", str(error))

    return run
