# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The takeover of a package's main file, and its exact restoration."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import suppress
from functools import partial
from typing import Any, Callable

from ansible_collections.wsedge.nginx.plugins.module_utils.candidates import mirrored
from ansible_collections.wsedge.nginx.plugins.module_utils.dpkg import Dpkg, diversion, divert, undivert
from ansible_collections.wsedge.nginx.plugins.module_utils.generations import (
    FOLDER_MODE,
    LINKS,
    PUBLIC,
    Failure,
    Generations,
    read,
    remove_file,
    replace,
)
from ansible_collections.wsedge.nginx.plugins.module_utils.options import called
from ansible_collections.wsedge.nginx.plugins.module_utils.programs import Run

Undo = list[Callable[[], object]]


def take_back(undo: Undo) -> None:
    """Undo the steps in UNDO, the last one first; a failure does not stop the others."""
    for step in reversed(undo):
        with suppress(OSError):
            step()


class Takeover:
    """The main file and the links from before the first commit.

    Hard links and renames keep the main file. So it is never copied, and never missing.
    """

    def __init__(self, generations: Generations, params: dict[str, Any], run: Run) -> None:
        self.run = run
        self.generations = generations
        self.params = params
        self.main = generations.main
        self.use_dpkg: bool = params["divert"]
        self.drop_in = called(params, "entry", self.main)
        self.distrib = self.main + ".distrib"
        self.saved_main = os.path.join(generations.before, "main")
        self.saved_links = os.path.join(generations.before, LINKS)

    def needed(self) -> bool:
        """Return whether the main file must still be taken over; refuse one that has been edited."""
        text = self.generations.main_text()
        ours = self.generations.current() is not None or os.path.lexists(self.saved_main)
        if not self.use_dpkg:
            return text is not None and not ours
        beside = diversion(self.run, self.main)
        if beside == self.distrib:
            if not ours and not os.path.lexists(self.distrib) and Dpkg(self.run).pristine(self.main):
                return True
            if ours or text is None or self.generations.all() or read(beside) in (text, None):
                return False
        elif beside is None:
            dpkg = Dpkg(self.run)
            if dpkg.known(self.main) and os.path.lexists(self.distrib) \
                    and not dpkg.pristine(self.main, self.distrib):
                raise Failure(f"{self.distrib} already exists, and the package's own file would go there; move it away")
            if ours or text is None or dpkg.pristine(self.main) or self.params.get("replace"):
                return dpkg.known(self.main) or not ours
            raise Failure(
                f"{self.main} has been edited, or belongs to no package, so it is not replaced. Either keep it and let "
                f"it include the configuration ({self.drop_in}), or let it be replaced and kept as a copy "
                f"({called(self.params, 'replace')})")
        raise Failure(f"{self.main} is already diverted to {beside}, not by this module. Remove that diversion "
                      f"(dpkg-divert --remove {self.main}), or let the file include the configuration ({self.drop_in})")

    def take(self, undo: Undo) -> None:
        """Take over the main file, which the commit itself replaces; append to UNDO how to undo each step."""
        dpkg = Dpkg(self.run)
        if not (self.use_dpkg and dpkg.known(self.main)):
            self._save_main(undo)
            return
        pristine = dpkg.pristine(self.main)
        if not pristine:
            self._save_main(undo)
        if not os.path.lexists(self.distrib):
            undo.append(partial(remove_file, self.distrib))
            if pristine:
                os.link(self.main, self.distrib)
            else:
                self._folder(undo)
                replace(self.distrib, dpkg.package_text(self.main), self.saved_main + ".new", PUBLIC)
        if diversion(self.run, self.main) is None:
            undo.append(partial(undivert, self.run, self.main))
            divert(self.run, self.main, self.distrib)

    def _save_main(self, undo: Undo) -> None:
        if os.path.lexists(self.main) and self.generations.current() is None and not os.path.lexists(self.saved_main):
            self._folder(undo)
            os.link(self.main, self.saved_main)
            undo.append(partial(os.unlink, self.saved_main))

    def _folder(self, undo: Undo) -> None:
        if not os.path.isdir(self.generations.before):
            os.mkdir(self.generations.before, FOLDER_MODE)
            undo.append(partial(shutil.rmtree, self.generations.before))

    def links(self, wanted: list[str]) -> list[str]:
        """Return those of the WANTED paths that are links to a conffile that is as its package installed it."""
        found = [link for link in wanted if os.path.islink(link)]
        dpkg = Dpkg(self.run) if found else None
        return [link for link in found if dpkg and dpkg.pristine(os.path.realpath(link))]

    def unlink(self, links: list[str], undo: Undo) -> None:
        """Remove links, and record their targets."""
        if not links:
            return
        self._folder(undo)
        known = self._known_links()
        undo.append(partial(self._remember, known))
        self._remember({**known, **{link: os.readlink(link) for link in links}})
        for link in links:
            undo.append(partial(os.symlink, os.readlink(link), link))
            os.unlink(link)

    def _known_links(self) -> dict[str, str]:
        return dict(json.loads(read(self.saved_links) or b"{}"))

    def _remember(self, links: dict[str, str]) -> None:
        if links:
            replace(self.saved_links, json.dumps(links, indent=1).encode(), self.saved_links + ".new")
        else:
            remove_file(self.saved_links)

    def original(self) -> str | None:
        """Return the path of the file to restore as the main file; None if there is none or it is restored already."""
        if self.generations.current() is None and os.path.lexists(self.main):
            return None
        for path in (self.saved_main, self.distrib if self.use_dpkg and diversion(self.run, self.main) else None):
            if path and os.path.lexists(path):
                return path
        return None

    def original_text(self) -> bytes | None:
        """Return the text to restore as the main file, with the targets of the links instead of the links.

        So the restored configuration can be tested before it is restored.
        """
        original = self.original()
        if original is None:
            return None
        targets = {link: os.path.join(os.path.dirname(link), target) for link, target in self._returning().items()}
        text = (read(original) or b"").decode(errors="surrogateescape")
        return mirrored(text, os.path.dirname(self.main), targets).encode(errors="surrogateescape")

    def _returning(self) -> dict[str, str]:
        """Return the links to restore: those whose paths are free."""
        return {link: target for link, target in self._known_links().items()
                if not os.path.lexists(link) and os.path.isdir(os.path.dirname(link))}

    def give_links_back(self, undo: Undo) -> None:
        """Restore the links."""
        for link, target in self._returning().items():
            os.symlink(target, link)
            undo.append(partial(os.unlink, link))

    def give_main_back(self) -> None:
        """Restore the main file and then the links, and end the diversion."""
        original = self.original()
        if original:
            os.rename(original, self.main)
        elif self.generations.current() is not None:
            os.unlink(self.main)
        # The main file is restored first: the links' targets may conflict with the role's configuration.
        self.give_links_back([])
        if self.use_dpkg and diversion(self.run, self.main) == self.distrib:
            undivert(self.run, self.main)
        if self.use_dpkg and diversion(self.run, self.main) is None \
                and Dpkg(self.run).pristine(self.main, self.distrib):
            remove_file(self.distrib)
        if os.path.isdir(self.generations.before):
            shutil.rmtree(self.generations.before)
