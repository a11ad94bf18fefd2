# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Headers that the inventory adds, replaces and removes, by name without regard to case."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.wsedge.nginx.plugins.plugin_utils import kinds
from ansible_collections.wsedge.nginx.plugins.plugin_utils.places import Place, shown

_OF_THE_ROLE = "the role itself sets this header; "
_OF_NGINX = "nginx sets this header by the body; it cannot be set here"

# What would break the handshake or the framing of a message, with the remedy.
REQUEST = {
    "upgrade": _OF_THE_ROLE + "see the key other_upgrades", "connection": _OF_THE_ROLE + "see the key other_upgrades",
    "host": _OF_THE_ROLE + "see the key host", "content-length": _OF_NGINX, "transfer-encoding": _OF_NGINX,
}
# Besides X-Forwarded-Proto, what web frameworks take for a proxy's word. The first is that of RFC 7239, to which each
# proxy may add a line of its own.
FORWARDED = ("Forwarded", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Prefix", "X-Forwarded-Protocol",
             "X-Forwarded-Scheme", "X-Forwarded-Ssl")
RESPONSE = dict.fromkeys(("upgrade", "connection", "content-length", "transfer-encoding", "sec-websocket-accept"),
                         "this header belongs to the connection, and cannot be set here")
RESPONSE["server"] = RESPONSE["date"] = "nginx sets this header itself, and would send two of them"
RESPONSE["content-type"] = "nginx would send two of them; a location's respond has content_type"


def read_headers(place: Place, raw: object, reserved: Mapping[str, str]) -> dict[str, str | None]:
    """Return the headers of one mapping of the inventory; null removes one."""
    if raw is None:
        return {}
    if not isinstance(raw, Mapping):
        place.refuse(f"{shown(raw)} is not a mapping of header names to values")
        return {}
    first: dict[str, Place] = {}
    headers: dict[str, str | None] = {}
    for key, item in raw.items():
        where = place[str(key)]
        name = where.read(kinds.header_name, key)
        if not name:
            continue
        if name.lower() in reserved:
            where.refuse(reserved[name.lower()])
            continue
        where.once(first, name.lower(), "header names ignore case; this one is already")
        value = None if item is None else where.read(kinds.sent_header, item)
        if value is not None or item is None:
            headers[name] = value
    return headers


def merged(*layers: Mapping[str, str | None]) -> dict[str, str | None]:
    """Return the headers of all LAYERS by name; a later one's win."""
    found: dict[str, tuple[str, str | None]] = {}
    for layer in layers:
        for name, value in layer.items():
            # Taken out first, so that it stands where it was said last.
            found.pop(name.lower(), None)
            found[name.lower()] = (name, value)
    return dict(found.values())
