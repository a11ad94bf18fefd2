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
    run, and puts it in force with one C(rename(2\)) of the main file. A crash at any instant leaves the old
    configuration or the new one, each whole.
  - When nothing differs, nothing is written; the configuration on disk is tested all the same, so that a broken file
    of somebody else's is found by every run.
  - Files are compared by their content, not by the name of their generation. What was edited by hand is put right by
    a new generation.
  - It does not reload nginx; notify a handler for that.
notes:
  - The number of round trips to the host does not depend on the number of files. It is one when nothing differs, two
    otherwise.
  - The test runs as root and opens the log files, as C(nginx -t) does. The empty pid file that C(nginx -t) leaves
    behind where nginx does not run is removed.
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
  main:
    description: The main file, which names the generation in force.
    type: dict
    required: true
    suboptions:
      path:
        description: Absolute path of the main file. It must not be a symbolic link.
        type: str
        default: /etc/nginx/nginx.conf
      template:
        description:
          - A Jinja template in the role's or playbook's folder C(templates).
          - It sees only O(main.vars), and C(generation), which is the pattern of the files of the generation, for the
            C(include) directive. Each C({{ value }}) is written as one quoted word of nginx's configuration.
          - Give this or O(main.content).
        type: str
      content:
        description: The main file's text. C(@generation@) in it stands for the name of the generation's folder.
        type: str
      vars:
        description: What O(main.template) sees.
        type: dict
        default: {}
      sha256:
        description: Checksum of the text, made by the controller. It is not for playbooks.
        type: str
  files:
    description: The files of the generation, which O(main) includes.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The file's name in the generation's folder.
        type: str
        required: true
      template:
        description: As O(main.template), with O(files[].vars). Give this or O(files[].content).
        type: str
      content:
        description: The file's text.
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
  validate:
    description: The command that tests a main file; C(%s) in it stands for the file's path. It is not run by a shell.
    type: str
    default: /usr/sbin/nginx -t -c %s -g 'daemon on; master_process on;'
  pid_file:
    description: The pid file of the main file, as nginx's C(pid) directive names it.
    type: str
    default: /run/nginx.pid
  keep:
    description: How many generations are kept, the one in force among them.
    type: int
    default: 5
  divert:
    description:
      - Take a main file over that is a conffile of a Debian package, with C(dpkg-divert). An upgrade of the package
        asks no question then, and its own file lies beside under the ending C(.distrib).
      - A main file that has been edited is not taken over; the module fails and names the remedy.
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
    main:
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
"""

RETURN = r"""
generation:
  description: The generation in force; in check mode the one that would be.
  type: str
  returned: success
  sample: 000004-5a1c0b9d2e7f
previous_generation:
  description: The generation that was in force before, empty when there was none.
  type: str
  returned: success
  sample: 000003-0f9e8d7c6b5a
different:
  description: The names of the files that differ from those in force; the main file by its path.
  type: list
  elements: str
  returned: success
tested:
  description: Whether the configuration was tested; false only in check mode on a host without nginx.
  type: bool
  returned: success
"""

import fcntl
import os
import re
import shlex
import subprocess
import time
from functools import partial
from typing import Callable

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.wsedge.nginx.plugins.module_utils.conffiles import Conffiles, divert, diversion, undivert
from ansible_collections.wsedge.nginx.plugins.module_utils.generations import (
    MARKER,
    Generations,
    checksum,
    read,
    write,
)

LOCK_SECONDS = 60


class Failure(Exception):
    """The transaction cannot go on; the text says why and what helps."""


def lock(folder: str) -> None:
    """Lock a folder against a second run of this module; the lock ends with the process, which keeps it open."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    for _attempt in range(LOCK_SECONDS * 10):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            time.sleep(0.1)
    raise Failure(f"another run has been changing {folder} for {LOCK_SECONDS} seconds; try again when it has ended")


