# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The facts about a host that a model depends on besides the inventory. The module nginx_info collects them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

LINEAGES = "/etc/letsencrypt/live"

# The role's own rule for logrotate.
ROTATION = "/etc/logrotate.d/websocket_proxy"

# The stages of a drained host: health checks fail, and everything else continues; every new request gets 503; or no
# connection is accepted. The folder DRAINED contains a file with the name of the stage.
HEALTH_CHECKS, UNAVAILABLE, REFUSED = STAGES = ("health_checks", "unavailable", "refused")
DRAINED = "/var/lib/websocket_proxy/drained"

# The configuration that nginx was last proved to run.
SERVED = "/etc/nginx/websocket_proxy/proved"


@dataclass(frozen=True)
class Host:
    """One proxy.

    ``nginx_version`` is None if even apt does not know it yet. ``local_ports`` is the number of connections that one
    address can open to one port of another address. ``addresses`` has addresses as the inventory writes them, each with
    whether the host has it. ``openssl_version`` is the version that nginx uses, empty if it is unknown. ``lineages``
    are the certificates that certbot keeps, each in a folder of that name in LINEAGES. ``underscores`` is true if a
    file outside the role may let nginx accept underscores in header names. ``listen_options`` has the sockets to which
    such files give options, each with the file and its directive. ``rotated_logs`` are patterns of logs that other
    files rotate. ``sites`` are the names of the sites that the host serves for the role. ``drained`` is the stage to
    which the host is drained; empty if it is in service.
    """

    ipv6: bool = False
    nginx_version: tuple[int, ...] | None = None
    local_ports: int = 28232
    addresses: Mapping[str, bool] = field(default_factory=dict)
    openssl_version: tuple[int, ...] = ()
    lineages: frozenset[str] = frozenset()
    underscores: bool = False
    listen_options: Mapping[str, str] = field(default_factory=dict)
    rotated_logs: frozenset[str] = frozenset()
    sites: frozenset[str] = frozenset()
    drained: str = ""

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Host:
        """Make a host from nginx_info's result; missing values get their defaults."""
        folders = found.get("folders") or {}
        return cls(ipv6=found.get("ipv6", False), nginx_version=_numbers(found.get("version")) or None,
                   openssl_version=_numbers(found.get("openssl_version")),
                   underscores=found.get("underscores_in_headers", False),
                   listen_options=found.get("listen_options") or {},
                   rotated_logs=frozenset(pattern for pattern, path in (found.get("rotated_logs") or {}).items()
                                          if path != ROTATION),
                   drained=next((name for name in folders.get(DRAINED, ()) if name in STAGES), ""),
                   lineages=frozenset(folders.get(LINEAGES, ())),
                   sites=frozenset(site[1] for name in folders.get(SERVED, ())
                                   if (site := re.fullmatch(r"site-(.+)\.conf", name))),
                   local_ports=found.get("local_ports") or cls.local_ports, addresses=found.get("addresses") or {})

    def has(self, *version: int) -> bool | None:
        """Return whether nginx has this VERSION or a newer one; None if its version is unknown."""
        return None if self.nginx_version is None else self.nginx_version >= version


def _numbers(version: str | None) -> tuple[int, ...]:
    """Return the numbers of a version without its epoch; an empty tuple if there is no version."""
    found = re.match(r"(?:[0-9]+:)?([0-9]+(?:\.[0-9]+)+)", version or "")
    return tuple(int(part) for part in found[1].split(".")) if found else ()
