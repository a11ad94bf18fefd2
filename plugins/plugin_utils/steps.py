# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The facts that the role requests from a host, and the steps that the host needs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.host import DRAINED, LINEAGES, SERVED
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.layout import CERTIFICATES_FOLDER
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.model import Model
from ansible_collections.wsedge.nginx.plugins.plugin_utils.render.host_files import (
    APT_FILES,
    SERVICE_FILES,
    UPGRADE_FILES,
    HostFiles,
)
from ansible_collections.wsedge.nginx.plugins.plugin_utils.render.program import PROGRAM, program

# The timers that systemd starts at boot.
TIMERS = "/etc/systemd/system/timers.target.wants"
TIMER = "websocket_proxy_certificates.timer"

# The library of the host program in previous versions of the role.
OLD_LIBRARY = "/usr/local/lib/websocket_proxy"


def asked(variables: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of nginx_info that the role's VARIABLES, which are not checked yet, require."""
    upstreams = variables.get("websocket_proxy_upstreams")
    bound = [one.get("proxy_bind") for one in (upstreams if isinstance(upstreams, list) else [])
             if isinstance(one, Mapping)]
    package = variables.get("websocket_proxy_package")
    return {
        "package": package if isinstance(package, str) else "nginx",
        "files": [*SERVICE_FILES, *APT_FILES, *UPGRADE_FILES, PROGRAM],
        "folders": [LINEAGES, CERTIFICATES_FOLDER, SERVED, OLD_LIBRARY, DRAINED, TIMERS],
        "packages": ["openssl", "certbot", "ca-certificates", "logrotate"],
        "addresses": [address for one in bound if isinstance(one, list) for address in one if isinstance(address, str)],
    }


@dataclass(frozen=True)
class File:
    """A file to write."""

    path: str
    content: str
    mode: str


@dataclass(frozen=True)
class Steps:
    """The steps that a host needs.

    ``apt_files``, ``service_files`` and ``upgrade_files`` have to be written. ``unwanted_files`` and
    ``unwanted_service_files`` have to be removed, and with ``ordinary_upgrades`` also the files for seamless upgrades.
    ``packages`` have to be installed besides that of nginx. ``lineages`` are the certificates that certbot keeps for
    the role.
    """

    install: bool
    apt_files: list[File]
    unwanted_files: list[str]
    packages: list[str]
    certificates: bool
    program: bool
    service: bool
    service_files: list[File]
    unwanted_service_files: list[str]
    upgrade_files: list[File]
    ordinary_upgrades: bool
    lineages: list[str]


def needed(model: Model, host: Mapping[str, Any], files: HostFiles) -> Steps:
    """Return the steps that a HOST, as nginx_info describes it, needs."""
    apt_files = _different(files.apt, host)
    unwanted = [path for path in APT_FILES if path not in files.apt and host["files"][path]]
    unrotated = [path for path in SERVICE_FILES if path not in files.service and host["files"][path]]
    packages = [name for name in model.packages if not host["packages"][name]]
    service_files, upgrade_files = _different(files.service, host), _different(files.upgrades, host)
    # The first file, policy-rc.d, may be from another package, but the rest are always the role's.
    ordinary = not files.upgrades and any(host["files"][path] for path in UPGRADE_FILES[1:])
    lineages = [name for name in host["folders"][LINEAGES] if name.startswith("websocket_proxy_")]
    return Steps(
        install=bool(apt_files or unwanted or packages) or not host["installed"],
        apt_files=apt_files, unwanted_files=unwanted, packages=packages,
        # This step also removes certificates that no site has any more.
        certificates=bool(model.certificates or host["folders"][CERTIFICATES_FOLDER] or lineages),
        program=host["files"][PROGRAM] != _sha256(program(model)) or bool(host["folders"][OLD_LIBRARY]),
        service=bool(service_files or unrotated or upgrade_files) or ordinary or host["stale"] or not (
            host["enabled"] and host["active"] and TIMER in host["folders"][TIMERS]),
        service_files=service_files, unwanted_service_files=unrotated, upgrade_files=upgrade_files,
        ordinary_upgrades=ordinary, lineages=lineages)


def _different(texts: Mapping[str, str], host: Mapping[str, Any]) -> list[File]:
    return [File(path, text, "0755" if text.startswith("#!") else "0644") for path, text in texts.items()
            if host["files"][path] != _sha256(text.encode())]


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
