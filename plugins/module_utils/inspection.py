# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The facts about a host and the nginx that it has or would install: the work of the module nginx_info."""

from __future__ import annotations

import contextlib
import glob
import hashlib
import os
import re
import socket
import stat
from collections.abc import Iterator
from typing import Any

from ansible_collections.wsedge.nginx.plugins.module_utils.language import Unreadable, directives, switched
from ansible_collections.wsedge.nginx.plugins.module_utils.programs import Run

# Parameters of a listen directive that set options of its socket. Other directives must not set options of it again.
_LISTEN_OPTIONS = re.compile(
    r"listen[^;]*?\s(?:(?:setfib|fastopen|backlog|rcvbuf|sndbuf|accept_filter|ipv6only|so_keepalive)=|"
    r"(?:deferred|reuseport|bind|multipath)(?:[\s;]|$))")


def output(run: Run, *command: str) -> str:
    """Return the output of a command; empty if it fails."""
    done = run(*command)
    return done.output if done.code == 0 else ""


def openssl_version(run: Run) -> str:
    """Return the version of OpenSSL that nginx runs with; nginx reports it only if it was built with another one."""
    found = re.search(r"built with OpenSSL (\S+).*?(?:\(running with OpenSSL (\S+)|$)",
                      run("/usr/sbin/nginx", "-V").errors.replace("\n", " "))
    return (found[2] or found[1]) if found else ""


def installed(run: Run, packages: list[str]) -> dict[str, bool]:
    """Return for each package whether it is installed; dpkg-query fails if it does not know one of them."""
    told = run("dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", "--", *packages).output
    return {package: f"{package} installed" in told.splitlines() for package in packages}


def entries(folder: str) -> list[str]:
    """Return the names in a folder, or none if there is no folder."""
    return sorted(os.listdir(folder)) if os.path.isdir(folder) else []


def configuration(folder: str) -> dict[str, Any]:
    """Return the settings in configuration files of a folder that sites depend on; generations are not read.

    Files that nginx does not include count as well. Listen options do not count if the name shows that nginx does not
    include the file.
    """
    underscores = False
    options: dict[str, str] = {}
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if (parent, name) != (folder, "websocket_proxy"))
        for path in filter(os.path.isfile, (os.path.join(parent, name) for name in sorted(files))):
            with contextlib.suppress(OSError), open(path, "rb") as file:
                text = file.read().decode(errors="surrogateescape")
                underscores = underscores or switched(text, "underscores_in_headers", "on")
                for socket_, directive in () if _is_aside(path) else listen_options(path, text):
                    options.setdefault(socket_, directive)
    return {"underscores_in_headers": underscores, "listen_options": options}


def _is_aside(path: str) -> bool:
    """Return whether a file is only available, or is a copy that an editor or a package left behind."""
    folder = os.path.basename(os.path.dirname(path))
    return folder == "sites-available" or (folder == "conf.d" and not path.endswith(".conf")) or path.endswith("~")


def listen_options(path: str, text: str) -> Iterator[tuple[str, str]]:
    """Yield the sockets for which the TEXT of a file sets options, each with the file and the directive.

    nginx accepts options of a socket from one directive only (ngx_http_core_listen). QUIC has its own sockets.
    """
    if _LISTEN_OPTIONS.search(text):
        with contextlib.suppress(Unreadable):
            for one in directives(text):
                if one.words[0] == "listen" and len(one.words) > 2 and "quic" not in one.words \
                        and _LISTEN_OPTIONS.match(f"listen {' '.join(one.words[2:])}"):
                    yield _socket(one.words[1]), f"{path}: {' '.join(one.words)}"


def _socket(address: str) -> str:
    """Return the ADDRESS of a listen directive as the role writes it: for all IPv4 addresses, only the port."""
    if address.endswith("]"):
        return f"{address}:80"
    host, _colon, port = address.rpartition(":")
    if not port.isdigit():
        return "80" if address in ("*", "0.0.0.0") else f"{address}:80"
    return port if host in ("", "*", "0.0.0.0") else address


