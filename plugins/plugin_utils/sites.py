# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Sites: which names are served where."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.wsedge.nginx.plugins.plugin_utils import kinds
from ansible_collections.wsedge.nginx.plugins.plugin_utils.locations import Locations
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model import Location, Site, Upstream
from ansible_collections.wsedge.nginx.plugins.plugin_utils.places import Place, shown
from ansible_collections.wsedge.nginx.plugins.plugin_utils.schema import OWN, SITE, read_keys


class Sites:
    """Compiles the sites in their order; knows what earlier ones have taken."""

    def __init__(self, place: Place, upstreams: Mapping[str, Upstream], other_upgrades: str | None, ipv6: bool,
                 drop_in: bool) -> None:
        self._place = place
        self._upstreams = upstreams
        self._other_upgrades = other_upgrades
        self._ipv6 = ipv6
        self._drop_in = drop_in
        self._names: dict[str, Place] = {}
        self._served: dict[str, Place] = {}

    def compile(self, raw: object, defaults_place: Place, defaults: object) -> list[Site]:
        """Return the sites; what the DEFAULTS say holds for each that does not say it itself."""
        keys = {name: key for name, key in SITE.items() if name not in OWN}
        self._defaults = defaults_place, read_keys(defaults_place, keys, defaults) or {}
        sites = [self._site(where, item) for where, item in self._place.items(raw, "sites")]
        return [site for site in sites if site]

    def _site(self, place: Place, raw: object) -> Site | None:
        own = read_keys(place, SITE, raw)
        if own is None:
            return None
        elsewhere, defaults = self._defaults
        if own.get("locations"):
            # A site that says what is behind its paths does not mean all of them.
            defaults = {name: value for name, value in defaults.items() if name != "upstream"}
        given = {**defaults, **own}
        if "upstream" not in given and given.get("locations", []) == [] \
                and not {"upstream", "locations"} & place.misspelt(raw, SITE):
            place.refuse('"upstream" or "locations" is missing')
        server_names = self._server_names(place["server_names"], given.get("server_names"))
        sockets = self._sockets((place if "listen" in own else elsewhere)["listen"],
                                given.get("listen", SITE["listen"].default))
        for name, at in server_names.items():
            for socket in sockets:
                at.once(self._served, f"{socket} {name}", f"{shown(name)} on {socket} is already")
        name = given.get("name") or self._default_name(place, list(server_names))
        hint = "" if "name" in given else 'give the site a "name", because '
        place["name"].once(self._names, name.lower(), f"{hint}{shown(name)} is already the name of")
        if "buffers" in given and "buffer_size" not in given:
            (place if "buffers" in own else elsewhere)["buffers"].refuse(
                "this is the number of buffers of buffer_size, which is not there")
        layers: list[tuple[Place, Mapping[str, Any]]] = [(elsewhere, defaults), (place, own)]
        locations = self._locations(Locations(self._upstreams, given, layers), layers, given)
        return Site(name=name, server_names=list(server_names), listen=sockets, server_tokens_off=self._drop_in,
                    reject_other_upgrades=given.get("other_upgrades", self._other_upgrades) == "reject",
                    refuse_other_paths=all(location.match != ["/"] for location in locations), locations=locations)

    @staticmethod
    def _locations(compiler: Locations, layers: list[tuple[Place, Mapping[str, Any]]],
                   given: Mapping[str, Any]) -> list[Location]:
        compiled = []
        if "upstream" in given:
            place = next(place for place, said in reversed(layers) if "upstream" in said)
            compiled += compiler.for_all_paths(place, given["upstream"])
        for where, item in layers[-1][0]["locations"].items(given.get("locations"), "locations"):
            compiled += compiler.location(where, item)
        return compiled

    @staticmethod
    def _default_name(place: Place, server_names: list[str]) -> str:
        """Name a site after its first server name, as far as a file's name can hold that."""
        if not server_names:
            return place.path
        first = server_names[0].replace("*", "_").translate({ord("["): None, ord("]"): None, ord(":"): "_"})
        return first[:200]

    @staticmethod
    def _server_names(place: Place, raw: object) -> dict[str, Place]:
        """Return each server name with the place where it stands."""
        names: dict[str, Place] = {}
        for where, item in place.items(raw, "server names"):
            name = where.read(kinds.server_name, item)
            if name:
                where.once(names, name, f"{shown(item)} is already")
        if raw == []:
            place.refuse("the list is empty; a site needs at least one server name")
        return names

    def _sockets(self, place: Place, raw: object) -> list[str]:
        """Return the parameters of the listen directives; a bare port is every address, of IPv6 where there is any."""
        sockets: dict[str, Place] = {}
        for where, item in place.items(raw, "ports and addresses"):
            listen = where.read(kinds.listen, item)
            if not listen:
                continue
            address, port = listen
            if address.startswith("[") and not self._ipv6:
                where.refuse(f"{shown(item)}: the host can open no IPv6 socket")
            addresses = [address] if address else ["0.0.0.0", "[::]"] if self._ipv6 else ["0.0.0.0"]
            for one in addresses:
                socket = f"{port}" if one == "0.0.0.0" else f"{one}:{port}"
                where.once(sockets, socket, f"{shown(item)} listens where already does")
        if raw == []:
            place.refuse("the list is empty; leave it out to listen on port 80")
        return list(sockets)
