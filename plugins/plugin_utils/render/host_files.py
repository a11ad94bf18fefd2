# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Files of the host's that are no configuration of nginx: those that systemd, logrotate, apt, dpkg and needrestart
read.
"""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.host import ROTATION
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.model import Model
from ansible_collections.wsedge.nginx.plugins.plugin_utils.render.program import PROGRAM
from ansible_collections.wsedge.nginx.plugins.plugin_utils.render.rendering import Renderer

_SERVICE = {
    "/etc/systemd/system/nginx.service.d/websocket_proxy.conf": "nginx.service.j2",
    "/etc/systemd/system/websocket_proxy_certificates.service": "certificates.service.j2",
    "/etc/systemd/system/websocket_proxy_certificates.timer": "certificates.timer.j2",
    "/etc/tmpfiles.d/websocket_proxy.conf": "tmpfiles.conf.j2",
}
# Only where the inventory names logs that no other rule rotates.
_LOGS = {ROTATION: "logrotate.j2"}
# What tells apt of the repository that the package comes from.
_APT = {
    "/etc/apt/keyrings/websocket_proxy.asc": "apt.asc.j2",
    "/etc/apt/preferences.d/websocket_proxy": "apt.preferences.j2",
    "/etc/apt/sources.list.d/websocket_proxy.sources": "apt.sources.j2",
}
_UPGRADES = {
    "/usr/sbin/policy-rc.d": "policy-rc.d.j2",
    "/etc/dpkg/dpkg.cfg.d/websocket_proxy": "dpkg.cfg.j2",
    "/etc/needrestart/restart.d/nginx.service": "needrestart.j2",
}
# Where dpkg keeps what was at the first of these, and what packages put there; the role's vars/main.yml has it, too.
DIVERTED_POLICY = "/usr/sbin/policy-rc.d.before_websocket_proxy"
SERVICE_FILES = (*_SERVICE, *_LOGS)
APT_FILES = tuple(_APT)
UPGRADE_FILES = tuple(_UPGRADES)


@dataclass(frozen=True)
class HostFiles:
    """The texts of files by path; all are root's, with mode 0644, and 0755 where they begin with "#!".

    Those that are not there are not wanted.
    """

    service: dict[str, str]
    apt: dict[str, str]
    upgrades: dict[str, str]


def host_files(model: Model, renderer: Renderer) -> HostFiles:
    """Return the files of a model."""
    def texts(templates: dict[str, str]) -> dict[str, str]:
        seen = {**vars(model), "program": PROGRAM, "diverted_policy": DIVERTED_POLICY}
        return {path: renderer.render(template, seen) for path, template in templates.items()}

    return HostFiles(texts({**_SERVICE, **(_LOGS if model.rotated_logs else {})}),
                     texts(_APT) if model.apt_repository else {},
                     texts(_UPGRADES) if model.seamless_upgrades else {})
