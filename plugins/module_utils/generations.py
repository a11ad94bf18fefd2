# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Generations of a configuration: folders beside each other, of which the main file names one.

A generation is written under a temporary name, synced, and renamed when it is complete; it is never edited after
that. The main file is replaced by one rename. So at any instant the tree on disk is one whole generation.
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

# Stands in a text for the name of the generation that it belongs to.
MARKER = "@generation@"

# Beside the files of a generation lies the main file that goes with it; no include of *.conf takes it in.
MAIN = "main"

# Beside them too, when a generation is only a step to the next.
INTERIM = "interim"

# Beside them as well: the lines that differences do not show.
MASKED = "masked"

# What was there before the first commit: the main file, which keeps its mode, and links.
BEFORE = "before"
LINKS = "links.json"

# A link to the generation that nginx was last seen to run.
PROVED = "proved"

# Directives whose files and folders nginx makes, also for a test.
_MADE = re.compile(r"access_log|error_log|\w+_cache_path|\w+_temp_path")

# It goes with the next boot.
LOCK = "/run/websocket_proxy.lock"

# What the inventory says is for root only; nginx's master reads its configuration as root, and the main file names no
# more than the generation.
PRIVATE = 0o600
PUBLIC = 0o644
FOLDER_MODE = 0o700

# Files with users' passwords, which nginx's workers read at each request: they are for the workers' group as well, and
# so is the way to them. The first of a generation has the number 1.
USERS = "users-"
SHARED = 0o640
SHARED_FOLDER = 0o710

_NAME = re.compile(r"[0-9]{6,}-[0-9a-f]{12}")
_UNFINISHED = re.compile(r"\.[0-9]{6,}-[0-9a-f]{12}\.(partial|removed)")


class Failure(Exception):
    """What was asked for cannot be done; the text says why and what helps."""


def lock(folder: str, seconds: int = 60, by: str = LOCK) -> None:
    """Lock FOLDER against a second run; the lock ends with the process, which keeps the file BY open.

    Whoever can open a file can lock it, so it is one of root's, where only root can put one.

    :raises Failure: another run has held it for that many SECONDS
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
    """Have a file or folder outlive a loss of power."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        with _named(path):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _named(path: str) -> Iterator[None]:
    """Have errors name the PATH: those of calls on descriptors do not."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from None


def write(path: str, text: bytes, mode: int = PRIVATE) -> None:
    """Write a new file, with this MODE whatever the umask, and sync it."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with _named(path), os.fdopen(descriptor, "wb") as file:
        file.write(text)
        file.flush()
        os.fchmod(descriptor, mode)
        os.fsync(descriptor)


