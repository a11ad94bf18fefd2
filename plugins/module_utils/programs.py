# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Programs of the host, as a module of Ansible's runs them; what runs without Ansible brings its own way."""

from __future__ import annotations

from typing import Any, Callable, NamedTuple


class Done(NamedTuple):
    """What became of a program."""

    code: int
    output: str
    errors: str


# Runs a program, given word by word, in a FOLDER; one that is not there has the code of a shell, 127.
Run = Callable[..., Done]


def runner(module: Any) -> Run:
    """Return what runs programs for an AnsibleModule."""

    def run(*words: str, folder: str | None = None) -> Done:
        try:
            return Done(*module.run_command(
                list(words), cwd=folder, environ_update={"LC_ALL": "C"}, expand_user_and_vars=False,
                errors="surrogate_or_replace", handle_exceptions=False))
        except FileNotFoundError as error:
            return Done(127, "", str(error))

    return run