class Transaction:
    """One run: what is wanted against what is there."""

    def __init__(self, params: dict, check: bool) -> None:
        self.params = params
        self.check = check
        self.path: str = params["main"]["path"]
        self.generations = Generations(self.path, params["folder"])
        self.command = shlex.split(params["validate"])
        self.warnings: list[str] = []
        self.tested = False
        self.main_sum: str = self._checksum(params["main"])
        self.sums: dict[str, str] = {file["name"]: self._checksum(file) for file in params["files"]}
        self.digest = checksum("\n".join([self.main_sum, *(f"{name} {self.sums[name]}" for name in sorted(self.sums))])
                               .encode())

    @staticmethod
    def _checksum(file: dict) -> str:
        return file["sha256"] or checksum(file["content"].encode())

    def run(self) -> dict:
        """Do what the module promises; return its result."""
        if not os.path.isdir(os.path.dirname(self.path)):
            if self.check:
                return self._result(True, self.generations.next_name(self.digest), None, [*self.sums, self.path])
            raise Failure(f"there is no folder {os.path.dirname(self.path)}; install nginx first")
        if os.path.islink(self.path):
            raise Failure(f"{self.path} is a symbolic link; a commit would replace it. Name the file that it leads to")
        lock(os.path.dirname(self.path))
        current = self.generations.current()
        here = self.generations.texts(current)
        main = self.generations.main_text()
        # The main file's text with the marker back in its place: equal texts have equal checksums, whatever the name.
        plain = (main or b"").replace((current or MARKER).encode(), MARKER.encode())
        takeover = self._takeover(current)
        links = self._links()
        same = {name for name, text in here.items() if self.sums.get(name) == checksum(text)}
        different = sorted((set(self.sums) | set(here)) - same)
        if checksum(plain) != self.main_sum:
            different.append(self.path)
        if current and not different and not takeover and not links and self.generations.untouched(current):
            self.test(self.path, current)
            return self._result(False, current, current, [])

        contents = {file["name"]: file["content"].encode() for file in self.params["files"]
                    if file["content"] is not None}
        if self.params["main"]["content"] is not None:
            contents[self.path] = self.params["main"]["content"].encode()
        available = {checksum(text): text for text in [plain, *here.values(), *contents.values()]}
        missing = [name for name, wanted in [*self.sums.items(), (self.path, self.main_sum)] if wanted not in available]
        if missing:
            before = {name: here[name].decode(errors="replace") for name in different if name in here}
            if self.path in different:
                before[self.path] = (main or b"").decode(errors="replace")
            return {"changed": False, "missing": missing, "before": before}

        generation = self.generations.next_name(self.digest)
        files = {name: available[wanted] for name, wanted in self.sums.items()}
        self._write(generation, files, available[self.main_sum].replace(MARKER.encode(), generation.encode()),
                    takeover, links)
        return self._result(True, generation, current, different)

    def _write(self, generation: str, files: dict[str, bytes], main: bytes, takeover: bool, links: list[str]) -> None:
        undo: list[Callable[[], object]] = [lambda: self.generations.discard(generation)]
        try:
            self.generations.clear_leftovers()
            self.test(self.generations.stage(generation, files, main), generation)
            if not self.check:
                if takeover:
                    self._divert(undo)
                for link in links:
                    undo.append(partial(os.symlink, os.readlink(link), link))
                    os.unlink(link)
                self.generations.commit(generation)
                undo.clear()
        finally:
            for step in reversed(undo):
                step()
        self.generations.prune(self.params["keep"])

    def test(self, path: str, generation: str) -> None:
        """Test a main file; keep nginx's warnings, fail with its errors."""
        had_pid_file = os.path.lexists(self.params["pid_file"])
        try:
            done = subprocess.run([word.replace("%s", path) for word in self.command], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True,
                                  errors="replace", env=dict(os.environ, LC_ALL="C"), check=False)
        except FileNotFoundError:
            if self.check:
                return
            raise Failure(f"{self.command[0]} is not there; install nginx first") from None
        finally:
            if not had_pid_file and os.path.isfile(self.params["pid_file"]) \
                    and not os.path.getsize(self.params["pid_file"]):
                os.unlink(self.params["pid_file"])
        self.tested = True
        lines = [line.replace(path, self.path) for line in done.stdout.splitlines()]
        if done.returncode:
            told = [line + self._quoted(line, generation) for line in lines if re.search(r"\[(emerg|crit|alert)\]", line)]
            state = "what is in force was not changed" if path != self.path else "and it is what is in force"
            raise Failure("\n".join([f"nginx refuses this configuration; {state}:", *(told or lines)]))
        self.warnings = [line for line in lines if "[warn]" in line]

    def _quoted(self, line: str, generation: str) -> str:
        """Return the line of the configuration that a message of nginx's names, for a reader who cannot open it."""
        found = re.search(r" in (\S+):([0-9]+)$", line)
        if not found or f"/{generation}/" not in found[1]:
            return ""
        try:
            with open(found[1], encoding="utf-8", errors="replace") as file:
                return f"\n    {file.readlines()[int(found[2]) - 1].strip()}"
        except (OSError, IndexError):
            return ""

    def _takeover(self, current: str | None) -> bool:
        """Tell whether the main file has still to be diverted; fail when it is somebody's own."""
        if not self.params["divert"]:
            return False
        text, beside = self.generations.main_text(), diversion(self.path)
        if beside:
            if not (text is None or current or self.generations.all() or read(beside) == text):
                raise Failure(f"{self.path} is diverted to {beside} already, and not by this module. Undo that "
                              f"(dpkg-divert --remove {self.path}), or leave the file to whoever did it")
            return False
        conffiles = Conffiles()
        if not (text is None or current or conffiles.pristine(self.path)):
            raise Failure(
                f"{self.path} is not as its package brought it, so it is not taken over. Move what was added to it to "
                f"a file in {os.path.dirname(self.path)}/conf.d, put the package's own text back, and run again")
        return conffiles.known(self.path)

    def _divert(self, undo: list[Callable[[], object]]) -> None:
        beside = self.path + ".distrib"
        text = self.generations.main_text()
        if text is not None and self.generations.current() is None and not os.path.lexists(beside):
            undo.append(lambda: os.unlink(beside))
            write(beside, text)
        undo.append(lambda: undivert(self.path))
        divert(self.path, beside)

    def _links(self) -> list[str]:
        links = [link for link in self.params["unlink"] if os.path.islink(link)]
        if not links:
            return []
        conffiles = Conffiles()
        return [link for link in links if conffiles.pristine(os.path.realpath(link))]

    def _result(self, changed: bool, generation: str, previous: str | None, different: list[str]) -> dict:
        return {"changed": changed, "generation": generation, "previous_generation": previous or "",
                "different": different, "tested": self.tested}


def main() -> None:
    """Run the module."""
    text = {"template": {"type": "str"}, "content": {"type": "str"}, "vars": {"type": "dict", "default": {}},
            "sha256": {"type": "str"}}
    module = AnsibleModule(
        argument_spec={
            "main": {"type": "dict", "required": True,
                     "options": {"path": {"type": "str", "default": "/etc/nginx/nginx.conf"}, **text}},
            "files": {"type": "list", "elements": "dict", "required": True,
                      "options": {"name": {"type": "str", "required": True}, **text}},
            "folder": {"type": "str", "required": True},
            "validate": {"type": "str", "default": "/usr/sbin/nginx -t -c %s -g 'daemon on; master_process on;'"},
            "pid_file": {"type": "str", "default": "/run/nginx.pid"},
            "keep": {"type": "int", "default": 5},
            "divert": {"type": "bool", "default": False},
            "unlink": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    try:
        transaction = Transaction(module.params, module.check_mode)
        result = transaction.run()
    except (Failure, OSError) as error:
        module.fail_json(msg=str(error))
    for warning in transaction.warnings:
        module.warn(warning)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
