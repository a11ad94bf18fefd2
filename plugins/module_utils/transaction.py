# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A change of the whole configuration in one tested step: the work of the module nginx_config."""

from __future__ import annotations

import grp
import json
import os
import pwd
import subprocess
from collections.abc import Mapping
from typing import Any

from ansible_collections.wsedge.nginx.plugins.module_utils.candidates import mirrored, swapped
from ansible_collections.wsedge.nginx.plugins.module_utils.config_test import ConfigTest
from ansible_collections.wsedge.nginx.plugins.module_utils.generations import (
    INTERIM,
    MARKER,
    MASKED,
    Failure,
    Generations,
    checksum,
    lock,
    read,
    remove_file,
    unnamed,
    write,
)
from ansible_collections.wsedge.nginx.plugins.module_utils.language import Unreadable, directives
from ansible_collections.wsedge.nginx.plugins.module_utils.masking import masked
from ansible_collections.wsedge.nginx.plugins.module_utils.options import called
from ansible_collections.wsedge.nginx.plugins.module_utils.processes import beside, running_generation
from ansible_collections.wsedge.nginx.plugins.module_utils.programs import Run
from ansible_collections.wsedge.nginx.plugins.module_utils.takeover import Takeover, Undo, take_back

UNCHANGED = "the configuration in force was not changed"


def of_step(digest: str) -> str:
    """Return the digest of an interim generation whose texts have this DIGEST.

    So an interim generation has another name than a generation with the same texts that is not interim.
    """
    return checksum(f"{digest} {INTERIM}".encode())


