# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Generations of a configuration: folders side by side, one of which the main file names.

A generation is written under a temporary name, synced, and renamed when it is complete. After that, it is never
edited. One rename replaces the main file. So the configuration on disk is always one whole generation.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import re
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from ansible_collections.wsedge.nginx.plugins.module_utils.language import Unreadable, directives

# The placeholder in a text for the name of its generation.
MARKER = "@generation@"

# The main file of a generation, in the generation's folder. An include of *.conf does not match its name.
MAIN = "main"

# A file in the same folder, if the generation is an interim one.
INTERIM = "interim"

# A file in the same folder with the lines that differences do not show.
MASKED = "masked"

# The main file, which keeps its mode, and the links from before the first commit.
BEFORE = "before"
LINKS = "links.json"

# A link to the last generation that nginx was seen to run.
PROVED = "proved"

# Directives whose files and folders nginx creates, even for a test.
_MADE = re.compile(r"access_log|error_log|\w+_cache_path|\w+_temp_path")

# The next boot removes it.
LOCK = "/run/websocket_proxy.lock"

# Only root may read values of the inventory. nginx's master reads its configuration as root. The main file is public,
# because it only names the generation.
PRIVATE = 0o600
PUBLIC = 0o644
FOLDER_MODE = 0o700

# Files with users' passwords, which nginx's workers read at each request. So the workers' group may read these files
# and enter the folders above them. The first file of a generation has the number 1.
USERS = "users-"
SHARED = 0o640
SHARED_FOLDER = 0o710

_NAME = re.compile(r"[0-9]{6,}-[0-9a-f]{12}")
_UNFINISHED = re.compile(r"\.[0-9]{6,}-[0-9a-f]{12}\.(partial|removed)")


class Failure(Exception):
    """A request that cannot be fulfilled; the text has the cause and the remedy."""


def lock(folder: str, seconds: int = 60, by: str = LOCK) -> None:
    """Lock FOLDER against a second run; the lock ends with the process, which keeps the file BY open.

    A user who can open a file can lock it. So the file belongs to root, in a folder where only root can create files.

    :raises Failure: another run has held the lock for that many SECONDS
    """
    try:
        descriptor = os.open(by, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, PRIVATE)
    except PermissionError:
        raise Failure(f"only root can change {folder}; set become: true for the task") from None
    for _attempt in range(seconds * 10):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            time.sleep(0.1)
    raise Failure(f"another run has been changing {folder} for {seconds} seconds; run again when it has ended")


def checksum(text: bytes) -> str:
    """Return the checksum by which texts are compared (SHA-256, hexadecimal)."""
    return hashlib.sha256(text).hexdigest()


def unnamed(text: bytes, generation: str | None) -> bytes:
    """Return TEXT with the marker instead of the GENERATION's name."""
    return text.replace(generation.encode(), MARKER.encode()) if generation else text


def number(generation: str) -> int:
    """Return the sequence number in a generation's name."""
    return int(generation.split("-", 1)[0])


def sync(path: str) -> None:
    """Sync a file or folder to disk, so that it survives a power failure."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        with _named(path):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _named(path: str) -> Iterator[None]:
    """Add PATH to errors, because errors of calls on descriptors do not name it."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from None


def write(path: str, text: bytes, mode: int = PRIVATE) -> None:
    """Write a new file with this MODE, regardless of the umask, and sync it."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with _named(path), os.fdopen(descriptor, "wb") as file:
        file.write(text)
        file.flush()
        os.fchmod(descriptor, mode)
        os.fsync(descriptor)


def read(path: str) -> bytes | None:
    """Return a file's content, or None if there is no file."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def replace(path: str, text: bytes, by: str, mode: int = PRIVATE) -> None:
    """Replace or create a file in one step: write it as the file BY first, and rename that."""
    remove_file(by)
    write(by, text, mode)
    os.rename(by, path)


def remove_file(path: str) -> None:
    """Remove a file if it exists."""
    if os.path.lexists(path):
        os.unlink(path)


def _mode(name: str) -> int:
    """Return the mode of a file of a generation."""
    return SHARED if name.startswith(USERS) else PRIVATE


def _as_we_write(path: str) -> bool:
    found = os.lstat(path)
    return stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid()


