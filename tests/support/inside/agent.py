"""Runs as process 1 of a container: reads one JSON line for each question of the tests, and writes one with the answer.

It ends when its input ends.
It is far faster than a ``docker exec`` for each command, and leaves no container behind when the tests are killed.
Debian 11 has Python 3.9.
"""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
import tempfile
import traceback

MODULES = "ansible_collections.wsedge.nginx.plugins.modules."


def shell(command: str) -> dict:
    """Run a shell command."""
    # A file and not a pipe, because a daemon may keep its standard error open.
    with tempfile.TemporaryFile() as output:
        code = subprocess.run(["/bin/sh", "-c", command], stdin=subprocess.DEVNULL, stdout=output,
                              stderr=subprocess.STDOUT, check=False).returncode
        output.seek(0)
        return {"code": code, "output": output.read().decode(errors="surrogateescape")}


def write(files: dict) -> dict:
    """Write files, by path."""
    for path, text in files.items():
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(text.encode(errors="surrogateescape"))
    return {}


def module(name: str, arguments: dict, umask: int) -> dict:
    """Run a module of the collection as Ansible does, in its own process."""
    from ansible.module_utils.testing import patch_module_args

    with tempfile.TemporaryFile() as output:
        child = os.fork()
        if child == 0:
            try:
                os.dup2(output.fileno(), 1)
                os.dup2(output.fileno(), 2)
                os.umask(umask)
                with patch_module_args(arguments):
                    runpy.run_module(MODULES + name, run_name="__main__")
            except SystemExit:
                pass
            except BaseException:
                traceback.print_exc()
            sys.stdout.flush()
            os._exit(0)
        os.waitpid(child, 0)
        output.seek(0)
        return {"output": output.read().decode(errors="replace")}


def reap() -> None:
    """Reap daemons that have ended, because process 1 inherits them."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def main() -> None:
    """Answer questions until the input ends."""
    what = {"shell": shell, "write": write, "module": module}
    for line in sys.stdin:
        reap()
        question = json.loads(line)
        answer = what[question.pop("do")](**question)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
