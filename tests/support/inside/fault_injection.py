"""Runs in a container: runs nginx_config again and again, and strikes at a different change to a file each time.

It reads a case and writes its findings, both as JSON. A strike kills the run before the call is done, with everything
that the run started (``signal=KILL``), or makes the call fail (``error=ENOSPC``). Debian 11 has Python 3.9.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import stat
import subprocess
import sys
import tempfile

from ansible.module_utils.testing import patch_module_args

from ansible_collections.wsedge.nginx.plugins.modules import nginx_config

ROOTS = ["/etc/nginx", "/var/lib/dpkg/diversions", "/run/nginx.pid", "/run/websocket_proxy"]
# With "?", strace ignores a name that it or the architecture does not have.
CALLS = ",".join("?" + name for name in (
    "open openat creat write pwrite64 writev truncate ftruncate fallocate mkdir mkdirat rmdir rename renameat "
    "renameat2 unlink unlinkat link linkat symlink symlinkat mknod mknodat bind chmod fchmod fchmodat fchmodat2 chown "
    "fchown lchown fchownat fsync fdatasync utimensat").split())
# The paths that survive a reboot.
LASTING = ("/etc/", "/var/")
# Every file that the module writes in these tests has this text.
OURS = "# of the tests"
TRACE = "/tmp/trace"
PROGRAMS = "/tmp/programs"
REAL = {"dpkg-divert": "/usr/bin/dpkg-divert", "nginx": "/usr/sbin/nginx"}

# Replaces a program, and strikes inside it. If the strike kills the program, this also kills the caller, which waits
# for the program.
PROGRAM = """#!/bin/sh
[ "$STRIKE_IN" = {name} ] && [ ! -e {trace} ] || exec {real} "$@"
case "$*" in *--truename*|*--listpackage*) exec {real} "$@" ;; esac
strace -o {trace} -e trace='{calls}' $STRIKE {real} "$@"
code=$?
[ $code != 137 ] || kill -9 $PPID
exit $code
"""

State = dict


def snapshot() -> State:
    """Return every path that matters with its type, mode, owner and content."""
    found: State = {}
    for root in ROOTS:
        paths = [root] if os.path.lexists(root) else []
        for folder, folders, files in os.walk(root):
            paths += [os.path.join(folder, name) for name in folders + files]
        for path in paths:
            facts = os.lstat(path)
            content = ""
            if stat.S_ISLNK(facts.st_mode):
                content = os.readlink(path)
            elif stat.S_ISREG(facts.st_mode):
                with open(path, encoding="latin-1", newline="") as file:
                    content = file.read()
            found[path] = (stat.S_IFMT(facts.st_mode), stat.S_IMODE(facts.st_mode), facts.st_uid, facts.st_gid, content)
    return found


def restore(state: State) -> None:
    """Restore every path that matters to a STATE."""
    now = snapshot()
    wrong = [path for path in now if now[path] != state.get(path)]
    for path in sorted(wrong, reverse=True):
        if now[path][0] != stat.S_IFDIR:
            os.unlink(path)
        elif path not in state:
            os.rmdir(path)
    for path in sorted(path for path in state if now.get(path) != state[path]):
        kind, mode, user, group, content = state[path]
        if kind == stat.S_IFLNK:
            os.symlink(content, path)
            continue
        if kind == stat.S_IFSOCK:
            with socket.socket(socket.AF_UNIX) as one:
                one.bind(path)
        elif kind == stat.S_IFREG:
            with open(path, "w", encoding="latin-1", newline="") as file:
                file.write(content)
        elif not os.path.isdir(path):
            os.mkdir(path)
        os.chown(path, user, group)
        os.chmod(path, mode)


def dump() -> str:
    """Return the configuration as nginx reads it, or its error; the default site is omitted."""
    before = snapshot()
    done = subprocess.run([REAL["nginx"], "-T"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="latin-1",
                          check=False)
    restore(before)
    if done.returncode:
        return done.stdout
    files = done.stdout.split("# configuration file ")[1:]
    return "".join(text for text in files if not text.startswith("/etc/nginx/sites-enabled/default:"))


class Run:
    """One run of the module, in its own process."""

    def __init__(self, arguments: dict, where: str = "", strike: str = "") -> None:
        if os.path.exists(TRACE):
            os.unlink(TRACE)
        with tempfile.TemporaryFile() as output:
            hold, release = os.pipe()
            child = os.fork()
            if child == 0:
                self._run(arguments, where, strike, hold, output.fileno())
            tracer = self._attach(child, strike) if where == "python" else None
            os.write(release, b".")
            _child, status = os.waitpid(child, 0)
            os.close(hold)
            os.close(release)
            if tracer:
                tracer.communicate()
            self.killed = os.WIFSIGNALED(status)
            output.seek(0)
            self.output = output.read().decode(errors="replace")
        self.calls = self._calls(where)

    def result(self) -> dict:
        """Return the result of the module."""
        try:
            return json.loads(self.output)
        except ValueError:
            return {"failed": True, "msg": self.output}

    @staticmethod
    def _run(arguments: dict, where: str, strike: str, hold: int, output: int) -> None:
        try:
            os.dup2(output, 1)
            os.dup2(output, 2)
            os.environ.update(PATH=PROGRAMS + ":" + os.environ["PATH"], STRIKE_IN=where, STRIKE=strike)
            os.umask(0o077)
            os.read(hold, 1)
            with patch_module_args(arguments):
                nginx_config.main()
        except SystemExit:
            pass
        finally:
            sys.stdout.flush()
            os._exit(0)

    @staticmethod
    def _attach(child: int, strike: str) -> subprocess.Popen:
        tracer = subprocess.Popen(["strace", "-o", TRACE, "-e", "trace=" + CALLS, *strike.split(), "-p", str(child)],
                                  stderr=subprocess.PIPE, universal_newlines=True)
        line = tracer.stderr.readline()
        assert "attached" in line, line
        return tracer

    @staticmethod
    def _calls(where: str) -> list:
        """Return the calls that change something, each with its text and its number among the calls of that name."""
        found, count = [], {}
        if os.path.exists(TRACE):
            with open(TRACE, encoding="utf-8", errors="replace") as file:
                for line in file:
                    call = re.match(r"(\w+)\(", line)
                    if not call:
                        continue
                    name = call[1]
                    count[name] = count.get(name, 0) + 1
                    if "open" in name and not re.search("O_WRONLY|O_RDWR|O_CREAT|O_TRUNC", line):
                        continue
                    if name == "bind" and "AF_UNIX" not in line:
                        continue
                    found.append({"where": where, "name": name, "number": count[name],
                                  "text": re.sub(r"\s+= [^=]*$", "", line).strip(), "struck": "(INJECTED)" in line})
        return found


class Case:
    """A start state, a run that changes it, and the strikes at this run."""

    def __init__(self, arguments: dict, futures: dict, strike: str) -> None:
        self.arguments, self.futures, self.strike = arguments, futures, strike
        self.start, self.old = snapshot(), dump()
        self.first = Run(arguments).result()
        self.new, self.kept = dump(), theirs(self.start) & texts(snapshot())
        self.judged: dict = {}
        self.settled: dict = {}
        after = snapshot()
        self.wanted = {}
        for name, future in self.futures.items():
            restore(after)
            self.wanted[name] = self._follow(future)
        restore(self.start)

    def strikes(self, step: int) -> list:
        """Strike at one call in each STEP calls, and at the last one."""
        told = []
        for where in ("python", *REAL):
            calls = self._recorded(where)
            for call in [*calls[:-1:step], *calls[-1:]]:
                when = "-e inject={}:{}:when={}".format(call["name"], self.strike, call["number"])
                run = Run(self.arguments, where, when)
                calls = run.calls
                ended = "KILL" in self.strike
                struck = [one for one in calls[-1:] if run.killed] if ended else [one for one in calls if one["struck"]]
                told.append({"call": call["where"] + ": " + call["text"],
                             "struck": [one["where"] + ": " + one["text"] for one in struck],
                             "told": None if run.killed else run.result(), **self._judge()})
                restore(self.start)
        return told

    def _recorded(self, where: str) -> list:
        # The second run counts: it does not repeat what a process reads only once.
        for _time in range(2):
            calls = Run(self.arguments, where).calls
            restore(self.start)
        # The module's output to Ansible is not a change.
        return [call for call in calls if not re.match(r"write\([12],", call["text"])]

    def _judge(self) -> dict:
        """Return what the strike left, and what the next runs make of it; equal states are judged only once."""
        state = snapshot()
        key = json.dumps(state, sort_keys=True)
        if key not in self.judged:
            found = dump()
            verdict = {"reads": "old" if found == self.old else "new" if found == self.new else found,
                       "touched": [path for path in differences(state, self.start) if path.startswith(LASTING)],
                       "lost": sorted(self.kept - texts(state))}
            for name, future in self.futures.items():
                restore(state)
                error, then = self._follow(future)
                verdict[name] = {"error": error, "differs": differences(then, self.wanted[name][1]),
                                 "again": self._settle(name, future[-1])}
            self.judged[key] = verdict
        return self.judged[key]

    @staticmethod
    def _follow(future: list) -> tuple:
        """Run the FUTURE without strikes; return the error with which it failed, and the state that it left."""
        for arguments in future:
            result = Run(arguments).result()
            if result.get("failed"):
                return result["msg"], snapshot()
        return None, snapshot()

    def _settle(self, name: str, arguments: dict) -> list:
        """Return the changes of one more run."""
        before = snapshot()
        key = name + json.dumps(before, sort_keys=True)
        if key not in self.settled:
            result = Run(arguments).result()
            self.settled[key] = result.get("msg") or result["different"] or differences(snapshot(), before)
        return self.settled[key]


def differences(one: State, other: State) -> list:
    """Return the paths that differ between two states."""
    return sorted(path for path in {*one, *other} if one.get(path) != other.get(path))


def texts(state: State) -> set:
    """Return the content of every file below /etc."""
    return {content for path, (kind, _mode, _user, _group, content) in state.items()
            if kind == stat.S_IFREG and path.startswith("/etc/")}


def theirs(state: State) -> set:
    """Return the texts that the module did not write; none of them may be lost at any time."""
    return {content for content in texts({path: state[path] for path in state if "/before/links" not in path})
            if OURS not in content}


def main() -> None:
    """Run the case on standard input."""
    question = json.load(sys.stdin)
    shutil.rmtree(PROGRAMS, ignore_errors=True)
    os.mkdir(PROGRAMS)
    for name, real in REAL.items():
        with open(os.path.join(PROGRAMS, name), "w", encoding="utf-8") as file:
            file.write(PROGRAM.format(name=name, real=real, trace=TRACE, calls=CALLS))
        os.chmod(file.name, 0o755)
    test = {"validate": PROGRAMS + "/nginx -t -c %s -g 'daemon on; master_process on;'"}
    futures = {name: [{**one, **test} for one in future] for name, future in question["futures"].items()}
    case = Case({**question["arguments"], **test}, futures, question["strike"])
    told = {"errors": [case.first.get("msg"), *(error for error, _state in case.wanted.values())],
            "wanted": {name: sorted(state) for name, (_error, state) in case.wanted.items()},
            "changes": case.old != case.new, "strikes": case.strikes(question["step"])}
    json.dump({**told, "states": len(case.judged)}, sys.stdout)


if __name__ == "__main__":
    main()
