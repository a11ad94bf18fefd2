# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The test of a configuration with nginx -t, and the removal of what nginx -t leaves behind."""

from __future__ import annotations

import os
import re
import shlex
from contextlib import suppress

from ansible_collections.wsedge.nginx.plugins.module_utils.generations import Failure, Generations
from ansible_collections.wsedge.nginx.plugins.module_utils.masking import MASK, masked
from ansible_collections.wsedge.nginx.plugins.module_utils.processes import remove_dead_socket
from ansible_collections.wsedge.nginx.plugins.module_utils.programs import Run

_PLACE = re.compile(r" in (\S+):([0-9]+)$")

COMMAND = "/usr/sbin/nginx -t -c %s -g 'daemon on; master_process on;'"


class ConfigTest:
    """A test with COMMAND, in which %s is the path of a main file; a CHECK leaves no new logs and caches either."""

    def __init__(self, command: str, pid_file: str, socket: str | None, generations: Generations,
                 run: Run, check: bool = False) -> None:
        self.run = run
        self.check = check
        self.command = shlex.split(command)
        self.pid_file = pid_file
        self.socket = socket
        self.generations = generations
        self.warnings: list[str] = []

    def possible(self) -> bool:
        """Return whether the command exists and is executable."""
        return os.access(self.command[0], os.X_OK)

    def test(self, path: str, called: str, state: str) -> None:
        """Test the main file at PATH, which error messages name as CALLED, and keep nginx's warnings.

        :raises Failure: nginx refuses the configuration; the message has STATE and then nginx's error lines
        """
        if not self.possible():
            raise Failure(f"{self.command[0]} does not exist; install nginx first")
        made_folder = self._make_folder()
        self.clear()
        missing = [path for path in self.generations.logs_and_caches() if not os.path.lexists(path)]
        try:
            done = self.run(*(word.replace("%s", path) for word in self.command))
        finally:
            self.clear()
            if made_folder:
                os.rmdir(made_folder)
        # After nginx has opened its log, errors begin with time and pid. Without them, equal mistakes have equal texts.
        lines = [re.sub(r"^[0-9/]+ [0-9:]+ (\[\w+\]) [0-9]+#[0-9]+: ", r"nginx: \1 ", line)
                 for line in (done.output + done.errors).splitlines()]
        if done.code or self.check:
            _remove_empty(missing)
        if done.code:
            told = [self.shown(line).replace(path, called) + self._text_of(line) for line in lines
                    if re.search(r"\[(emerg|crit|alert)\]", line)]
            raise Failure("\n".join([f"nginx refuses this configuration; {state}:", *(told or lines)]))
        self.warnings = [self.shown(line).replace(path, called) for line in lines if "[warn]" in line]

    def shown(self, line: str) -> str:
        """Return a line of nginx's output, with its quotation hidden if that may be a secret."""
        found = _PLACE.search(line)
        if found and self._is_masked(found[1], int(found[2])):
            # The quotation may itself contain quotation marks.
            return re.sub(r'".*"', f'"{MASK}"', line[:found.start()]) + found[0]
        return line

    def _is_masked(self, path: str, number: int) -> bool:
        """Return whether a line of a generation's file must not be shown."""
        folder, name = os.path.split(path)
        if os.path.dirname(folder) != self.generations.folder:
            return False
        return number - 1 in (self.generations.masked(os.path.basename(folder)) or {}).get(name, ())

    def _text_of(self, line: str) -> str:
        """Return the configuration line that a message of nginx names: its file may not exist when a user reads this.

        If a comment C(# From ...:) is above the line, with no C(# End of ...) in between, add the source of the line.
        """
        found = _PLACE.search(line)
        if not found:
            return ""
        try:
            with open(found[1], encoding="utf-8", errors="replace") as file:
                lines = [text.strip() for text in file.readlines()[:int(found[2])]]
        except OSError:
            return ""
        if len(lines) < int(found[2]):
            return ""
        text = masked(lines[-1], [0] if self._is_masked(found[1], int(found[2])) else [])
        for number, above in enumerate(reversed(lines)):
            source = re.match(r"# From (.+):$", above)
            if source and number:
                return f"\n    {text}\n    which is line {number} of {source[1]}"
            if above.startswith("# End of "):
                break
        return f"\n    {text}"

    def clear(self) -> None:
        """Remove what nginx -t leaves behind: a new, empty pid file, and sockets without a listening process."""
        if os.path.lexists(self.pid_file) and not os.lstat(self.pid_file).st_size:
            os.unlink(self.pid_file)
        for path in [*([self.socket] if self.socket else []), *self.generations.sockets()]:
            remove_dead_socket(path)

    def _make_folder(self) -> str | None:
        """Make the folder of the socket for the test if it does not exist; return the folder that was made."""
        folder = os.path.dirname(self.socket) if self.socket else None
        if folder is None or os.path.isdir(folder):
            return None
        os.mkdir(folder, 0o700)
        return folder


def _remove_empty(paths: list[str]) -> None:
    """Remove the empty logs and caches among PATHS, which nginx -t made for a configuration that is not committed."""
    for path in paths:
        with suppress(OSError):
            if os.path.isdir(path) and not os.path.islink(path):
                os.rmdir(path)
            elif os.path.isfile(path) and not os.path.getsize(path):
                os.unlink(path)
