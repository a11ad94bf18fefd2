# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Generations of a configuration: folders beside each other, of which the main file names one.

A generation is written under a temporary name, synced, and renamed when it is complete; nobody ever edits it after
that. The main file is replaced by one rename. So at any instant the tree on disk is one whole generation.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat

# Stands in the main file's text for the name of the generation.
MARKER = "@generation@"

_NAME = re.compile(r"[0-9]{6,}-[0-9a-f]{12}")
_UNFINISHED = re.compile(r"\.[0-9]{6,}-[0-9a-f]{12}\.(partial|removed)")


def checksum(text: bytes) -> str:
    """Return the checksum by which texts are compared (SHA-256, hexadecimal)."""
    return hashlib.sha256(text).hexdigest()


def number(generation: str) -> int:
    """Return the sequence number in a generation's name."""
    return int(generation.split("-", 1)[0])


def _sync_folder(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write(path: str, text: bytes) -> None:
    """Write a new file, mode 0644 whatever the umask, and sync it."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(text)
        file.flush()
        os.fchmod(descriptor, 0o644)
        os.fsync(descriptor)


def read(path: str) -> bytes | None:
    """Return a file's content, None where there is no file."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def _as_we_write(path: str) -> bool:
    found = os.lstat(path)
    return stat.S_ISREG(found.st_mode) and stat.S_IMODE(found.st_mode) == 0o644 and found.st_uid == os.geteuid()


class Generations:
    """The generations in FOLDER, and the file MAIN that names the one in force."""

    def __init__(self, main: str, folder: str) -> None:
        self.main = main
        self.folder = folder
        self._includes = re.compile(re.escape(folder) + "/(" + _NAME.pattern + ")/")

    def candidate(self, generation: str) -> str:
        """Return the path of the main file that is tested before it becomes the one in force."""
        return os.path.join(os.path.dirname(self.main), f".{os.path.basename(self.main)}.{generation}")

    def path(self, generation: str) -> str:
        """Return the folder of a generation."""
        return os.path.join(self.folder, generation)

    def all(self) -> list[str]:
        """Return the names of all complete generations, oldest first."""
        return sorted((name for name in self._entries() if _NAME.fullmatch(name)), key=number)

    def strays(self) -> list[str]:
        """Return the paths in our folder that are nothing of ours."""
        return [self.path(name) for name in sorted(self._entries())
                if not _NAME.fullmatch(name) and not _UNFINISHED.fullmatch(name)]

    def _entries(self) -> list[str]:
        try:
            return os.listdir(self.folder)
        except FileNotFoundError:
            return []

    def main_text(self) -> bytes | None:
        """Return the main file's text, None when there is none."""
        return read(self.main)

    def current(self) -> str | None:
        """Return the generation that the main file names, None when it names none."""
        found = self._includes.search((self.main_text() or b"").decode(errors="replace"))
        return found[1] if found else None

    def texts(self, generation: str | None) -> dict[str, bytes]:
        """Return every file of a generation by name."""
        if generation is None or not os.path.isdir(self.path(generation)):
            return {}
        folder = self.path(generation)
        return {name: read(os.path.join(folder, name)) or b"" for name in os.listdir(folder)
                if os.path.isfile(os.path.join(folder, name))}

    def untouched(self, generation: str) -> bool:
        """Tell whether owner and mode of everything in force are as we write them."""
        folder = self.path(generation)
        paths = [self.main] + [os.path.join(folder, name) for name in os.listdir(folder)]
        return all(_as_we_write(path) for path in paths)

    def next_name(self, digest: str) -> str:
        """Return the name of the next generation, whose content has this DIGEST."""
        return f"{max((number(name) for name in self.all()), default=0) + 1:06}-{digest[:12]}"

    def stage(self, generation: str, files: dict[str, bytes], main: bytes) -> str:
        """Write a complete generation and its candidate main file; return the candidate's path."""
        partial = os.path.join(self.folder, f".{generation}.partial")
        if not os.path.isdir(self.folder):
            os.mkdir(self.folder)
            os.chmod(self.folder, 0o755)
            _sync_folder(os.path.dirname(self.folder))
        os.mkdir(partial)
        os.chmod(partial, 0o755)
        for name, text in files.items():
            write(os.path.join(partial, name), text)
        _sync_folder(partial)
        os.rename(partial, self.path(generation))
        _sync_folder(self.folder)
        candidate = self.candidate(generation)
        write(candidate, main)
        return candidate

    def commit(self, generation: str) -> None:
        """Make the candidate the main file: the one instant in which the configuration on disk changes."""
        os.rename(self.candidate(generation), self.main)
        _sync_folder(os.path.dirname(self.main))

    def discard(self, generation: str) -> None:
        """Remove a generation that was not committed, and its candidate."""
        if os.path.lexists(self.candidate(generation)):
            os.unlink(self.candidate(generation))
        self._remove(generation)
        if os.path.isdir(self.folder) and not os.listdir(self.folder):
            os.rmdir(self.folder)

    def clear_leftovers(self) -> None:
        """Remove what a run left behind that ended before its commit."""
        for name in self._entries():
            if _UNFINISHED.fullmatch(name):
                shutil.rmtree(self.path(name))
        folder, base = os.path.split(self.main)
        for name in os.listdir(folder):
            if re.fullmatch(re.escape(f".{base}.") + _NAME.pattern, name):
                os.unlink(os.path.join(folder, name))
        current = self.current()
        for name in self.all() if current else []:
            if number(name) > number(current):
                self._remove(name)

    def prune(self, keep: int) -> None:
        """Remove all but the newest KEEP generations; the current one stays."""
        current = self.current()
        for name in self.all()[:-keep]:
            if name != current:
                self._remove(name)

    def _remove(self, generation: str) -> None:
        partial, removed = (os.path.join(self.folder, f".{generation}.{end}") for end in ("partial", "removed"))
        if os.path.isdir(partial):
            shutil.rmtree(partial)
        if os.path.isdir(self.path(generation)):
            os.rename(self.path(generation), removed)
            shutil.rmtree(removed)
