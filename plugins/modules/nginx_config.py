#!/usr/bin/python
# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: nginx_config
short_description: Change a whole nginx configuration in one tested step
version_added: 0.1.0
author: wsedge contributors (@wsedge)
description:
  - Writes a set of configuration files as a new folder, a I(generation), tests it with C(nginx -t) exactly as it will
    run, and puts it in force with one rename(2) of the main file. A crash at any instant leaves the old
    configuration or the new one, each whole.
  - Only root can read the generations; the main file is open to everybody.
  - When nothing differs, nothing is written; the configuration on disk is tested all the same, so that a broken file
    of somebody else's is found by every run.
  - Files are compared by their content, not by the name of their generation. What was edited by hand is put right by
    a new generation.
  - It does not reload nginx; notify a handler for that, such as one with M(wsedge.nginx.nginx_reload).
notes:
  - The number of round trips to the host does not depend on the number of files. It is one when nothing differs, two
    otherwise.
  - The test runs as root and opens the log files, as C(nginx -t) does. The empty pid file that C(nginx -t) leaves
    behind where nginx does not run is removed, and so are unix sockets of a C(listen) that nobody listens on. After a
    check, or a test that fails, logs and caches that were not there before are removed as well.
extends_documentation_fragment:
  - ansible.builtin.action_common_attributes
attributes:
  check_mode:
    support: full
    details: Everything is done but the commit. On a host without nginx the test is left out as well.
  diff_mode:
    support: full
    details: Only files that differ are shown.
  platform:
    platforms: Debian, Ubuntu