# Files that logrotate ignores in its folder (tabooext in logrotate.conf(5)).
_TABOO = re.compile(r".*(?:~|,v|\.(?:bak|cfsaved|disabled|dpkg-\w+|rhn-cfg-tmp-.*|rpm\w+|swp|ucf-\w+))|\..*")
# Scripts in logrotate's files.
_SCRIPT = re.compile(r"^\s*(?:prerotate|postrotate|preremove|firstaction|lastaction)\b.*?^\s*endscript\b", re.M | re.S)
_COMMENT = re.compile(r"^\s*#.*", re.M)


def rotated_logs(folder: str) -> dict[str, str]:
    """Return the patterns of logs that files in logrotate's FOLDER rotate, each with its file."""
    found: dict[str, str] = {}
    for path in (os.path.join(folder, name) for name in entries(folder) if not _TABOO.fullmatch(name)):
        with contextlib.suppress(OSError), open(path, encoding="utf-8", errors="replace") as file:
            outside = re.sub(r"\{[^}]*\}", "\n", _COMMENT.sub("", _SCRIPT.sub("", file.read())))
            for pattern in re.findall(r"""(?<!\S)["'](/[^"']*)["']|(?<!\S)(/\S+)""", outside):
                found.setdefault("".join(pattern), path)
    return found


def sha256(path: str) -> str:
    """Return the checksum of a regular file of root with mode 0644, or 0755 for a program; empty for any other file."""
    try:
        found = os.lstat(path)
        if not stat.S_ISREG(found.st_mode) or (found.st_uid, found.st_gid) != (0, 0):
            return ""
        with open(path, "rb") as file:
            content = file.read()
    except OSError:
        return ""
    mode = 0o755 if content.startswith(b"#!") else 0o644
    return hashlib.sha256(content).hexdigest() if stat.S_IMODE(found.st_mode) == mode else ""


def can_open_ipv6() -> bool:
    """Return whether a socket like that of nginx's C(listen [::]:80) can be opened."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            probe.bind(("::", 0))
            probe.listen(1)
    except OSError:
        return False
    return True


def has_address(address: str) -> bool:
    """Return whether a connection can be opened from an IP address."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.bind((address.strip("[]"), 0))
    except (OSError, UnicodeError):
        return False
    return True


def local_ports() -> int:
    """Return the number of local ports from which the kernel chooses one for a connection."""
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
        first, last = (int(port) for port in file.read().split())
    return last - first + 1


def version_of(run: Run, package: str) -> tuple[bool, str]:
    """Return whether a package is installed, and its version or the one that apt would install; "" if there is none."""
    status, _space, version = output(
        run, "dpkg-query", "-W", "-f", "${db:Status-Status} ${Version}", "--", package).partition(" ")
    if status == "installed":
        return True, version
    candidate = re.search(r"Candidate: (\S+)", output(run, "apt-cache", "policy", "--", package))
    return False, "" if not candidate or candidate[1] == "(none)" else candidate[1]


def state_of(run: Run, service: str) -> dict[str, bool]:
    """Return whether a service starts at boot, whether it runs, and whether its unit changed since systemd read it."""
    properties = "UnitFileState,ActiveState,NeedDaemonReload"
    told = output(run, "systemctl", "show", f"--property={properties}", service).splitlines()
    return {"enabled": "UnitFileState=enabled" in told, "active": "ActiveState=active" in told,
            "stale": "NeedDaemonReload=yes" in told}


def inspect(params: dict[str, Any], run: Run) -> dict[str, Any]:
    """Return the module's facts."""
    is_installed, version = version_of(run, params["package"])
    return {
        "installed": is_installed,
        "version": version,
        "openssl_version": openssl_version(run),
        **state_of(run, params["service"]),
        "packages": installed(run, params["packages"]) if params["packages"] else {},
        "lists": bool(glob.glob("/var/lib/apt/lists/*Packages*")),
        "files": {path: sha256(path) for path in params["files"]},
        "folders": {folder: entries(folder) for folder in params["folders"]},
        **configuration("/etc/nginx"),
        "rotated_logs": rotated_logs("/etc/logrotate.d"),
        "ipv6": can_open_ipv6(),
        "addresses": {address: has_address(address) for address in params["addresses"]},
        "local_ports": local_ports(),
        "root": os.geteuid() == 0,
        # sd_booted(3)
        "systemd": os.path.isdir("/run/systemd/system"),
    }