def read(path: str) -> bytes | None:
    """Return a file's content, None where there is no file."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def replace(path: str, text: bytes, by: str, mode: int = PRIVATE) -> None:
    """Replace a file, or make it, in one step: it is written as the file BY first."""
    remove_file(by)
    write(by, text, mode)
    os.rename(by, path)


def remove_file(path: str) -> None:
    """Remove a file, if it is there."""
    if os.path.lexists(path):
        os.unlink(path)


def _mode(name: str) -> int:
    """Return the mode of a file of a generation."""
    return SHARED if name.startswith(USERS) else PRIVATE


def _as_we_write(path: str) -> bool:
    found = os.lstat(path)
    return stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid()


class Generations:
    """The generations in FOLDER, and the file MAIN that names the one in force."""

    def __init__(self, main: str, folder: str) -> None:
        self.main = main
        self.folder = folder
        self.before = os.path.join(folder, BEFORE)
        self._texts: tuple[set[str], list[bytes]] = (set(), [])
        self._last: tuple[str, dict[str, bytes]] = ("", {})
        # That of nginx's workers.
        self.group = 0
        self._includes = re.compile(re.escape(folder) + "/(" + _NAME.pattern + ")/")

    def candidate(self, generation: str) -> str:
        """Return the path of the main file that is tested before it becomes the one in force."""
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
        """Return the paths in our folder that are nothing of ours."""
        return [self.path(name) for name in sorted(self._entries())
                if name not in (BEFORE, PROVED) and not _NAME.fullmatch(name) and not _UNFINISHED.fullmatch(name)]

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

    def proved(self) -> str | None:
        """Return the generation that nginx was last seen to run, None when there is none."""
        link = os.path.join(self.folder, PROVED)
        return os.readlink(link) if os.path.isdir(link) else None

    def prove(self, generation: str) -> None:
        """Remember the generation that nginx was just seen to run."""
        link = os.path.join(self.folder, PROVED)
        if self.proved() != generation:
            remove_file(link)
            os.symlink(generation, link)

    def sockets(self) -> list[str]:
        """Return the paths of the unix sockets that the generation in force listens on, or the newest one."""
        return sorted({words[1][5:] for words in self._newest(b"unix:")
                       if words[0] == "listen" and words[1].startswith("unix:")})

    def certificates(self) -> list[str]:
        """Return the paths of the certificates that the generation in force shows to clients and to backends.

        A step, such as that of an edge that is taken out, has those of the one before it as well.
        """
        current = self.current()
        names = {current, self.earlier(current) if self.interim(current) else None} if current else set()
        found = {one.words[1] for name in names if name for text in self.texts(name).values()
                 if b"ssl_certificate" in text for one in directives(text.decode(errors="surrogateescape"))
                 if one.words[0] in ("ssl_certificate", "proxy_ssl_certificate") and one.words[1:]}
        return sorted(path for path in found if "$" not in path)

    def logs_and_caches(self) -> list[str]:
        """Return the paths of files and folders that nginx makes for these generations where they are missing."""
        return sorted({words[1] for words in self._newest(b"_log", b"_path")
                       if _MADE.fullmatch(words[0]) and words[1].startswith("/")})

    def _newest(self, *parts: bytes) -> Iterator[list[str]]:
        """Give the directives with arguments of those files in force, and of the newest, that hold one of PARTS."""
        names = {*self.all()[-1:], self.current() or ""} - {""}
        if self._texts[0] != names:
            self._texts = names, [text for name in names for text in self.texts(name).values()]
        for text in self._texts[1]:
            if any(part in text for part in parts):
                with suppress(Unreadable):
                    yield from (one.words for one in directives(text.decode(errors="surrogateescape")) if one.words[1:])

    def texts(self, generation: str) -> dict[str, bytes]:
        """Return every file of a generation by name, what lies beside them not among them."""
        if not os.path.isdir(self.path(generation)):
            return {}
        # A generation's name has the checksum of its texts, so the last one that was read is not read again.
        if self._last[0] != generation:
            folder = self.path(generation)
            self._last = generation, {
                name: read(os.path.join(folder, name)) or b"" for name in os.listdir(folder)
                if name not in (MAIN, INTERIM, MASKED) and os.path.isfile(os.path.join(folder, name))}
        return self._last[1]

    def plain_texts(self, generation: str) -> dict[str, bytes]:
        """Return every file of a generation with the marker instead of the generation's name.

        So equal files have equal texts, whatever generation they are of.
        """
        return {name: unnamed(text, generation) for name, text in self.texts(generation).items()}

    def main_of(self, generation: str) -> bytes:
        """Return the main file that went with a generation."""
        text = read(os.path.join(self.path(generation), MAIN))
        if text is None:
            raise Failure(f"{generation} is not a complete generation in {self.folder}")
        return text

    def same(self, one: str, other: str) -> bool:
        """Tell whether two generations have the same texts; what they refer to may have changed in between."""
        if self._sizes(one) != self._sizes(other):
            return False
        return self.plain_texts(one) == self.plain_texts(other) \
            and unnamed(self.main_of(one), one) == unnamed(self.main_of(other), other)

    def _sizes(self, generation: str) -> set[tuple[str, int]]:
        # Names of generations are of one length.
        with os.scandir(self.path(generation)) as files:
            return {(file.name, file.stat().st_size) for file in files
                    if file.name not in (INTERIM, MASKED)}

    def masked(self, generation: str) -> dict[str, list[int]] | None:
        """Return by name which lines of a generation's files are not shown; None of one that does not tell."""
        text = read(os.path.join(self.path(generation), MASKED))
        return None if text is None else dict(json.loads(text))

    def mask(self, generation: str, lines: dict[str, list[int]]) -> None:
        """Note which lines of a generation's files are not shown; its texts stay as they are."""
        if self.masked(generation) != lines:
            path = os.path.join(self.path(generation), MASKED)
            replace(path, json.dumps(lines).encode(), f"{path}.new")

    def interim(self, generation: str) -> bool:
        """Tell whether a generation is only a step to the next, and nothing to go back to."""
        return os.path.isfile(os.path.join(self.path(generation), INTERIM))

    def earlier(self, generation: str) -> str | None:
        """Return the last before a generation that is another configuration, and no step; None when there is none."""
        for name in reversed(self.all()):
            if number(name) < number(generation) and not self.interim(name) and not self.same(name, generation):
                return name
        return None

    def listed(self, running: str | None) -> list[dict[str, Any]]:
        """Return what there is to go back to, newest first; RUNNING is the generation that nginx answers with."""
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
        """Tell whether everything in force is a file of ours; its mode is put right in place."""
        folder = self.path(generation)
        paths = [self.main] + [os.path.join(folder, name) for name in os.listdir(folder)]
        return all(_as_we_write(path) for path in paths)

    def wrong_modes(self) -> dict[str, int]:
        """Return what has another mode than we write, with the right one; earlier versions left all of it to read.

        In a folder that only root enters, it does not matter: of those before, the files are not looked at.
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
        """Tell whether nginx's workers read files in the FOLDER of a generation."""
        return os.path.lexists(os.path.join(folder, f"{USERS}1"))

    def _share(self, path: str, mode: int) -> None:
        os.chown(path, -1, self.group)
        os.chmod(path, mode)

    def next_name(self, digest: str) -> str:
        """Return the name of the next generation, whose content has this DIGEST."""
        return f"{max((number(name) for name in self.all()), default=0) + 1:06}-{digest[:12]}"

    def wrong_groups(self) -> list[str]:
        """Return what nginx's workers have to read, and is another group's."""
        current = self.current()
        folder = self.path(current) if current else ""
        if not current or not self._shared(folder):
            return []
        paths = [self.folder, folder, *(os.path.join(folder, name) for name in os.listdir(folder)
                                        if name.startswith(USERS))]
        return [path for path in paths if os.lstat(path).st_gid != self.group]

    def stage(self, generation: str, files: dict[str, bytes], main: bytes, share: bool = True) -> str:
        """Write a complete generation and its candidate main file; return the candidate's path.

        Without SHARE, nginx's workers do not get to it.
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
        # The candidate first: as long as it is there, its generation never was in force.
        candidate = self.candidate(generation)
        write(candidate, main, PUBLIC)
        os.rename(partial, self.path(generation))
        sync(self.folder)
        return candidate

    def commit(self, generation: str) -> None:
        """Make the candidate the main file: the one instant in which the configuration on disk changes."""
        os.rename(self.candidate(generation), self.main)

    def sync(self) -> None:
        """Have the commit outlive a loss of power."""
        sync(os.path.dirname(self.main))

    def go_back_to(self, generation: str) -> None:
        """Commit a generation that is there already."""
        replace(self.main, self.main_of(generation), self.candidate(generation), PUBLIC)
        self.sync()

    def discard(self, generation: str) -> None:
        """Remove a generation that is not in force, and its candidate."""
        self._remove(generation)
        remove_file(self.candidate(generation))
        if os.path.isdir(self.folder) and not os.listdir(self.folder):
            os.rmdir(self.folder)

    def clear_leftovers(self) -> None:
        """Remove what a run left behind that was cut off, or whose generation never came into force."""
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
        """Remove all but the newest KEEP generations to go back to, the current and the RUNNING one.

        Interim generations, and those with the same texts as the next, do not count.
        """
        needed = (self.current(), running, self.proved())
        names = [name for name in self.all() if not self.interim(name)]
        kept: list[str] = []
        for name in reversed(self.all()):
            # To compare them takes long where there are many sites.
            if len(kept) < keep and name in names and not (
                    kept and len(names) > keep and self.same(name, kept[-1])):
                kept.append(name)
            elif name not in needed:
                self._remove(name)

    def remove_all(self) -> None:
        """Remove every generation, and the folder when nothing else is in it."""
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
                # A folder of a container's image, on overlayfs. An empty one says that it is gone, until it is.
                os.mkdir(removed, FOLDER_MODE)
                shutil.rmtree(self.path(generation))
            shutil.rmtree(removed)
