# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Validators of origins: which pages may open WebSockets (RFC 6454, RFC 6455 10.2)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec import address_values, text_values
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.inventory_path import Refused, nearest, shown
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.number_values import port

SAME_HOST = "same_host"
_PORTS = {"http": "80", "https": "443"}
_ORIGIN = re.compile(r"([a-z][a-z0-9+.-]*)://(\[[^\]]*\]|[^:/?#@\[\]]*)(?::([0-9]*))?", re.ASCII)
_WEBSOCKET = {"ws": "http", "wss": "https"}


@dataclass(frozen=True)
class Origins:
    """The pages that may connect: with SAME_HOST those of the site itself, and those of the ORIGINS.

    An origin has the form in which browsers send it, or ``*.`` instead of the names before a domain. With REQUIRED, a
    WebSocket needs an origin.
    """

    any: bool = False
    same_host: bool = False
    origins: tuple[str, ...] = ()
    required: bool = False


def allowed_origins(value: object) -> Origins:
    """Accept ``any``, ``same_host``, a list of origins, or a mapping of one of these with ``required``."""
    if isinstance(value, Mapping):
        unknown = [key for key in value if key not in ("origins", "required")]
        if unknown:
            raise Refused(f"{shown(unknown[0])} is not a key here; {nearest(unknown[0], ('origins', 'required'))}")
        if "origins" not in value:
            raise Refused('"origins" is missing')
        found = allowed_origins(value["origins"])
        required = text_values.boolean(value.get("required", False))
        if required and found.any:
            raise Refused("required has no use with any; set same_host, or a list of origins")
        return Origins(found.any, found.same_host, found.origins, required)
    if value == "any":
        return Origins(any=True)
    if value == SAME_HOST:
        return Origins(same_host=True)
    if isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
        raise Refused(f"{shown(value)} is neither any nor same_host, nor a list of origins such as "
                      '["https://app.example.com"]')
    if not value:
        raise Refused("the list is empty, so no page could connect; use any to allow every origin")
    origins = [_origin(one) for one in value if one != SAME_HOST]
    twice = next((one for one in origins if origins.count(one) > 1), None)
    if twice:
        raise Refused(f"{shown(twice)} is listed twice")
    return Origins(same_host=SAME_HOST in value, origins=tuple(origins))


def _origin(value: object) -> str:
    """Accept an origin as browsers send it, with ``*.`` before a domain, or ``null``; omit the default port."""
    if value == "null":
        return "null"
    if value is None:
        raise Refused('null needs quotation marks: "null" is the origin of pages without one')
    expected = "an origin; expected one such as https://app.example.com, https://*.example.com or \"null\""
    if value in ("*", "any"):
        raise Refused(f"{shown(value)} is not {expected}; allowed_origins: any allows every origin")
    checked = text_values.text(value).lower()
    found = _ORIGIN.fullmatch(checked)
    if not found:
        shorter = _ORIGIN.match(checked)
        meant = f"; did you mean {shown(shorter[0])}?" if shorter and checked[shorter.end():] == "/" else \
            f"; did you mean {shown(f'https://{checked}')}?" if "://" not in checked else ""
        raise Refused(f"{shown(value)} is not {expected}{meant}")
    scheme, host, number = found[1], found[2], found[3]
    if scheme in _WEBSOCKET:
        raise Refused(f"{shown(value)}: browsers send the origin of the page; did you mean "
                      f"{shown(_WEBSOCKET[scheme] + checked[len(scheme):])}?")
    try:
        name = address_values.server_name(host)
    except Refused as reason:
        raise Refused(f"{shown(value)} is not {expected}: {reason}") from None
    given = f":{port(number)}" if number is not None else ""
    return f"{scheme}://{name}{'' if given == f':{_PORTS.get(scheme)}' else given}"