class Generations:
    """The generations in FOLDER, and the file MAIN that names the current one."""

    def __init__(self, main: str, folder: str) -> None:
        self.main = main
        self.folder = folder
        self.before = os.path.join(folder, BEFORE)
        self._texts: tuple[set[str], list[bytes]] = (set(), [])
        self._last: tuple[str, dict[str, bytes]] = ("", {})
        # The group of nginx's workers.
        self.group = 0
        self._includes = re.compile(re.escape(folder) + "/(" + _NAME.pattern + ")/")

    def candidate(self, generation: str) -> str:
        """Return the path of the candidate, which is tested before it becomes the main file."""
        return os.path.join(os.path.dirname(self.main), f".{os.path.basename(self.main)}.{generation}")

    def path(self, generation: str) -> str:
        """Return the folder of a generation."""
        return os.path.join(self.folder, generation)

    def all(self) -> list[str]:
        """Return the names of all complete generations, oldest first."""
        entries = self._entries()
        return sorted((name for name in entries if _NAME.fullmatch(name) and f".{name}.removed" not in entries),
                      key=number)

    def strays(self) -> list[str]:
        """Return the paths in our folder that the role did not create."""
        return [self.path(name) for name in sorted(self._entries())
                if name not in (BEFORE, PROVED) and not _NAME.fullmatch(name) and not _UNFINISHED.fullmatch(name)]

    def _entries(self) -> list[str]:
        try:
            return os.listdir(self.folder)
        except FileNotFoundError:
            return []

    def main_text(self) -> bytes | None:
        """Return the main file's text, or None if there is no main file."""
        return read(self.main)

    def current(self) -> str | None:
        """Return the generation that the main file names, or None if it names none."""
        found = self._includes.search((self.main_text() or b"").decode(errors="replace"))
        return found[1] if found else None

    def proved(self) -> str | None:
        """Return the last generation that nginx was seen to run, or None if there is none."""
        link = os.path.join(self.folder, PROVED)
        return os.readlink(link) if os.path.isdir(link) else None

    def prove(self, generation: str) -> None:
        """Remember the generation that nginx was just seen to run."""
        link = os.path.join(self.folder, PROVED)
        if self.proved() != generation:
            remove_file(link)
            os.symlink(generation, link)

    def sockets(self) -> list[str]:
        """Return the paths of the unix sockets that the current or the newest generation listens on."""
        return sorted({words[1][5:] for words in self._newest(b"unix:")
                       if words[0] == "listen" and words[1].startswith("unix:")})

    def certificates(self) -> list[str]:
        """Return the paths of the certificates that the current generation presents to clients and to backends.

        An interim generation, such as that of a drained edge, has those of the previous configuration as well.
        """
        current = self.current()
        names = {current, self.earlier(current) if self.interim(current) else None} if current else set()
        found = {one.words[1] for name in names if name for text in self.texts(name).values()
                 if b"ssl_certificate" in text for one in directives(text.decode(errors="surrogateescape"))
                 if one.words[0] in ("ssl_certificate", "proxy_ssl_certificate") and one.words[1:]}
        return sorted(path for path in found if "$" not in path)

    def logs_and_caches(self) -> list[str]:
        """Return the paths of files and folders that nginx creates for these generations if they are missing."""
        return sorted({words[1] for words in self._newest(b"_log", b"_path")
                       if _MADE.fullmatch(words[0]) and words[1].startswith("/")})

    def _newest(self, *parts: bytes) -> Iterator[list[str]]:
        """Yield directives with arguments of the current and the newest generation, from files with one of PARTS."""
        names = {*self.all()[-1:], self.current() or ""} - {""}
        if self._texts[0] != names:
            self._texts = names, [text for name in names for text in self.texts(name).values()]
        for text in self._texts[1]:
            if any(part in text for part in parts):
                with suppress(Unreadable):
                    yield from (one.words for one in directives(text.decode(errors="surrogateescape")) if one.words[1:])

    def texts(self, generation: str) -> dict[str, bytes]:
        """Return every file of a generation by name, without MAIN, INTERIM and MASKED."""
        if not os.path.isdir(self.path(generation)):
            return {}
        # A generation's name has the checksum of its texts, so the last generation need not be read again.
        if self._last[0] != generation:
            folder = self.path(generation)
            self._last = generation, {
                name: read(os.path.join(folder, name)) or b"" for name in os.listdir(folder)
                if name not in (MAIN, INTERIM, MASKED) and os.path.isfile(os.path.join(folder, name))}
        return self._last[1]

    def plain_texts(self, generation: str) -> dict[str, bytes]:
        """Return every file of a generation with the marker instead of the generation's name.

        So equal files of different generations have equal texts.
        """
        return {name: unnamed(text, generation) for name, text in self.texts(generation).items()}

    def main_of(self, generation: str) -> bytes:
        """Return the text of the main file of a generation."""
        text = read(os.path.join(self.path(generation), MAIN))
        if text is None:
            raise Failure(f"{generation} in {self.folder} lacks files; choose another generation")
        return text

    def same(self, one: str, other: str) -> bool:
        """Return whether two generations have the same texts; files that they refer to may have changed in between."""
        if self._sizes(one) != self._sizes(other):
            return False
        return self.plain_texts(one) == self.plain_texts(other) \
            and unnamed(self.main_of(one), one) == unnamed(self.main_of(other), other)

    def _sizes(self, generation: str) -> set[tuple[str, int]]:
        # All names of generations have the same length, so equal texts have equal sizes.
        with os.scandir(self.path(generation)) as files:
            return {(file.name, file.stat().st_size) for file in files
                    if file.name not in (INTERIM, MASKED)}

    def masked(self, generation: str) -> dict[str, list[int]] | None:
        """Return the lines of a generation's files that are not shown, by file name; None if they are not recorded."""
        text = read(os.path.join(self.path(generation), MASKED))
        return None if text is None else dict(json.loads(text))

    def mask(self, generation: str, lines: dict[str, list[int]]) -> None:
        """Record which lines of a generation's files are not shown, without changing the files."""
        if self.masked(generation) != lines:
            path = os.path.join(self.path(generation), MASKED)
            replace(path, json.dumps(lines).encode(), f"{path}.new")

    def interim(self, generation: str) -> bool:
        """Return whether a generation is an interim one, which is temporary and not one to go back to."""
        return os.path.isfile(os.path.join(self.path(generation), INTERIM))

    def earlier(self, generation: str) -> str | None:
        """Return the last previous generation that has another configuration and is not interim, or None."""
        for name in reversed(self.all()):
            if number(name) < number(generation) and not self.interim(name) and not self.same(name, generation):
                return name
        return None

    def listed(self, running: str | None) -> list[dict[str, Any]]:
        """Return the generations to go back to, newest first; RUNNING is the generation that nginx reports."""
        current = self.current()
        here = self.plain_texts(current) if current else {}
        found = []
        for name in reversed(self.all()):
            texts = self.plain_texts(name)
            found.append({
                "generation": name,
                "age": int(time.time() - os.stat(self.path(name)).st_mtime),
                "on_disk": name == current,
                "running": name == running,
                "interim": self.interim(name),
                "different": sorted(file for file in {*texts, *here} if texts.get(file) != here.get(file)),
            })
        return found

    def untouched(self, generation: str) -> bool:
        """Return whether the main file and a generation's files are ours; wrong modes are corrected in place."""
        folder = self.path(generation)
        paths = [self.main] + [os.path.join(folder, name) for name in os.listdir(folder)]
        return all(_as_we_write(path) for path in paths)

    def wrong_modes(self) -> dict[str, int]:
        """Return the paths with a wrong mode, each with the right one; earlier versions let every user read them.

        Modes do not matter in a folder that only root can enter. So the files of previous generations in such
        folders are not checked.
        """
        current = self.current()
        modes = {self.main: PUBLIC} if current else {}
        modes.update((path, FOLDER_MODE) for path in (self.folder, self.before) if os.path.isdir(path))
        if any(self._shared(self.path(generation)) for generation in self.all()):
            modes[self.folder] = SHARED_FOLDER
        links = os.path.join(self.before, LINKS)
        if os.path.lexists(links):
            modes[links] = PRIVATE
        for generation in self.all():
            folder = self.path(generation)
            modes[folder] = SHARED_FOLDER if self._shared(folder) else FOLDER_MODE
            if generation == current or stat.S_IMODE(os.lstat(folder).st_mode) != modes[folder]:
                modes.update((os.path.join(folder, name), _mode(name)) for name in os.listdir(folder))
        found = {path: os.lstat(path).st_mode for path in modes}
        return {path: mode for path, mode in modes.items() if stat.S_IMODE(found[path]) != mode
                and (stat.S_ISREG(found[path]) or stat.S_ISDIR(found[path]))}

    @staticmethod
    def _shared(folder: str) -> bool:
        """Return whether nginx's workers read files in the FOLDER of a generation."""
        return os.path.lexists(os.path.join(folder, f"{USERS}1"))

    def _share(self, path: str, mode: int) -> None:
        os.chown(path, -1, self.group)
        os.chmod(path, mode)

    def next_name(self, digest: str) -> str:
        """Return the name of the next generation, whose content has this DIGEST."""
        return f"{max((number(name) for name in self.all()), default=0) + 1:06}-{digest[:12]}"

    def wrong_groups(self) -> list[str]:
        """Return the paths that nginx's workers must read but that belong to another group."""
        current = self.current()
        folder = self.path(current) if current else ""
        if not current or not self._shared(folder):
            return []
        paths = [self.folder, folder, *(os.path.join(folder, name) for name in os.listdir(folder)
                                        if name.startswith(USERS))]
        return [path for path in paths if os.lstat(path).st_gid != self.group]

    def stage(self, generation: str, files: dict[str, bytes], main: bytes, share: bool = True) -> str:
        """Write a complete generation and its candidate main file; return the candidate's path.

        Without SHARE, nginx's workers cannot reach it.
        """
        partial = os.path.join(self.folder, f".{generation}.partial")
        if not os.path.isdir(self.folder):
            os.mkdir(self.folder, FOLDER_MODE)
            sync(os.path.dirname(self.folder))
        os.mkdir(partial, FOLDER_MODE)
        for name, text in {**files, MAIN: main}.items():
            write(os.path.join(partial, name), text)
            if name.startswith(USERS):
                self._share(os.path.join(partial, name), SHARED)
        if self._shared(partial):
            self._share(partial, SHARED_FOLDER)
            if share:
                self._share(self.folder, SHARED_FOLDER)
        sync(partial)
        # The candidate is written first: while it exists, its generation has never been committed.
        candidate = self.candidate(generation)
        write(candidate, main, PUBLIC)
        os.rename(partial, self.path(generation))
        sync(self.folder)
        return candidate

    def commit(self, generation: str) -> None:
        """Rename the candidate to the main file, which changes the whole configuration on disk at once."""
        os.rename(self.candidate(generation), self.main)

    def sync(self) -> None:
        """Sync the commit to disk, so that it survives a power failure."""
        sync(os.path.dirname(self.main))

    def go_back_to(self, generation: str) -> None:
        """Commit an existing generation."""
        replace(self.main, self.main_of(generation), self.candidate(generation), PUBLIC)
        self.sync()

    def discard(self, generation: str) -> None:
        """Remove a generation that is not current, and its candidate."""
        self._remove(generation)
        remove_file(self.candidate(generation))
        if os.path.isdir(self.folder) and not os.listdir(self.folder):
            os.rmdir(self.folder)

    def clear_leftovers(self) -> None:
        """Remove what an interrupted run left behind, and generations that were never committed."""
        for name in self._entries():
            if _UNFINISHED.fullmatch(name):
                generation, removed = name[1:].split(".")
                if removed == "removed" and os.path.isdir(self.path(generation)):
                    shutil.rmtree(self.path(generation))
                shutil.rmtree(self.path(name))
        folder, base = os.path.split(self.main)
        candidates = {name for name in os.listdir(folder) if re.fullmatch(re.escape(f".{base}.") + _NAME.pattern, name)}
        current = self.current()
        for name in self.all():
            if number(name) > number(current) if current else f".{base}.{name}" in candidates:
                self._remove(name)
        for name in candidates:
            os.unlink(os.path.join(folder, name))

    def prune(self, keep: int, running: str | None) -> None:
        """Remove all generations but the newest KEEP ones to go back to, the current, the proved and the RUNNING one.

        Interim generations, and those with the same texts as the next one, do not count towards KEEP.
        """
        needed = (self.current(), running, self.proved())
        names = [name for name in self.all() if not self.interim(name)]
        kept: list[str] = []
        for name in reversed(self.all()):
            # With many sites, a comparison is slow. So generations are compared only if there are more than KEEP.
            if len(kept) < keep and name in names and not (
                    kept and len(names) > keep and self.same(name, kept[-1])):
                kept.append(name)
            elif name not in needed:
                self._remove(name)

    def remove_all(self) -> None:
        """Remove every generation, and the folder if nothing else is in it."""
        self.clear_leftovers()
        for name in self.all():
            self._remove(name)
        remove_file(os.path.join(self.folder, PROVED))
        if os.path.isdir(self.folder) and not os.listdir(self.folder):
            os.rmdir(self.folder)

    def _remove(self, generation: str) -> None:
        partial, removed = (os.path.join(self.folder, f".{generation}.{end}") for end in ("partial", "removed"))
        if os.path.isdir(partial):
            shutil.rmtree(partial)
        if os.path.isdir(self.path(generation)):
            try:
                os.rename(self.path(generation), removed)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                # overlayfs cannot rename a folder of a container's image. An empty folder marks it during the removal.
                os.mkdir(removed, FOLDER_MODE)
                shutil.rmtree(self.path(generation))
            shutil.rmtree(removed)
