# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The probes of an edge: a WebSocket at each location that may have one, through the edge's own sockets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.model import Location, Model, Site

# The host trusts certificates of this CA. For any other certificate, the probe trusts the certificate file itself.
_PUBLIC = "https://acme-v02.api.letsencrypt.org/"


@dataclass(frozen=True)
class Probe:
    """A WebSocket to open; ``target`` has the options of websocket_probe that are set.

    If it is not REQUIRED, an ordinary page of the backend is accepted instead. With a ``reason``, the probe is skipped.
    """

    inventory_path: str
    target: dict[str, Any]
    required: bool
    reason: str = ""


def probes(model: Model) -> list[Probe]:
    """Return the probes in the order of the inventory."""
    return [found for site in model.sites for location in site.locations
            if (location.proxy or location.live or location.maintenance) and (found := _probe(model, site, location))]


def _probe(model: Model, site: Site, location: Location) -> Probe | None:
    probe = location.probe
    if probe is None or not probe.enabled:
        return None
    name = next((name for name in site.server_names if not name.startswith("~")), "")
    path = probe.path or (location.match[-1] if location.match[0] not in ("~", "~*") else "")
    required = location.websocket_only or probe.required
    reason = _reason(site, location, name, path)
    if reason:
        return Probe(probe.inventory_path, {"url": f"{name}{path}"}, required, reason)
    target = dict(_target(model, site, site.listen[0], name, path))
    return Probe(probe.inventory_path, {**target, **_origin(location, target["url"]), **probe.options}, required)


def _origin(location: Location, url: str) -> dict[str, str]:
    """Return the option for the origin of a probe, if a location requires one."""
    origins = location.origins
    if not origins or not origins.required:
        return {}
    own = "/".join(url.replace("ws", "http", 1).split("/")[:3])
    return {"origin": own if origins.same_host else origins.origins[0].replace("*", "websocket-probe")}


def _reason(site: Site, location: Location, name: str, path: str) -> str:
    """Return the reason why a location cannot be probed; empty if it can."""
    client = site.tls.client_certificate if site.tls else None
    if location.maintenance:
        return "maintenance"
    if client and client.verify == "on":
        return "the site asks clients for a certificate"
    if location.guard:
        return "access is restricted (allow, deny or auth)"
    if not name:
        return "the site's names are regular expressions"
    return "" if path else "its path is a regular expression, and its probe has no path"


def _target(model: Model, site: Site, listen: list[str], name: str, path: str) -> Iterator[tuple[str, Any]]:
    """Give the options of a probe of a PATH at a site, by a NAME of the site."""
    socket, *words = listen
    host, _colon, port = socket.rpartition(":")
    if socket.startswith("unix:"):
        connect_to, port = socket, ""
    else:
        connect_to = f"{ {'': '127.0.0.1', '[::]': '[::1]'}.get(host, host)}:{port}"
    default = "443" if site.tls else "80"
    asked = name.replace("*", "websocket-probe") + (f":{port}" if port not in ("", default) else "")
    yield "url", f"{'wss' if site.tls else 'ws'}://{asked}{path}"
    yield "connect_to", connect_to
    if "proxy_protocol" in words:
        yield "proxy_protocol", True
    if site.tls and not any(one.site == site.name and (one.directory_url or "").startswith(_PUBLIC)
                            for one in model.certificates):
        yield "ca_path", site.tls.certificate