class Transaction:
    """One run, which compares the wanted configuration with the one on disk and the one that runs."""

    def __init__(self, params: dict[str, Any], check: bool, run: Run) -> None:
        self.params = params
        self.check = check
        self.main: str = params["path"]
        self.entry: str = params["entry"] or self.main
        self.generations = Generations(self.main, params["folder"])
        self.takeover = Takeover(self.generations, params, run)
        self.config_test = ConfigTest(params["validate"], params["pid_file"], params["socket"], self.generations, run,
                                      check)
        self.running: str | None = None
        self.previous: str | None = None
        self.shut = False
        self.user = "root"

    def run(self) -> dict[str, Any]:
        """Bring the host to the wanted state, and return the module's result."""
        folder = os.path.dirname(self.main)
        if not os.path.isdir(folder):
            if self.params["state"] == "absent":
                return self.result(False, "", [])
            if self.check:
                return self.result(True, "", list(self._wanted()))
            raise Failure(f"there is no folder {folder}; install nginx first")
        for path in (self.main, os.path.dirname(self.params["folder"]), self.params["folder"]):
            if os.path.islink(path):
                raise Failure(f"{path} is a symbolic link, which a commit would replace; use the path that it points "
                              "to")
        if self.entry != self.main and Generations(self.entry, self.params["folder"]).current():
            raise Failure(f"{self.entry} itself includes a generation in {self.params['folder']}: it was taken over "
                          f"earlier ({called(self.params, 'path', self.entry)}). Remove that configuration first, with "
                          "that setting")
        lock(os.path.dirname(self.params["folder"]))
        self.running = running_generation(self.params["socket"]) if self.params["socket"] else None
        self.previous = self.generations.current()
        if self.params["state"] == "absent":
            return self.remove()
        self._shut()
        if self.params["state"] == "rolled_back":
            return self.roll_back()
        return self.change()

    def _shut(self) -> None:
        """Correct modes and groups in place, to protect values of the inventory.

        No text changes, so nginx needs no reload.
        """
        main = (self.generations.main_text() or b"").decode(errors="replace")
        self.user, self.generations.group = self._workers(main)
        wrong, unreadable = self.generations.wrong_modes(), self.generations.wrong_groups()
        for path, mode in wrong.items() if not self.check else ():
            os.chmod(path, mode)
        for path in unreadable if not self.check else ():
            os.chown(path, -1, self.generations.group)
        self.shut = bool(wrong or unreadable)

    # --- state: present

    def change(self) -> dict[str, Any]:
        """Commit the wanted configuration if anything differs from it."""
        wanted, here = self._wanted(), self._in_force()
        different = self._different(wanted, {name: checksum(text) for name, text in here.items()})
        digest = self._digest(wanted)
        takeover = self.takeover.needed()
        links = self.takeover.links(self.params["unlink"])
        if self.previous and not (different or takeover or links) and self._is_in_force(digest):
            if not self.check:
                self.generations.mask(self.previous, self.params["masked"])
            return self._unchanged(self.previous)
        given = {**{file["name"]: file["content"] for file in self.params["files"]}, self.main: self.params["content"]}
        texts = {checksum(text): text for text in
                 [*here.values(), *(text.encode() for text in given.values() if text is not None)]}
        before = self._shown(self.previous, {name: here[name] for name in different if name in here})
        missing = [name for name in wanted if wanted[name] not in texts]
        if missing:
            return {"changed": False, "missing": missing, "before": before}
        generation = self._commit({name: texts[wanted[name]] for name in wanted}, digest, takeover, links,
                                  self.params["interim"], self.params["masked"])
        return {**self.result(True, generation, different), "before": before}

    def _wanted(self) -> dict[str, str]:
        """Return the checksum of each wanted file by name, and of the main file by its path."""
        return {file["name"]: file["sha256"] or checksum((file["content"] or "").encode())
                for file in [*self.params["files"], {**self.params, "name": self.main}]}

    def _in_force(self) -> dict[str, bytes]:
        """Return the text of each current file by name, and of the main file by its path."""
        files = self.generations.plain_texts(self.previous) if self.previous else {}
        return {**files, self.main: unnamed(self.generations.main_text() or b"", self.previous)}

    def _different(self, wanted: Mapping[str, object], here: Mapping[str, object]) -> list[str]:
        return sorted((name for name in {*wanted, *here} if wanted.get(name) != here.get(name)),
                      key=lambda name: (name == self.main, name))

    def _is_in_force(self, digest: str) -> bool:
        """Return whether the current generation is the one with this DIGEST, and untouched.

        If an interim generation is wanted, one with the same texts that is not interim is enough.
        """
        digests = [digest, of_step(digest)] if self.params["interim"] else [digest]
        return self.previous is not None and self.generations.untouched(self.previous) \
            and self.previous.partition("-")[2] in [one[:12] for one in digests]

    def _shown(self, generation: str | None, texts: dict[str, bytes]) -> dict[str, str]:
        """Return TEXTS of a generation as a difference shows them, with secrets hidden."""
        lines = self.generations.masked(generation) if generation else {}
        if lines is None:
            # An earlier version wrote it, without this list. A file with secrets now may have had other secrets then.
            wanted: dict[str, list[int]] = self.params["masked"]
            lines = {name: list(range(texts[name].count(b"\n"))) for name in texts if wanted.get(name)}
        return {name: masked(text.decode(errors="replace"), lines.get(name, ())) for name, text in texts.items()}

    def _digest(self, sums: Mapping[str, str]) -> str:
        """Return one checksum for all texts, given their own checksums, and for the local files that they refer to."""
        referred = {path: checksum(read(path) or b"") for path in self.params["references"]}
        files = sorted(name for name in sums if name != self.main)
        return checksum("\n".join([sums[self.main], *(f"{name} {sums[name]}" for name in files),
                                   *(f"{path} {referred[path]}" for path in sorted(referred))]).encode())

    def _unchanged(self, current: str) -> dict[str, Any]:
        """Test the current configuration, so that every run finds a foreign file that broke it."""
        if not self.check:
            self._clear()
            self.generations.prune(self.params["keep"], self.running)
        if self.config_test.possible() or not self.check:
            self.config_test.test(self.entry, self.entry, "and it is the one on disk")
            self._check_readable()
        # If there are two masters, either of them may have answered.
        behind = self.params["socket"] is not None and (
            self.running != current or bool(beside(self.params["pid_file"])))
        return {**self.result(behind or self.shut, current, []), "reload": behind}

    def _commit(self, texts: dict[str, bytes], digest: str, takeover: bool, links: list[str], interim: bool,
                lines: dict[str, list[int]] | None) -> str:
        """Write, test and commit a generation with these TEXTS, the main file under its path; return its name."""
        main = texts.pop(self.main)
        if f"{self.params['folder']}/{MARKER}/".encode() not in main:
            raise Failure(f"the text of {self.main} names no generation; it has to include "
                          f"{self.params['folder']}/{MARKER}/*.conf")
        undo: Undo = []
        self._clear()
        generation = self.generations.next_name(of_step(digest) if interim else digest)
        undo.append(lambda: self.generations.discard(generation))
        try:
            named = {name: text.replace(MARKER.encode(), generation.encode()) for name, text in texts.items()}
            if interim:
                named[INTERIM] = b""
            if lines is not None:
                named[MASKED] = json.dumps(lines).encode()
            self.user, self.generations.group = self._workers(main.decode(errors="replace"))
            candidate = self.generations.stage(
                generation, named, main.replace(MARKER.encode(), generation.encode()), share=not self.check)
            self._test(candidate, links)
            self._check_readable()
            if not self.check:
                if takeover:
                    self.takeover.take(undo)
                self.takeover.unlink(links, undo)
                self.generations.commit(generation)
                undo = []
        finally:
            take_back(undo)
        if not self.check:
            self.generations.sync()
            self.generations.prune(self.params["keep"], self.running)
        return generation

    def _workers(self, main: str) -> tuple[str, int]:
        """Return the user and group of nginx's workers, which the main file or the file that includes it sets."""
        text = main if self.entry == self.main else (read(self.entry) or b"").decode(errors="replace")
        try:
            words = next((one.words[1:] for one in directives(text) if one.words[0] == "user"), [])
            # nginx is built with the defaults nobody and nogroup.
            user, group = words[0] if words else "nobody", [*words[1:], *(() if words else ("nogroup",))]
            return user, grp.getgrnam(group[0]).gr_gid if group else pwd.getpwnam(user).pw_gid
        except (KeyError, Unreadable):
            return "root", 0

    def _check_readable(self) -> None:
        """Refuse files that nginx's workers cannot read, because nginx's test does not check that."""
        group = self.generations.group
        for path in self.params["readable"] if self.config_test.possible() else ():
            if not os.path.exists(path):
                raise Failure(f"{path} is not on the host; create it, or correct the path; {UNCHANGED}")
            # The kernel checks this as for a worker, with the folders above, the user's other groups, and ACLs.
            if subprocess.run(["test", "-r", path], user=self.user, group=group,
                              extra_groups=os.getgrouplist(self.user, group), check=False).returncode:
                raise Failure(f"{path} cannot be read by nginx's workers, which run as {self.user}: chgrp {group} "
                              f"{path} and chmod 640 {path}, and let them enter the folders on the way; {UNCHANGED}")

    def _clear(self) -> None:
        """Remove what an interrupted run left behind."""
        self.generations.clear_leftovers()
        self.config_test.clear()
        remove_file(self._entry_candidate())

    def _entry_candidate(self) -> str:
        folder, base = os.path.split(self.entry)
        return os.path.join(folder, f".{base}.websocket_proxy")

    def _test(self, candidate: str, links: list[str]) -> None:
        """Test the candidate as it will run: included by its main file, and without the LINKS."""
        if self.check and not (self.params["test"] and self.config_test.possible()):
            return
        if self.entry == self.main and not links:
            self.config_test.test(candidate, self.main, UNCHANGED)
            return
        path = self._entry_candidate()
        if self.entry == self.main:
            text = (read(candidate) or b"").decode(errors="surrogateescape")
        else:
            text = swapped(self.entry, self.main, candidate)
        text = mirrored(text, os.path.dirname(self.entry), dict.fromkeys(links))
        try:
            write(path, text.encode(errors="surrogateescape"))
            self.config_test.test(path, self.entry, UNCHANGED)
        finally:
            remove_file(path)

    # --- state: rolled_back

    def roll_back(self) -> dict[str, Any]:
        """Commit an earlier generation again, as a new one."""
        known = self.generations.all()
        wanted = self.params["generation"]
        if not wanted:
            wanted = self.generations.earlier(self.previous) if self.previous else None
            if not wanted:
                raise Failure(f"{self.params['folder']} has no generation before {self.previous or 'the first'} with "
                              "another configuration")
        if wanted not in known:
            raise Failure(f"{wanted} is not a generation in {self.params['folder']}; there are: {', '.join(known)}")
        texts = {**self.generations.plain_texts(wanted), self.main: unnamed(self.generations.main_of(wanted), wanted)}
        here = self._in_force()
        different = self._different(texts, here)
        interim = self.generations.interim(wanted)
        digest = self._digest({name: checksum(text) for name, text in texts.items()})
        generation = self.generations.next_name(of_step(digest) if interim else digest)
        if self.previous and not different and self.previous.partition("-")[2] == generation.partition("-")[2]:
            return self._unchanged(self.previous)
        before, after = self._shown(self.previous, here), self._shown(wanted, texts)
        generation = self._commit(texts, digest, False, [], interim, self.generations.masked(wanted))
        return {**self.result(True, generation, different), "diff": [
            {"before_header": name, "before": before.get(name, ""),
             "after_header": name, "after": after.get(name, "")} for name in different]}

    # --- state: absent

    def remove(self) -> dict[str, Any]:
        """Remove all generations, and restore the original main file."""
        if not os.path.isdir(self.params["folder"]) and self.previous is None:
            # If a removal was interrupted before its reload, the next run finishes it.
            return self.result(self.running is not None, "", [])
        if self.check:
            return self.result(True, "", [self.main])
        self._clear()
        original = self.takeover.original_text()
        if self.entry == self.main and original is not None and self.config_test.possible():
            candidate = self.generations.candidate("000000-000000000000")
            try:
                write(candidate, original)
                self.config_test.test(candidate, self.main, "this is the configuration from before the role; "
                                                            f"{UNCHANGED}")
            finally:
                remove_file(candidate)
        self.takeover.give_main_back()
        self.generations.remove_all()
        return self.result(True, "", [self.main])

    def result(self, changed: bool, generation: str, different: list[str]) -> dict[str, Any]:
        """Return the module's result."""
        interim = bool(generation) and self.generations.interim(generation)
        earlier = self.generations.earlier(generation) if interim else None
        return {"changed": changed, "reload": changed, "modes": self.shut, "generation": generation,
                "previous_generation": self.previous or "", "interim": interim, "earlier_generation": earlier or "",
                "running_generation": self.running or "", "different": different,
                "strays": self.generations.strays()}
