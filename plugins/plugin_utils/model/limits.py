# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Limits of one client, and of all clients together.

The counters are in zones of nginx's shared memory. All sites can share them, because a key begins with the scope that
sets the limit. nginx silently refuses a zone that keeps its name and changes its key or its rate. So the name contains
a checksum of both.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.model import Exemption, LimitKey
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.inventory_path import InventoryPath
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.schema import LIMITS, read_keys

# The client's IPv4 address, or the IPv6 network of 64 bits that a subscriber has.
CLIENT = "$websocket_proxy_client"
SCOPE = "$websocket_proxy_scope"
# 16 MiB hold about 130,000 clients. For all clients together, each scope has one entry.
_OF_CLIENTS, _OF_ALL = "16m", "1m"
# A page sends many requests at once.
_REQUESTS_AT_ONCE = 5


@dataclass(frozen=True)
class Limits:
    """Complete directives for live connections and for plain requests, and the SCOPE in which they count."""

    scope: str = ""
    live: list[list[str]] = field(default_factory=list)
    plain: list[list[str]] = field(default_factory=list)


class Zones:
    """The zones of all sites, with their keys."""

    def __init__(self) -> None:
        self.all: dict[str, list[str]] = {}
        self.keys: list[LimitKey] = []
        self.exempt: list[Exemption] = []
        # Variables whose maps have regular expressions that match allowed requests.
        self.matched: list[str] = []

    def read(self, at: InventoryPath, raw: object, scope: str) -> Limits:
        """Read ``limits``; everything that they limit counts together in the SCOPE of this name."""
        if raw in (None, {}) or raw is False:
            return Limits()
        given = read_keys(at, LIMITS, raw)
        if given is None:
            return Limits()
        intended = at.intended(raw, LIMITS)
        if not intended & {"max_connections", "max_connections_total", "handshakes_per_second", "requests_per_second"}:
            at.refuse("nothing is limited; expected max_connections, max_connections_total, handshakes_per_second "
                      "or requests_per_second")
        for burst, rate in (("burst", "handshakes_per_second"), ("requests_burst", "requests_per_second")):
            if burst in given and rate not in intended:
                at[burst].refuse(f"this needs {rate}")
        of_client, of_all = self._keyed(given)
        rates = {rate: self._rate(of_client, given[rate], given.get(burst, given[rate] * times))
                 for rate, burst, times in (("handshakes_per_second", "burst", 1),
                                            ("requests_per_second", "requests_burst", _REQUESTS_AT_ONCE))
                 if rate in given}
        connections = [["limit_conn", self._zone("conn", key, size), str(given[name])] for name, key, size in (
            ("max_connections", of_client, _OF_CLIENTS), ("max_connections_total", of_all, _OF_ALL)) if name in given]
        # An Accept header makes any request a live connection. It must not bypass the limit of plain requests.
        opened = rates.get("handshakes_per_second") or rates.get("requests_per_second")
        requests = rates.get("requests_per_second")
        dry = given.get("dry_run", False)
        live = [*connections, *([opened] if opened else [])]
        return Limits(scope, _complete(live, dry), _complete([requests] if requests else [], dry))

    def _keyed(self, given: Mapping[str, Any]) -> tuple[str, str]:
        """Return the keys of one client and of all clients. For a trusted client both are empty: it is not counted."""
        client = self._own_key(given["key"]) if "key" in given else CLIENT
        keys = f"{SCOPE} {client}", SCOPE
        networks = given.get("trusted")
        if not networks:
            return keys
        exemption = next((one for one in self.exempt if one.networks == networks), None)
        if not exemption:
            exemption = Exemption(f"$websocket_proxy_exempt_{len(self.exempt) + 1}", networks)
            self.exempt.append(exemption)
        first, second = (self._key(exemption.variable, {"1": ""}, key) for key in keys)
        return first, second

    def _own_key(self, key: str) -> str:
        """Return the variable for a KEY of the inventory; if its value is empty or long, the address counts instead.

        nginx does not count a connection whose key is longer than 255 bytes (ngx_http_limit_conn_handler).
        """
        found = self._key(key, {"": CLIENT, "~^.{100}": CLIENT}, f"key {key}")
        if found not in self.matched:
            self.matched.append(found)
        return found

    def _key(self, source: str, values: dict[str, str], default: str) -> str:
        found = next((one for one in self.keys if (one.source, one.values, one.default) == (source, values, default)),
                     None)
        if not found:
            found = LimitKey(f"$websocket_proxy_limit_key_{len(self.keys) + 1}", source, values, default)
            self.keys.append(found)
        return found.variable

    def _rate(self, key: str, rate: int, burst: int) -> list[str]:
        zone = self._zone("req", key, _OF_CLIENTS, f"rate={rate}r/s")
        return ["limit_req", f"zone={zone}", *([f"burst={burst}"] if burst else []), "nodelay"]

    def _zone(self, kind: str, key: str, size: str, *more: str) -> str:
        # The checksum covers the definitions of the role's variables, because their names have numbers, which may
        # change.
        meant = [key, *(f"{one.source}{one.values}{one.default}" for one in self.keys if one.variable in key),
                 *(str(one.networks) for one in self.exempt)]
        digest = hashlib.sha256("\n".join([kind, *meant, *more]).encode()).hexdigest()[:12]
        name = f"websocket_proxy_{kind}_{digest}"
        self.all[name] = [f"limit_{kind}_zone", key, f"zone={name}:{size}", *more]
        return name


def _complete(directives: Sequence[list[str]], dry: bool) -> list[list[str]]:
    """Return the DIRECTIVES and those that set the response to a request over the limit."""
    found = list(directives)
    for kind in ("conn", "req"):
        if any(words[0] == f"limit_{kind}" for words in directives):
            found += [[f"limit_{kind}_status", "429"], [f"limit_{kind}_log_level", "notice"],
                      *([[f"limit_{kind}_dry_run", "on"]] if dry else [])]
    return found
