# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The maps by which nginx identifies live connections of pages that may not open them (RFC 6455 10.2)."""

from __future__ import annotations

import re

from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.forwarded import Hosts
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.model import OriginRule, OwnOrigin
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.origin_values import Origins

# Matches the names before a domain; it replaces "*.".
_NAMES = "(?:[a-z0-9_-]+[.])+"
# A longer string would need larger hash buckets for maps. An nginx.conf that is not the role's may not set them.
_LONGEST_KEY = 40


class OriginRules:
    """The rules of all sites; those with the same origins share one."""

    def __init__(self, hosts: Hosts) -> None:
        self.all: list[OriginRule] = []
        self.own: dict[str, OwnOrigin] = {}
        self._hosts = hosts
        self._known: dict[tuple[Origins, str, str], str] = {}

    def variable(self, origins: Origins, live: str, scheme: str) -> str:
        """Return the variable that is not empty for a LIVE connection that ORIGINS do not allow.

        SCHEME is the client's scheme, and may contain variables of nginx.
        """
        key = (origins, live, scheme if origins.same_host else "")
        if key not in self._known:
            number = len(self.all) + 1
            allowed = [f"~*^{re.escape(one).replace(re.escape('*.'), _NAMES)}$"
                       if "*" in one or len(one) > _LONGEST_KEY else one for one in origins.origins]
            self._known[key] = f"$websocket_proxy_origin_{number}"
            self.all.append(OriginRule(
                self._known[key], f"$websocket_proxy_other_origin_{number}", live, allowed,
                self._own(scheme) if origins.same_host else "1", origins.required))
        return self._known[key]

    def _own(self, scheme: str) -> str:
        """Return the variable that is empty if the origin is the one that the client requested."""
        found = OwnOrigin(f"$websocket_proxy_not_own_origin_{len(self.own) + 1}",
                          f"$http_origin {scheme}://{self._hosts.told(scheme)}")
        return self.own.setdefault(scheme, found).variable
