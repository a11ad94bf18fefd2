# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""dpkg's records of a configuration file: its original checksum, and its diversion."""

from __future__ import annotations

import hashlib
import os
import tempfile

from ansible_collections.wsedge.nginx.plugins.module_utils.programs import Run


def _md5(text: bytes) -> str:
    # dpkg records MD5 checksums. They only serve for comparison, not for security.
    return hashlib.new("md5", text, usedforsecurity=False).hexdigest()


def _dpkg(run: Run, *command: str, folder: str | None = None) -> str:
    done = run(*command, folder=folder)
    if done.code == 127:
        return ""
    if done.code:
        raise OSError(f"{' '.join(command)}: {done.errors.strip() or done.output.strip()}")
    return done.output


class Dpkg:
    """The conffiles of all installed packages (Debian policy 10.7.3)."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._checksums: dict[str, str] = {}
        for line in _dpkg(run, "dpkg-query", "-W", "-f", "${Conffiles}\n").splitlines():
            words = line.split()
            if len(words) >= 2 and words[0].startswith("/"):
                self._checksums[words[0]] = words[1]

    def known(self, path: str) -> bool:
        """Return whether PATH is a conffile of an installed package."""
        return path in self._checksums

    def pristine(self, path: str, at: str | None = None) -> bool:
        """Return whether PATH is a conffile, and the file there, or AT another path, is as its package installed it."""
        try:
            with open(at or path, "rb") as file:
                text = file.read()
        except OSError:
            return False
        return self._checksums.get(path) == _md5(text)

    def package_text(self, path: str) -> bytes:
        """Return the text of PATH in the installed version of its package, which apt fetches.

        :raises OSError: apt cannot fetch that version any more
        """
        package = _dpkg(self._run, "dpkg-query", "-S", path).splitlines()[-1].split(":")[0]
        version = _dpkg(self._run, "dpkg-query", "-W", "-f", "${Version}", package)
        with tempfile.TemporaryDirectory() as folder:
            _dpkg(self._run, "apt-get", "download", f"{package}={version}", folder=folder)
            archive = os.path.join(folder, os.listdir(folder)[0])
            _dpkg(self._run, "dpkg-deb", "--extract", archive, os.path.join(folder, "root"))
            with open(os.path.join(folder, "root", path.lstrip("/")), "rb") as file:
                text = file.read()
        if self._checksums.get(path) != _md5(text):
            raise OSError(f"{package}={version} from apt has another {path} than the installed package; "
                          f"install that package again: apt-get install --reinstall {package}")
        return text


def diversion(run: Run, path: str) -> str | None:
    """Return the path to which dpkg diverts PATH, or None if it does not divert it.

    :raises OSError: a package diverts it, not the local administrator
    """
    to = _dpkg(run, "dpkg-divert", "--truename", path).strip()
    if not to or to == path:
        return None
    who = _dpkg(run, "dpkg-divert", "--listpackage", path).strip()
    if who != "LOCAL":
        raise OSError(f"{path} is diverted by the package {who}; remove that package, or be included by the file")
    return to


def divert(run: Run, path: str, to: str) -> None:
    """Make dpkg install its PATH as TO from now on, without moving a file.

    :raises OSError: dpkg-divert refuses
    """
    _dpkg(run, "dpkg-divert", "--local", "--no-rename", "--divert", to, "--add", path)


def undivert(run: Run, path: str) -> None:
    """Remove a diversion of the local administrator, without moving a file.

    :raises OSError: dpkg-divert refuses
    """
    _dpkg(run, "dpkg-divert", "--local", "--no-rename", "--remove", path)
