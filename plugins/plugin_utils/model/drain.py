# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The sites that a drained edge still serves, by stage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.host import HEALTH_CHECKS, REFUSED, UNAVAILABLE
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.model import DefaultServer, Location, Site


def drained(stage: str, sites: Sequence[Site],
            default_servers: Sequence[DefaultServer]) -> tuple[list[Site], list[DefaultServer]]:
    """Return the SITES and the DEFAULT_SERVERS as a drained edge serves them at a STAGE."""
    if stage == REFUSED:
        return [], []

    def left(location: Location) -> Location:
        out = stage == UNAVAILABLE or (stage == HEALTH_CHECKS and location.health_check)
        return replace(location, maintenance=True, is_live=None, live=None, program=None) if out else location

    return [replace(site, locations=[left(one) for one in site.locations]) for site in sites], list(default_servers)
