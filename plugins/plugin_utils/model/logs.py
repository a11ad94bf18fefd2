# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The logs that the inventory names: their rotation, and the arguments that they hide."""

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
# The pattern that Debian's package rotates, even if the package is not installed yet.
_PACKAGED = "/var/log/nginx/*.log"


def to_rotate(sites: Sequence[Site], free_text: str, rotated: Collection[str]) -> list[str]:
    """Return the logs of SITES and of all FREE_TEXT that no ROTATED pattern matches.

    logrotate refuses a log that two rules match. A log with a variable in its path stands for many files.
    """
    ways = [way for site in sites for one in site.locations for way in (one, one.live) if way]
    named = {way.access_log[0] for way in ways if way.access_log}
    named |= {one.words[1] for one in directives(free_text) if one.words[0] in ("access_log", "error_log")
              and one.words[1:]}
    return sorted(path for path in named if _is_file(path) and not path.startswith("/dev/")
                  and not any(PurePosixPath(path).match(pattern) for pattern in {_PACKAGED, *rotated}))


def masking(names: Sequence[str], free_text: str) -> Masking | None:
    """Return the masking that keeps arguments with these NAMES out of logs; None without NAMES.

    nginx's usual log is masked unless the FREE_TEXT of http sets a log.
    """
    if not names:
        return None
    # The part up to the first of these arguments. Before nginx 1.21.1, the target of a request may contain spaces.
    before = f"[^?]*[?](?:.*?&)?(?:{'|'.join(map(re.escape, names))})="
    return Masking(f"~*^(?<websocket_proxy_shown>{before}).*?(?<websocket_proxy_version>(?: HTTP/[0-9.]+)?)$",
                   f"~*^(?<websocket_proxy_shown_referer>{before})", "access_log" not in free_text)


def masked(sites: Sequence[Site], usual: bool) -> list[Site]:
    """Return the SITES with the log format that hides masked arguments; with USUAL, also if a location sets no log."""

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
    """Return whether a log is a file whose path logrotate accepts unchanged."""
    try:
        return path_values.log_file(path) != "off"
    except Refused:
        return False
