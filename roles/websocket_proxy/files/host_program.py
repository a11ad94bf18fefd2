# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The program that the role installs on a host for systemd and certbot, which works without Ansible.

It is the main program of a zip file. The zip file also has the host's settings and the imported parts of the
collection. It may be replaced while the program runs, so everything is imported at the start. Debian 11 has
Python 3.9.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import syslog
from typing import Any

from ansible_collections.wsedge.nginx.plugins.module_utils import rotation
from ansible_collections.wsedge.nginx.plugins.module_utils.config_test import COMMAND
from ansible_collections.wsedge.nginx.plugins.module_utils.exchanging import Exchange
from ansible_collections.wsedge.nginx.plugins.module_utils.expiry import FINE, UNKNOWN, expiry
from ansible_collections.wsedge.nginx.plugins.module_utils.generations import Failure, Generations
from ansible_collections.wsedge.nginx.plugins.module_utils.processes import remove_dead_socket
from ansible_collections.wsedge.nginx.plugins.module_utils.programs import Done
from ansible_collections.wsedge.nginx.plugins.module_utils.reloading import Reload


def run(*words: str, folder: str | None = None) -> Done:
    """Run a program as Ansible modules do."""
    try:
        done = subprocess.run(words, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              errors="replace", env=dict(os.environ, LC_ALL="C"), check=False)
    except FileNotFoundError as error:
        return Done(127, "", str(error))
    return Done(done.returncode, done.stdout, done.stderr)


def _options(settings: dict[str, Any]) -> dict[str, Any]:
    return {
        "reload": True,
        # If an administrator has stopped nginx, it stays stopped.
        "start": False,
        "validate": COMMAND,
        "pid_file": "/run/nginx.pid",
        "error_log": "/var/log/nginx/error.log",
        "service": "nginx.service",
        "timeout": 15,
        **settings,
        "allow_restart": False,
    }


def reload(settings: dict[str, Any]) -> str:
    """Reload nginx, which then reads its certificates again, and prove that it runs."""
    one = Reload(_options(settings), run)
    try:
        done = one.run()
    finally:
        for warning in one.warnings:
            syslog.syslog(syslog.LOG_WARNING, warning)
    return f"nginx was {done['how']}: {done['generation']}"


def exchange(settings: dict[str, Any]) -> str:
    """Make nginx run the binary, modules and libraries on disk if it runs older ones, and keep every WebSocket."""
    try:
        done = Exchange(_options(settings), run).run()
    except (Failure, OSError) as error:
        # The package may be upgraded unattended, so no user would see the error.
        syslog.syslog(syslog.LOG_ERR, str(error))
        raise
    if not done["changed"]:
        return ""
    told = f"nginx was exchanged: {done['generation']}"
    syslog.syslog(syslog.LOG_NOTICE, told)
    return told


def clear_sockets(settings: dict[str, Any]) -> str:
    """Remove unix sockets that nginx left behind, which would prevent it from starting."""
    generations = Generations(settings["path"], settings["folder"])
    for path in [settings["socket"], *generations.sockets()]:
        remove_dead_socket(path)
    return ""


def reopen_logs(settings: dict[str, Any]) -> str:
    """Make nginx reopen its logs after a rotation, including workers that have outlived their master."""
    rotation.reopen_logs(_options(settings)["pid_file"])
    return ""


def certificates(settings: dict[str, Any]) -> str:
    """Print when each certificate of nginx expires: exit with 1 if one expires soon, with 2 if one is unusable."""
    # nginx resolves a relative path against its main file's folder.
    folder = os.path.dirname(settings["entry"])
    try:
        paths = Generations(settings["path"], settings["folder"]).certificates()
    except (OSError, ValueError) as error:
        print(f"The configuration cannot be read: {error}")
        sys.exit(UNKNOWN)
    found = sorted((expiry(os.path.join(folder, path), settings["warn_days"]) for path in paths), reverse=True)
    print("\n".join(one.line for one in found) or "nginx shows no certificate")
    sys.exit(max((one.status for one in found), default=FINE))


COMMANDS = {"reload": reload, "exchange": exchange, "clear-sockets": clear_sockets, "reopen-logs": reopen_logs,
            "certificates": certificates}


def main() -> None:
    """Run the command on the command line."""
    parser = argparse.ArgumentParser(description="Helps nginx on a host of the role wsedge.nginx.websocket_proxy.")
    parser.add_argument("command", nargs="?", choices=COMMANDS, default="reload", help="; ".join(
        f"{name}: {(call.__doc__ or '').strip().rstrip('.')}" for name, call in COMMANDS.items()))
    parser.add_argument("--warn-days", type=int, help="for certificates: warn this many days before they expire")
    # certbot's renewal files call the program without a command.
    given = parser.parse_args()
    # The paths of the configuration, and the options of a reload.
    settings = json.loads(__loader__.get_data("settings.json"))  # type: ignore[name-defined]
    try:
        told = COMMANDS[given.command]({
            **settings, **({} if given.warn_days is None else {"warn_days": given.warn_days})})
    except (Failure, OSError) as error:
        sys.exit(str(error))
    if told:
        print(told)


if __name__ == "__main__":
    main()
