# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Logs that the inventory names, and who rotates them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import PurePosixPath

from ansible_collections.wsedge.nginx.plugins.module_utils.language import directives
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.model import Site
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec import path_values
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.places import Refused

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


def _is_file(path: str) -> bool:
    """Tell whether a log is a file whose path logrotate takes as it is."""
    try:
        return path_values.log_file(path) != "off"
    except Refused:
        return False
