# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The paths of the role's configuration on a host, for the two layouts of ``websocket_proxy_nginx_conf``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

FOLDER = "/etc/nginx/websocket_proxy"
SOCKET = "/run/websocket_proxy/nginx.sock"
CERTIFICATES_FOLDER = "/etc/nginx/websocket_proxy_certificates"

# The variables that messages of the modules name instead of the modules' options.
_CALLED = {
    "entry": "websocket_proxy_nginx_conf: drop_in",
    "path": "websocket_proxy_nginx_conf: own",
    "replace": "websocket_proxy_replace_nginx_conf: true",
    "allow_restart": "websocket_proxy_allow_restart: true",
    "max_draining": "websocket_proxy_max_draining_generations",
}


@dataclass(frozen=True)
class Layout:
    """A layout; ``path`` is the main file, rendered from ``template``. nginx_config has options of the same names."""

    path: str
    entry: str
    template: str
    divert: bool
    unlink: tuple[str, ...]

    def options(self) -> dict[str, Any]:
        """Return the options of nginx_config and nginx_reload for the paths of the configuration."""
        return {"path": self.path, "entry": self.entry, "divert": self.divert, "folder": FOLDER, "socket": SOCKET,
                "called": _CALLED}


LAYOUTS = {
    "own": Layout("/etc/nginx/nginx.conf", "/etc/nginx/nginx.conf", "nginx.conf.j2", True,
                  ("/etc/nginx/sites-enabled/default",)),
    "drop_in": Layout("/etc/nginx/conf.d/websocket_proxy.conf", "/etc/nginx/nginx.conf", "drop_in.conf.j2", False, ()),
}
