# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Headers that the inventory adds, replaces and removes, by name without regard to case."""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Mapping

from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec import header_values
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.inventory_path import InventoryPath, shown

_OF_THE_ROLE = "the role itself sets this header; "
_OF_NGINX = "nginx sets this header from the body; it cannot be set here"

# Headers that would break the handshake or the framing of a message, each with the remedy.
REQUEST = {
    "upgrade": _OF_THE_ROLE + "see the key other_upgrades", "connection": _OF_THE_ROLE + "see the key other_upgrades",
    "host": _OF_THE_ROLE + "see the key host", "content-length": _OF_NGINX, "transfer-encoding": _OF_NGINX,
}
# Headers, besides X-Forwarded-Proto, that frameworks trust as set by a proxy. The first is that of RFC 7239, to which
# each proxy may add a line of its own.
FORWARDED = (
    "Forwarded", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Prefix", "X-Forwarded-Protocol",
    "X-Forwarded-Scheme", "X-Forwarded-Ssl", "X-Forwarded-Server",
    # Paths that may differ from the one by which nginx chose the location.
    "X-Original-URL", "X-Rewrite-URL", "Daphne-Root-Path",
    # Addresses that may differ from the client's.
    "True-Client-IP", "X-Client-IP",
    # Users and certificates that a proxy in front of the edge has verified.
    "Remote-User", "Remote-Groups", "Remote-Name", "Remote-Email", "X-Remote-User", "X-Forwarded-User",
    "X-Forwarded-Email", "X-Forwarded-Groups", "X-Forwarded-Preferred-Username", "X-Forwarded-Client-Cert",
    "X-SSL-Client", *(f"X-SSL-Client-{name}" for name in (
        "Verify", "S-DN", "I-DN", "DN", "CN", "Subject", "Issuer", "Serial", "Fingerprint", "SHA1", "Cert")),
    # A CGI program sees this as HTTP_PROXY (https://httpoxy.org).
    "Proxy")
RESPONSE = dict.fromkeys(("upgrade", "connection", "content-length", "transfer-encoding", "sec-websocket-accept"),
                         "this header belongs to the connection, and cannot be set here")
RESPONSE["server"] = RESPONSE["date"] = "nginx sets this header itself, and would send it twice"
RESPONSE["content-type"] = "nginx would send it twice; use content_type of a location's respond"


def read_headers(at: InventoryPath, raw: object, reserved: Mapping[str, str]) -> dict[str, str | None]:
    """Return the headers of one mapping of the inventory; a null value removes a header."""
    if raw is None:
        return {}
    if not isinstance(raw, Mapping):
        at.refuse(f"{shown(raw)} is not a mapping of header names to values")
        return {}
    first: dict[str, InventoryPath] = {}
    headers: dict[str, str | None] = {}
    for key, item in raw.items():
        where = at[str(key)]
        name = where.read(header_values.header_name, key)
        if not name:
            continue
        if name.lower() in reserved:
            where.refuse(reserved[name.lower()])
            continue
        where.once(first, name.lower(), "header names ignore case; this one is already")
        value = None if item is None else where.read(header_values.sent_header, item)
        if value is not None or item is None:
            headers[name] = value
    return headers


def other_spellings(names: Collection[str]) -> list[str]:
    """Return the names that an application may mistake for one of NAMES: CGI and WSGI treat "-" and "_" alike.

    For a name with more than five of these signs, return only the spellings with the same sign throughout.
    """
    known = {name.lower() for name in names}
    found: dict[str, str] = {}
    for name in names:
        parts = re.split("[-_]", name)
        signs = itertools.product("-_", repeat=len(parts) - 1) if len(parts) <= 6 else (
            sign * (len(parts) - 1) for sign in "-_")
        for one in signs:
            spelled = "".join(itertools.chain(*zip(parts, one))) + parts[-1]  # noqa: B905
            if spelled.lower() not in known:
                found.setdefault(spelled.lower(), spelled)
    return list(found.values())


def merged(*layers: Mapping[str, str | None]) -> dict[str, str | None]:
    """Return the headers of all LAYERS by name; a later layer takes precedence."""
    found: dict[str, tuple[str, str | None]] = {}
    for layer in layers:
        for name, value in layer.items():
            # Removed first, so that the header moves to the position where it was set last.
            found.pop(name.lower(), None)
            found[name.lower()] = (name, value)
    return dict(found.values())
