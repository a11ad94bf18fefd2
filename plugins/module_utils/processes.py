# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""nginx's running processes: its master, its workers, and the generation that they report."""

from __future__ import annotations

import os
import re
import socket
import stat

MASTER = "nginx: master process"
WORKER = "nginx: worker process"
SHUTTING_DOWN = "nginx: worker process is shutting down"

_GENERATION = re.compile(rb"\r\n\r\n([0-9]{6,}-[0-9a-f]{12})\s*\Z")


def running_generation(path: str) -> str | None:
    """Return the generation that nginx reports on its private socket, or None if there is no answer."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(2)
        answer = b""
        try:
            connection.connect(path)
            connection.sendall(b"GET /generation HTTP/1.0\r\n\r\n")
            while True:
                piece = connection.recv(4096)
                if not piece:
                    break
                answer += piece
        except OSError:
            return None
    found = _GENERATION.search(answer)
    return found[1].decode() if found else None


def remove_dead_socket(path: str) -> None:
    """Remove a socket without a listening process, which would prevent nginx from starting.

    nginx 1.18 leaves its sockets behind after every stop. All versions do so after a kill. Other files are kept: a
    connection to a regular file is refused as well.
    """
    if not os.path.lexists(path) or not stat.S_ISSOCK(os.lstat(path).st_mode):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(2)
        try:
            connection.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
        except OSError:
            return


def lost_socket(path: str, pid: int) -> bool:
    """Return whether a process listens on a socket that was removed; a reload does not create it again."""
    if os.path.lexists(path):
        return False
    links = _links(pid)
    with open("/proc/net/unix", encoding="utf-8", errors="replace") as file:
        # Columns: the inode is the seventh, the path the eighth.
        return any(words[7:] == [path] and f"socket:[{words[6]}]" in links for words in map(str.split, file))


def title(pid: int) -> str:
    """Return the title of a process; empty if there is no such process."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().rstrip(b"\0 ").replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def _stat(pid: int) -> list[str]:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return []


def started(pid: int) -> str:
    """Return when a process started, in ticks since boot; with the pid, this identifies the process permanently."""
    words = _stat(pid)
    return words[19] if words else ""


def parent_pids() -> dict[int, int]:
    """Return the pid of every process with the pid of its parent."""
    found = {}
    for name in os.listdir("/proc"):
        words = _stat(int(name)) if name.isdigit() else []
        if words:
            found[int(name)] = int(words[1])
    return found


def is_master(pid: int) -> bool:
    """Return whether a process is a master of nginx.

    Any user can give a process that title, even one that then runs as root, such as sudo. So the program must also be
    nginx, from a folder where only root can create files.
    """
    return title(pid).startswith(MASTER) and _numbers(pid, "Uid") == ["0"] * 4 and _is_nginx(pid)


def _is_nginx(pid: int) -> bool:
    try:
        folder, name = os.path.split(os.readlink(f"/proc/{pid}/exe"))
        found = os.stat(folder)
    except OSError:
        return False
    # If the package has replaced the program since, the name is "nginx (deleted)".
    return name.startswith("nginx") and found.st_uid == 0 and not found.st_mode & 0o022


def replaced(pid: int, code: re.Pattern[str]) -> bool:
    """Return whether a process runs CODE that is not on disk any more: its program, or a file that it has loaded."""
    try:
        with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as file:
            # Columns: the path is the sixth, and may have spaces.
            return any(code.match(line.rstrip("\n").split(None, 5)[-1]) for line in file)
    except OSError:
        return False


def masters(pid_file: str) -> list[int]:
    """Return the running masters: the one in PID_FILE first, then any others, such as one that was exchanged."""
    pid = _named(pid_file)
    # The pid in a stale pid file may now belong to a container's master.
    first = [pid] if pid and is_master(pid) and not _contained(pid) else []
    parents = parent_pids()
    titled = {one for one in parents if is_master(one)}
    # A worker has its master's title until it sets its own.
    others = [one for one in sorted(titled) if one not in first and not _elsewhere(one)
              and (parents[one] not in titled or one in parents.values())]
    return first + others


def _named(pid_file: str) -> int:
    """Return the pid in a file, or 0 if there is none."""
    try:
        with open(pid_file, encoding="ascii") as file:
            return int(file.read())
    except (OSError, ValueError):
        return 0


