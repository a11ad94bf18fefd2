# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Files on the host besides nginx's configuration: those for systemd, logrotate, apt, dpkg and needrestart."""

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
# Only if the inventory names logs that no other rule rotates.
_LOGS = {ROTATION: "logrotate.j2"}
# The repository of nginx's package, for apt.
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
# The path to which dpkg diverts any other policy-rc.d, now or from a later package. The role's vars/main.yml repeats
# this path.
DIVERTED_POLICY = "/usr/sbin/policy-rc.d.before_websocket_proxy"
SERVICE_FILES = (*_SERVICE, *_LOGS)
APT_FILES = tuple(_APT)
UPGRADE_FILES = tuple(_UPGRADES)


@dataclass(frozen=True)
class HostFiles:
    """The texts of files by path; root owns them all, with mode 0644, or 0755 if they begin with "#!".

    Files that are absent here are not wanted on the host.
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
