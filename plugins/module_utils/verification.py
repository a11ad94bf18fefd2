# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The result of a probe of one location of an edge: a WebSocket, a page if that is enough, or a failure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.wsedge.nginx.plugins.module_utils.probing import ProbeFailure, Target, probe

OPEN, PAGE, FAILED, LEFT_OUT = "open", "page", "failed", "left out"


def tried(wanted: Mapping[str, Any]) -> dict[str, str]:
    """Run the probe WANTED, which has the fields of a Probe; return the outcome and a line for the report."""
    url = wanted["target"]["url"]
    if wanted["reason"]:
        return _outcome(LEFT_OUT, f"{url}: {wanted['reason']}")
    try:
        found = probe(Target(**wanted["target"]))
    except ProbeFailure as failure:
        # A page of the backend shows that nginx reaches it.
        if not wanted["required"] and not failure.own and 200 <= failure.status < 500:
            return _outcome(PAGE, f"{url}: {failure.status}")
        return _outcome(FAILED, f"{failure} ({wanted['inventory_path']})")
    secured = [found.tls_version, f"certificate until {found.certificate_expires}"] if found.tls_version else []
    return _outcome(OPEN, ", ".join([f"{url}: 101 after {found.seconds:.3f} s", *secured]))


def _outcome(kind: str, line: str) -> dict[str, str]:
    return {"outcome": kind, "line": f"{kind:<9} {line}"}