options:
  state:
    description:
      - V(present) puts the files given in force.
      - V(rolled_back) puts an earlier generation in force again, as a new one.
      - V(absent) takes everything back that was ever committed to O(folder). The main file and the links that went with
        the first commit are as they were, or as the package has them by now.
    type: str
    choices: [present, rolled_back, absent]
    default: present
  path:
    description: Absolute path of the main file, which names the generation in force. It must not be a symbolic link.
    type: str
    default: /etc/nginx/nginx.conf
  entry:
    description:
      - The file that nginx starts from, where that is somebody else's and includes O(path).
      - The test is done with a copy of it in which the new text of O(path) stands in the place of the one in force. So
        it has to include O(path) itself, and just once.
      - O(path) by default.
    type: str
  template:
    description:
      - A Jinja template of the main file, in the role's or playbook's folder C(templates).
      - It sees only O(vars), C(generation), the name of the generation, and C(generation_files), the pattern for an
        C(include) of its files. Each C({{ value }}) is written as one quoted word of nginx's configuration.
      - Give this or O(content).
    type: str
  content:
    description: The main file's text. C(@generation@) in it stands for the name of the generation.
    type: str
  vars:
    description: What O(template) sees.
    type: dict
    default: {}
  sha256:
    description: Checksum of the main file's text, made by the controller. It is not for playbooks.
    type: str
  files:
    description: The files of the generation, which the main file includes.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The file's name in the generation's folder.
        type: str
        required: true
      template:
        description: As O(template), with O(files[].vars). Give this or O(files[].content).
        type: str
      content:
        description: As O(content).
        type: str
      vars:
        description: What O(files[].template) sees.
        type: dict
        default: {}
      sha256:
        description: Checksum of the text, made by the controller. It is not for playbooks.
        type: str
  folder:
    description: Absolute path of the folder that holds the generations. It belongs to this module alone.
    type: str
    required: true
  generation:
    description:
      - The generation that O(state=rolled_back) goes back to; by default the last one before that in force whose texts
        are others, and that was more than a step to another.
    type: str
  references:
    description:
      - Local files that the configuration refers to, such as certificates and password files. nginx reads them when it
        loads its configuration, so one whose content has changed makes a new generation.
    type: list
    elements: str
    default: []
  interim:
    description:
      - Whether these files are only a step to others that are to follow, such as those with which a CA is answered
        before it has issued a certificate. O(state=rolled_back) does not go back to a step unless it is named, and it
        is removed when it neither is in force nor runs any more.
    type: bool
    default: false
  secrets:
    description:
      - Texts that neither differences nor errors show, such as what came out of a vault. They stay on the controller.
      - Values of headers that are secrets by their names, such as C(Authorization) or C(X-Token), are not shown either.
    type: list
    elements: str
    default: []
  masked:
    description: Lines with O(secrets), by file, made by the controller. It is not for playbooks.
    type: dict
    default: {}
  socket:
    description:
      - A unix socket on which the configuration itself answers C(GET /generation) with the generation's name. When it
        does not answer with the generation on disk, or two masters of nginx serve, the result is changed, so that a
        handler can put that right.
    type: str
  validate:
    description: The command that tests a main file; C(%s) in it stands for the file's path. It is not run by a shell.
    type: str
    default: /usr/sbin/nginx -t -c %s -g 'daemon on; master_process on;'
  test:
    description:
      - Whether a check tests the configuration with O(validate). V(false) is for a check of a configuration that refers
        to files that only the run itself would place; a run tests in any case.
    type: bool
    default: true
  pid_file:
    description: The pid file of nginx, as its C(pid) directive names it.
    type: str
    default: /run/nginx.pid
  keep:
    description:
      - How many generations are kept. The one in force and the one that runs are kept in any case. Of several in
        succession with the same texts, the last is kept.
    type: int
    default: 5
  divert:
    description:
      - Take a main file over that is a conffile of a Debian package with C(dpkg-divert). An upgrade of the package asks
        no question then, and its own file lies beside under the ending C(.distrib).
      - A main file that has been edited is not taken over, unless O(replace) says so.
    type: bool
    default: false
  replace:
    description: Take an edited main file over as well. It is kept aside, and O(state=absent) puts it back.
    type: bool
    default: false
  unlink:
    description:
      - Symbolic links that go with the commit, as long as they lead to a conffile just as its package brought it, such
        as C(/etc/nginx/sites-enabled/default). Any other link or file stays.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Two files are the configuration of nginx
  wsedge.nginx.nginx_config:
    folder: /etc/nginx/edge
    divert: true
    content: |
      user www-data;
      events {}
      http {
          include /etc/nginx/edge/@generation@/*.conf;
      }
    files:
      - name: health.conf
        content: |
          server {
              listen 127.0.0.1:8081;
              return 204;
          }
      - name: site.conf
        template: site.conf.j2
        vars:
          server_names: [example.com]
  notify: Reload nginx

- name: The configuration before the last one is in force again
  wsedge.nginx.nginx_config:
    folder: /etc/nginx/edge
    state: rolled_back
  notify: Reload nginx

- name: Nothing of it is left
  wsedge.nginx.nginx_config:
    folder: /etc/nginx/edge
    state: absent
  notify: Reload nginx
"""

RETURN = r"""
reload:
  description: Whether nginx has something to load. V(false) with a change where only modes of files were put right.
  type: bool
  returned: success
modes:
  description: Whether modes were put right, in place. Earlier versions wrote files that everybody could read.
  type: bool
  returned: success
generation:
  description: The generation on disk; in check mode the one that would be. Empty when there is none.
  type: str
  returned: success
  sample: 000004-5a1c0b9d2e7f
previous_generation:
  description: The generation that was in force before, empty when there was none.
  type: str
  returned: success
  sample: 000003-0f9e8d7c6b5a
interim:
  description: Whether the generation on disk is only a step.
  type: bool
  returned: success
earlier_generation:
  description: What there is to go back to from a step, empty when that is nothing, and where there is no step.
  type: str
  returned: success
  sample: 000003-0f9e8d7c6b5a
different:
  description: The names of the files that differ from those on disk; the main file by its path.
  type: list
  elements: str
  returned: success
running_generation:
  description: The generation that nginx answers with on O(socket), empty when it does not answer with one.
  type: str
  returned: success
  sample: 000003-0f9e8d7c6b5a
strays:
  description: Paths in O(folder) that are nothing of this module's. They are left alone, with a warning.
  type: list
  elements: str
  returned: success
"""

import json
import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.wsedge.nginx.plugins.module_utils.candidates import mirrored, swapped
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
from ansible_collections.wsedge.nginx.plugins.module_utils.masking import masked
from ansible_collections.wsedge.nginx.plugins.module_utils.programs import Run, runner
from ansible_collections.wsedge.nginx.plugins.module_utils.running import beside, running_generation
from ansible_collections.wsedge.nginx.plugins.module_utils.takeover import Takeover, Undo, take_back
from ansible_collections.wsedge.nginx.plugins.module_utils.testing import COMMAND, Tester

UNCHANGED = "what is in force was not changed"


def of_step(digest: str) -> str:
    """Return the digest of the step whose texts have this one: a step is another generation than what it leads to."""
    return checksum(f"{digest} {INTERIM}".encode())


class Transaction:
    """One run: what is wanted against what is on disk and what runs."""

    def __init__(self, params: dict[str, Any], check: bool, run: Run) -> None:
        self.params = params
        self.check = check
        self.main: str = params["path"]
        self.entry: str = params["entry"] or self.main
        self.generations = Generations(self.main, params["folder"])
        self.takeover = Takeover(self.generations, params["divert"], params["replace"], run)
        self.tester = Tester(params["validate"], params["pid_file"], params["socket"], self.generations, run, check)
        self.running: str | None = None
        self.previous: str | None = None
        self.shut = False

    def run(self) -> dict[str, Any]:
        """Do what the module promises; return its result."""
        folder = os.path.dirname(self.main)
        if not os.path.isdir(folder):
            if self.params["state"] == "absent":
                return self.result(False, "", [])
            if self.check:
                return self.result(True, "", [*self._sums(), self.main])
            raise Failure(f"there is no folder {folder}; install nginx first")
        for path in (self.main, os.path.dirname(self.params["folder"]), self.params["folder"]):
            if os.path.islink(path):
                raise Failure(f"{path} is a symbolic link, and a commit would change what it does not lead to; "
                              f"name the path that it leads to")
        if self.entry != self.main and Generations(self.entry, self.params["folder"]).current():
            raise Failure(f"{self.entry} itself names a generation in {self.params['folder']}: it was taken over "
                          f"(websocket_proxy_nginx_conf: own). Remove that first, with that setting")
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
        """Have only root read what the inventory says, in place: no text differs, so nginx has nothing to reload."""
        wrong = self.generations.wrong_modes()
        for path, mode in wrong.items() if not self.check else ():
            os.chmod(path, mode)
        self.shut = bool(wrong)

    # --- state: present

    def _sums(self) -> dict[str, str]:
        return {file["name"]: file["sha256"] or checksum((file["content"] or "").encode())
                for file in self.params["files"]}

    def change(self) -> dict[str, Any]:
        """Put what is wanted in force, where anything differs from it."""
        current, wanted = self.previous, self._sums()
        wanted_main = self.params["sha256"] or checksum((self.params["content"] or "").encode())
        here = self.generations.plain_texts(current) if current else {}
        main = unnamed(self.generations.main_text() or b"", current)
        same = {name for name, text in here.items() if wanted.get(name) == checksum(text)}
        different = sorted((set(wanted) | set(here)) - same)
        if checksum(main) != wanted_main:
            different.append(self.main)

        interim: bool = self.params["interim"]
        plain = self._digest(wanted_main, wanted)
        digest = of_step(plain) if interim else plain
        takeover = self.takeover.needed()
        links = self.takeover.links(self.params["unlink"])
        # A configuration in force with the same texts does for a step, too.
        if current and not (different or takeover or links) and current.partition("-")[2] in (plain[:12], digest[:12]) \
                and self.generations.untouched(current):
            return self._unchanged(current)

        given = {file["name"]: file["content"] for file in [*self.params["files"],
                                                            {"name": self.main, "content": self.params["content"]}]}
        available = {checksum(text): text for text in
                     [main, *here.values(), *(text.encode() for text in given.values() if text is not None)]}
        missing = [name for name, wanted_sum in [*wanted.items(), (self.main, wanted_main)]
                   if wanted_sum not in available]
        before = self._shown(current, {name: text for name, text in {**here, self.main: main}.items()
                                       if name in different})
        if missing:
            return {"changed": False, "missing": missing, "before": before}
        files = {name: available[wanted_sum] for name, wanted_sum in wanted.items()}
        generation = self._commit(files, available[wanted_main], digest, interim, takeover, links,
                                  self.params["masked"])
        return {**self.result(True, generation, different), "before": before}

    def _shown(self, generation: str | None, texts: dict[str, bytes]) -> dict[str, str]:
        """Return TEXTS of a generation as a difference shows them."""
        lines = self.generations.masked(generation) if generation else {}
        if lines is None:
            # An earlier version's: where there are secrets now, there may have been others.
            wanted: dict[str, list[int]] = self.params["masked"]
            lines = {name: list(range(texts[name].count(b"\n"))) for name in texts if wanted.get(name)}
        return {name: masked(text.decode(errors="replace"), lines.get(name, ())) for name, text in texts.items()}

    def _digest(self, main: str, files: dict[str, str]) -> str:
        """Return one checksum of all texts, and of the local files that they refer to."""
        referred = {path: checksum(read(path) or b"") for path in self.params["references"]}
        return checksum("\n".join([main, *(f"{name} {files[name]}" for name in sorted(files)),
                                   *(f"{path} {referred[path]}" for path in sorted(referred))]).encode())

    def _unchanged(self, current: str) -> dict[str, Any]:
        """Test what is in force: a foreign file that broke it is found by every run."""
        if not self.check:
            self._clear()
            self.generations.prune(self.params["keep"], self.running)
        if self.tester.possible() or not self.check:
            self.tester.test(self.entry, self.entry, "and it is the one on disk")
        # With two masters, either may have answered.
        behind = self.params["socket"] is not None and (
            self.running != current or bool(beside(self.params["pid_file"])))
        return {**self.result(behind or self.shut, current, []), "reload": behind}

    def _commit(self, files: dict[str, bytes], main: bytes, digest: str, interim: bool, takeover: bool,
                links: list[str], lines: dict[str, list[int]] | None) -> str:
        if f"{self.params['folder']}/{MARKER}/".encode() not in main:
            raise Failure(f"the text of {self.main} names no generation; it has to include "
                          f"{self.params['folder']}/{MARKER}/*.conf")
        undo: Undo = []
        self._clear()
        generation = self.generations.next_name(digest)
        undo.append(lambda: self.generations.discard(generation))
        try:
            named = {name: text.replace(MARKER.encode(), generation.encode()) for name, text in files.items()}
            if interim:
                named[INTERIM] = b""
            if lines is not None:
                named[MASKED] = json.dumps(lines).encode()
            candidate = self.generations.stage(generation, named, main.replace(MARKER.encode(), generation.encode()))
            self._test(candidate, links)
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

    def _clear(self) -> None:
        """Remove what a run left behind that was cut off."""
        self.generations.clear_leftovers()
        self.tester.clear()
        remove_file(self._entry_candidate())

    def _entry_candidate(self) -> str:
        folder, base = os.path.split(self.entry)
        return os.path.join(folder, f".{base}.websocket_proxy")

    def _test(self, candidate: str, links: list[str]) -> None:
        """Test the candidate as it will run: from within the main file that includes it, and without the LINKS."""
        if self.check and not (self.params["test"] and self.tester.possible()):
            return
        if self.entry == self.main and not links:
            self.tester.test(candidate, self.main, UNCHANGED)
            return
        path = self._entry_candidate()
        if self.entry == self.main:
            text = (read(candidate) or b"").decode(errors="surrogateescape")
        else:
            text = swapped(self.entry, self.main, candidate)
        text = mirrored(text, os.path.dirname(self.entry), dict.fromkeys(links))
        try:
            write(path, text.encode(errors="surrogateescape"))
            self.tester.test(path, self.entry, UNCHANGED)
        finally:
            remove_file(path)

    # --- state: rolled_back

    def roll_back(self) -> dict[str, Any]:
        """Put an earlier generation in force again, as a new one."""
        known = self.generations.all()
        wanted = self.params["generation"]
        if not wanted:
            wanted = self.generations.earlier(self.previous) if self.previous else None
            if not wanted:
                raise Failure(f"there is no generation before {self.previous or 'the first'} in "
                              f"{self.params['folder']} that has other texts and was more than a step")
        if wanted not in known:
            raise Failure(f"{wanted} is not a generation in {self.params['folder']}; there are: {', '.join(known)}")
        texts = self.generations.plain_texts(wanted)
        main = unnamed(self.generations.main_of(wanted), wanted)
        here = self.generations.plain_texts(self.previous) if self.previous else {}
        different = sorted(name for name in set(texts) | set(here) if texts.get(name) != here.get(name))
        if unnamed(self.generations.main_text() or b"", self.previous) != main:
            different.append(self.main)
        interim = self.generations.interim(wanted)
        digest = self._digest(checksum(main), {name: checksum(text) for name, text in texts.items()})
        digest = of_step(digest) if interim else digest
        if self.previous and not different and self.previous.endswith(f"-{digest[:12]}"):
            return self._unchanged(self.previous)
        before = self._shown(self.previous,
                             {**here, self.main: unnamed(self.generations.main_text() or b"", self.previous)})
        after = self._shown(wanted, {**texts, self.main: main})
        generation = self._commit(texts, main, digest, interim, takeover=False, links=[],
                                  lines=self.generations.masked(wanted))
        return {**self.result(True, generation, different), "diff": [
            {"before_header": name, "before": before.get(name, ""),
             "after_header": name, "after": after.get(name, "")} for name in different]}

    # --- state: absent

    def remove(self) -> dict[str, Any]:
        """Take back all that was ever committed here."""
        if not os.path.isdir(self.params["folder"]) and self.previous is None:
            # A removal that was cut off before its reload is finished by the next run.
            return self.result(self.running is not None, "", [])
        if self.check:
            return self.result(True, "", [self.main])
        self._clear()
        original = self.takeover.original_text()
        if self.entry == self.main and original is not None and self.tester.possible():
            candidate = self.generations.candidate("000000-000000000000")
            try:
                write(candidate, original)
                self.tester.test(candidate, self.main, f"it is what was there before the role; {UNCHANGED}")
            finally:
                remove_file(candidate)
        self.takeover.give_main_back()
        self.generations.remove_all()
        return self.result(True, "", [self.main])

    def result(self, changed: bool, generation: str, different: list[str]) -> dict[str, Any]:
        """Return what the module tells."""
        interim = bool(generation) and self.generations.interim(generation)
        earlier = self.generations.earlier(generation) if interim else None
        return {"changed": changed, "reload": changed, "modes": self.shut, "generation": generation,
                "previous_generation": self.previous or "", "interim": interim, "earlier_generation": earlier or "",
                "running_generation": self.running or "", "different": different,
                "strays": self.generations.strays()}


def main() -> None:
    """Run the module."""
    text = {"template": {"type": "str"}, "content": {"type": "str"}, "vars": {"type": "dict", "default": {}},
            "sha256": {"type": "str"}}
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "rolled_back", "absent"], "default": "present"},
            "path": {"type": "str", "default": "/etc/nginx/nginx.conf"},
            "entry": {"type": "str"},
            **text,
            "files": {"type": "list", "elements": "dict", "default": [],
                      "options": {"name": {"type": "str", "required": True}, **text}},
            "folder": {"type": "str", "required": True},
            "generation": {"type": "str"},
            "interim": {"type": "bool", "default": False},
            "secrets": {"type": "list", "elements": "str", "default": [], "no_log": True},
            "masked": {"type": "dict", "default": {}},
            "references": {"type": "list", "elements": "str", "default": []},
            "socket": {"type": "str"},
            "validate": {"type": "str", "default": COMMAND},
            "test": {"type": "bool", "default": True},
            "pid_file": {"type": "str", "default": "/run/nginx.pid"},
            "keep": {"type": "int", "default": 5},
            "divert": {"type": "bool", "default": False},
            "replace": {"type": "bool", "default": False},
            "unlink": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    # Whatever the caller's: it is what programs such as dpkg-divert go by.
    os.umask(0o022)
    transaction = Transaction(module.params, module.check_mode, runner(module))
    try:
        result = transaction.run()
    except (Failure, OSError) as error:
        module.fail_json(msg=str(error))
    for stray in result.get("strays", []):
        module.warn(f"{stray} is nothing of this module's; it is left alone")
    # The controller knows what of nginx's warnings is secret.
    module.exit_json(**result, told=transaction.tester.warnings)


if __name__ == "__main__":
    main()