def master(pid_file: str) -> int | None:
    """Return the pid of the running master: the one in PID_FILE, otherwise the only one; None if there are several."""
    found = masters(pid_file)
    return found[0] if found and (len(found) == 1 or _named(pid_file) == found[0]) else None


def beside(pid_file: str) -> list[int]:
    """Return what accepts connections beside the running master: other masters, and workers without a master.

    Both exist if an exchange of the binary was not finished.
    """
    others = [pid for pid in masters(pid_file) if pid != master(pid_file) and False in workers(pid).values()]
    return others + [pid for pid, ending in orphans(pid_file).items() if not ending]


def exchanged(pid_file: str) -> int | None:
    """Return the old master of an exchange while it still runs, or None."""
    pid = _named(f"{pid_file}.oldbin")
    return pid if pid in masters(pid_file)[1:] else None


def _elsewhere(pid: int) -> bool:
    """Return whether a master runs in a container, or was started with its own configuration or prefix."""
    return _contained(pid) or not {"-c", "-p"}.isdisjoint(title(pid).split())


def _contained(pid: int) -> bool:
    return len(_numbers(pid, "NSpid")) > 1


def _numbers(pid: int, name: str) -> list[str]:
    """Return the values of the field NAME in the status of a process; none if there is no such process."""
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
            return next((line.split()[1:] for line in file if line.startswith(f"{name}:")), [])
    except OSError:
        return []


def workers(*pids: int) -> dict[int, bool]:
    """Return the workers of masters, and whether each is shutting down."""
    parents = parent_pids()
    # A master that took over from another one is its child, but has children of its own.
    titles = {pid: title(pid) for pid, parent in parents.items() if parent in pids and pid not in parents.values()}
    return {pid: text.startswith(SHUTTING_DOWN) for pid, text in titles.items() if text.startswith((WORKER, MASTER))}


def orphans(pid_file: str) -> dict[int, bool]:
    """Return workers without a master, and whether each is shutting down; a reload does not reach them.

    Any user can give a process that title. So it must be in the control group of a running master. It must also run as
    the user of that master's workers: if nginx was started by hand, its group is that of a login session.
    """
    found = masters(pid_file)
    groups = {_control_group(pid) for pid in found} - {""}
    users = [_numbers(pid, "Uid") for pid in workers(*found)]
    return {pid: text.startswith(SHUTTING_DOWN) for pid, parent in parent_pids().items()
            if parent not in found and (text := title(pid)).startswith(WORKER) and _control_group(pid) in groups
            and _numbers(pid, "Uid") in users and not is_master(parent)}


def _control_group(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/cgroup", encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def open_sockets(pid: int) -> int | None:
    """Return how many established TCP connections a process has, or None if that cannot be read."""
    inodes = _links(pid)
    if not inodes:
        return None
    count = 0
    for table in ("tcp", "tcp6"):
        try:
            with open(f"/proc/{pid}/net/{table}", encoding="ascii") as file:
                # Columns: state is the fourth, 01 is established; the inode is the tenth.
                count += sum(words[3] == "01" and f"socket:[{words[9]}]" in inodes
                             for words in map(str.split, file.readlines()[1:]))
        except OSError:
            continue
    return count


def holders(port: int) -> set[int]:
    """Return the processes that listen on a TCP port."""
    inodes = set()
    for table in ("tcp", "tcp6"):
        try:
            with open(f"/proc/net/{table}", encoding="ascii") as file:
                # State 0A is listening; the port is the last part of the local address, in hexadecimal.
                inodes |= {f"socket:[{words[9]}]" for words in map(str.split, file.readlines()[1:])
                           if words[3] == "0A" and int(words[1].rpartition(":")[2], 16) == port}
        except OSError:
            continue
    return {pid for pid in parent_pids() if inodes & _links(pid)} if inodes else set()


def open_files(pid: int) -> set[str]:
    """Return the paths of the files that a process has open; none if they cannot be read."""
    return {link for link in _links(pid) if link.startswith("/")}


def _links(pid: int) -> set[str]:
    """Return the targets of a process's file descriptors; none if they cannot be read."""
    found = set()
    try:
        for name in os.listdir(f"/proc/{pid}/fd"):
            found.add(os.readlink(f"/proc/{pid}/fd/{name}"))
    except OSError:
        pass
    return found
