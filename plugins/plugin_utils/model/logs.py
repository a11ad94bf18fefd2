# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Logs that the inventory names, and who rotates them."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from ansible_collections.wsedge.nginx.plugins.module_utils.language import directives
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.model import Location, Masking, Site
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec import path_values
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.inventory_path import Refused

USUAL = "/var/log/nginx/access.log"
COMBINED = "websocket_proxy_combined"
# Of the rule that Debian's package brings, also where it is not installed yet.
_PACKAGED = "/var/log/nginx/*.log"


def to_rotate(sites: Sequence[Site], free_text: str, rotated: Collection[str]) -> list[str]:
    """Return the logs of SITES and of all FREE_TEXT that no pattern of those that are ROTATED has.

    logrotate refuses a log that two rules have. One with a variable in its path is many files.
    """
    ways = [way for site in sites for one in site.locations for way in (one, one.live) if way]
    named = {way.access_log[0] for way in ways if way.access_log}
    named |= {one.words[1] for one in directives(free_text) if one.words[0] in ("access_log", "error_log")
              and one.words[1:]}
    return sorted(path for path in named if _is_file(path) and not path.startswith("/dev/")
                  and not any(PurePosixPath(path).match(pattern) for pattern in {_PACKAGED, *rotated}))


def masking(names: Sequence[str], free_text: str) -> Masking | None:
    """Return how arguments with these NAMES are kept out of logs, by the FREE_TEXT of http; None without any."""
    if not names:
        return None
    # Up to the first of them. A target may hold spaces before nginx 1.21.1.
    before = f"[^?]*[?](?:.*?&)?(?:{'|'.join(map(re.escape, names))})="
    return Masking(f"~*^(?<websocket_proxy_shown>{before}).*?(?<websocket_proxy_version>(?: HTTP/[0-9.]+)?)$",
                   f"~*^(?<websocket_proxy_shown_referer>{before})", "access_log" not in free_text)


def masked(sites: Sequence[Site], usual: bool) -> list[Site]:
    """Return the SITES with the format of logs that shows no masked arguments; with USUAL, where none is set, too."""

    def way(location: Location) -> Location:
        log = location.access_log
        if log is None and usual:
            log = [USUAL, COMBINED]
        elif log and log[1:] == ["combined"]:
            log = [log[0], COMBINED]
        return replace(location, access_log=log, live=location.live and way(location.live),
                       program=location.program and way(location.program))

    return [replace(site, locations=[way(one) for one in site.locations]) for site in sites]


def _is_file(path: str) -> bool:
    """Tell whether a log is a file whose path logrotate takes as it is."""
    try:
        return path_values.log_file(path) != "off"
    except Refused:
        return False
