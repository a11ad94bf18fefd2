# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The test of a configuration with nginx -t, without what nginx -t leaves behind."""

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
    """Runs COMMAND, in which %s stands for the path of a main file; a CHECK leaves no logs and caches either."""

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
        """Tell whether the command is there."""
        return os.access(self.command[0], os.X_OK)

    def test(self, path: str, called: str, state: str) -> None:
        """Test the main file at PATH, which error messages call CALLED; keep nginx's warnings.

        :raises Failure: nginx refuses the configuration; the text has its error lines after STATE
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
        # nginx puts time and pid before what it finds after it has opened its log; the same mistake is the same text.
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
        """Return a line of nginx's, what it quotes hidden where that may be a secret."""
        found = _PLACE.search(line)
        if found and self._is_masked(found[1], int(found[2])):
            # What is quoted may hold quotation marks itself.
            return re.sub(r'".*"', f'"{MASK}"', line[:found.start()]) + found[0]
        return line

    def _is_masked(self, path: str, number: int) -> bool:
        """Tell whether a line of a generation's file is not to be shown."""
        folder, name = os.path.split(path)
        if os.path.dirname(folder) != self.generations.folder:
            return False
        return number - 1 in (self.generations.masked(os.path.basename(folder)) or {}).get(name, ())

    def _text_of(self, line: str) -> str:
        """Return the line of the configuration that a message of nginx's names: its file may be gone when this is read.

        Where a comment C(# From ...:) stands above it, with no C(# End of ...) between, it tells where the line is
        from.
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
        """Remove what nginx -t leaves: a new, empty pid file, and sockets without a listening process."""
        if os.path.lexists(self.pid_file) and not os.lstat(self.pid_file).st_size:
            os.unlink(self.pid_file)
        for path in [*([self.socket] if self.socket else []), *self.generations.sockets()]:
            remove_dead_socket(path)

    def _make_folder(self) -> str | None:
        """Make the folder of the socket for the time of the test, where it is not there yet."""
        folder = os.path.dirname(self.socket) if self.socket else None
        if folder is None or os.path.isdir(folder):
            return None
        os.mkdir(folder, 0o700)
        return folder


def _remove_empty(paths: list[str]) -> None:
    """Remove the logs and caches among PATHS that nginx -t has made for what does not come into force."""
    for path in paths:
        with suppress(OSError):
            if os.path.isdir(path) and not os.path.islink(path):
                os.rmdir(path)
            elif os.path.isfile(path) and not os.path.getsize(path):
                os.unlink(path)
