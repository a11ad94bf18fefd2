# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Taking a package's main file over, and giving it back just as it was."""

from __future__ import annotations

import json
import os
import shutil
from functools import partial
from typing import Callable

from ansible_collections.wsedge.nginx.plugins.module_utils.conffiles import Conffiles, diversion, divert, undivert
from ansible_collections.wsedge.nginx.plugins.module_utils.generations import Failure, Generations, read, write

Undo = list[Callable[[], object]]


class Takeover:
    """What was there before the first commit: the main file, and links that went with it.

    It is kept by hard links and renames, so nothing of it is ever copied, and the main file is never missing.
    """

    def __init__(self, generations: Generations, use_dpkg: bool, replace: bool) -> None:
        self.generations = generations
        self.main = generations.main
        self.use_dpkg = use_dpkg
        self.replace = replace
        self.distrib = self.main + ".distrib"
        self.saved_main = os.path.join(generations.before, "main")
        self.saved_links = os.path.join(generations.before, "links.json")

    def needed(self) -> bool:
        """Tell whether the main file has still to be taken over; refuse one that is somebody's own."""
        text, ours = self.generations.main_text(), self.generations.current() is not None or self._saved()
        if not self.use_dpkg:
            return text is not None and not ours
        beside = diversion(self.main)
        if beside == self.distrib:
            if ours or text is None or self.generations.all() or read(beside) in (text, None):
                return False
        elif beside is None:
            conffiles = Conffiles()
            if ours or text is None or conffiles.pristine(self.main) or self.replace:
                return conffiles.known(self.main) or not ours
            raise Failure(
                f"{self.main} has been edited since its package brought it, or is not a package's, so it is not taken "
                f"over. Two ways on: leave it and be included by it (websocket_proxy_nginx_conf: drop_in), or have it "
                f"replaced and kept aside (websocket_proxy_replace_nginx_conf: true)")
        raise Failure(f"{self.main} is diverted to {beside} already, and not by this role. Undo that "
                      f"(dpkg-divert --remove {self.main}), or leave the file to whoever did it "
                      f"(websocket_proxy_nginx_conf: drop_in)")

    def _saved(self) -> bool:
        return os.path.isdir(self.generations.before)

    def take(self, undo: Undo) -> None:
        """Take the main file over; the commit itself replaces it. What UNDO gets takes each step back."""
        conffiles = Conffiles()
        if self.use_dpkg and conffiles.known(self.main) and diversion(self.main) is None:
            if not os.path.lexists(self.distrib):
                if conffiles.pristine(self.main):
                    os.link(self.main, self.distrib)
                else:
                    write(self.distrib, conffiles.package_text(self.main))
                undo.append(partial(os.unlink, self.distrib))
            if not conffiles.pristine(self.main):
                self._save_main(undo)
            divert(self.main, self.distrib)
            undo.append(partial(undivert, self.main))
        else:
            self._save_main(undo)

    def _save_main(self, undo: Undo) -> None:
        if os.path.lexists(self.main) and self.generations.current() is None and not os.path.lexists(self.saved_main):
            self._folder(undo)
            os.link(self.main, self.saved_main)
            undo.append(partial(os.unlink, self.saved_main))

    def _folder(self, undo: Undo) -> None:
        if not self._saved():
            os.mkdir(self.generations.before)
            os.chmod(self.generations.before, 0o755)
            undo.append(partial(os.rmdir, self.generations.before))

    def links(self, wanted: list[str]) -> list[str]:
        """Return those of the WANTED paths that are links to a conffile just as its package brought it."""
        found = [link for link in wanted if os.path.islink(link)]
        conffiles = Conffiles() if found else None
        return [link for link in found if conffiles and conffiles.pristine(os.path.realpath(link))]

    def unlink(self, links: list[str], undo: Undo) -> None:
        """Remove links, and remember where they led."""
        if not links:
            return
        self._folder(undo)
        known = self._known_links()
        self._remember({**known, **{link: os.readlink(link) for link in links}})
        undo.append(partial(self._remember, known))
        for link in links:
            undo.append(partial(os.symlink, os.readlink(link), link))
            os.unlink(link)

    def _known_links(self) -> dict[str, str]:
        return dict(json.loads(read(self.saved_links) or b"{}"))

    def _remember(self, links: dict[str, str]) -> None:
        if links:
            write(self.saved_links + ".new", json.dumps(links, indent=1).encode())
            os.rename(self.saved_links + ".new", self.saved_links)
        elif os.path.lexists(self.saved_links):
            os.unlink(self.saved_links)

    def original(self) -> str | None:
        """Return the path of what goes back to the main file's place; None when there was nothing."""
        for path in (self.saved_main, self.distrib if self.use_dpkg and diversion(self.main) else None):
            if path and os.path.lexists(path):
                return path
        return None

    def give_links_back(self, undo: Undo) -> None:
        """Put the links back, as far as nothing else has taken their places."""
        for link, target in self._known_links().items():
            if not os.path.lexists(link) and os.path.isdir(os.path.dirname(link)):
                os.symlink(target, link)
                undo.append(partial(os.unlink, link))

    def give_main_back(self) -> None:
        """Put the main file back and end the diversion."""
        original = self.original()
        if original:
            os.rename(original, self.main)
        elif self.generations.current() is not None:
            os.unlink(self.main)
        if self.use_dpkg and diversion(self.main) == self.distrib:
            undivert(self.main)
            if os.path.lexists(self.distrib):
                os.unlink(self.distrib)
        if self._saved():
            shutil.rmtree(self.generations.before)
