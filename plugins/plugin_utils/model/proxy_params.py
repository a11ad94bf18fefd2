# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The settings that the proxied locations of a site share, also with other sites. Each is written only once.

nginx inherits headers from the server only if a location sets none of its own, and a location in free text would
inherit the role's. So each location includes a file, like Debian's ``proxy_params``. Locations for live connections
include another file, which repeats these settings and adds more. With 1,000 sites, it would cost nginx more to open a
second file for each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.hash_sizes import bucket_size, max_size
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.model import (
    LiveParams,
    Location,
    Proxy,
    ProxyParams,
)


class CommonParams:
    """The collector, in ``all`` and ``live``, of shared settings. Sites with the same settings share one file."""

    def __init__(self) -> None:
        self.all: list[ProxyParams] = []
        self.live: list[LiveParams] = []
        self._files: dict[tuple[object, ...], str] = {}
        self._known: dict[tuple[object, ...], ProxyParams] = {}

    def take(self, locations: Sequence[Location], http2: bool) -> list[Location]:
        """Return the LOCATIONS of a site, each with the file of its shared settings and without these settings."""
        proxies = [way.proxy for one in locations for way in (one, one.live) if way and way.proxy]
        if not proxies:
            return list(locations)
        common = self._proxy_params(proxies, http2)
        live = self._live_params([way.proxy for one in locations if (way := _live_way(one)) and way.proxy], common)
        return [replace(one, proxy=one.proxy and _without(one.proxy, common, live if one.websocket_only else None),
                        live=one.live and replace(one.live, proxy=one.live.proxy and _without(
                            one.live.proxy, common, live))) for one in locations]

    def _proxy_params(self, proxies: Sequence[Proxy], http2: bool) -> ProxyParams:
        # Plain and live connections of a location have the same list. Comparing each list once saves much of the
        # compiler's time.
        several = list({id(one.request_headers): one for one in proxies}.values())
        directives = _shared(proxies)
        # Sites with the same settings have the same file, which is computed only once.
        asked = (*((*one.request_headers, None, *one.hidden_headers) for one in several), http2,
                 *map(tuple, directives))
        if asked not in self._known:
            self._known[asked] = self._found(several, http2, directives)
        return self._known[asked]

    def _found(self, proxies: Sequence[Proxy], http2: bool, directives: list[list[str]]) -> ProxyParams:
        """Return the settings that PROXIES share, in the file of other sites with the same settings or in a new one."""
        headers = set.intersection(*(set(one.request_headers) for one in proxies))
        hidden = set.intersection(*(set(one.hidden_headers) for one in proxies))
        names = [{*(header.name for header in one.request_headers), *one.hidden_headers} for one in proxies]
        found = ProxyParams(
            "", [header for header in proxies[0].request_headers if header in headers],
            [name for name in proxies[0].hidden_headers if name in hidden], bucket_size(set().union(*names)),
            max_size(max(map(len, names))), http2, directives)
        key = (*found.request_headers, *found.hidden_headers, found.headers_hash_bucket_size,
               found.headers_hash_max_size, http2, *map(tuple, found.directives))
        if key not in self._files:
            self._files[key] = _numbered("proxy_params", len(self.all))
            self.all.append(replace(found, file=self._files[key]))
        return replace(found, file=self._files[key])

    def _live_params(self, proxies: Sequence[Proxy], common: ProxyParams) -> LiveParams | None:
        """Return the further settings that live connections share; None if there are none."""
        directives = [words for words in _shared(proxies) if words not in common.directives] if proxies else []
        if not directives:
            return None
        key = (common.file, *map(tuple, directives))
        if key not in self._files:
            self._files[key] = _numbered("live_params", len(self.live))
            self.live.append(LiveParams(self._files[key], common, directives))
        return LiveParams(self._files[key], common, directives)


def _live_way(location: Location) -> Location | None:
    """Return the location for the live connections of a location; None if they are not separate."""
    return location if location.websocket_only else location.live


def _shared(proxies: Sequence[Proxy]) -> list[list[str]]:
    """Return the directives that all PROXIES have, in their order."""
    return [words for words in proxies[0].directives if all(words in one.directives for one in proxies)]


def _without(proxy: Proxy, common: ProxyParams, live: LiveParams | None) -> Proxy:
    """Return a proxy without the settings of the file that it includes."""
    hidden = set(common.hidden_headers)
    directives = [*common.directives, *(live.directives if live else [])]
    alike = len(proxy.request_headers) == len(common.request_headers)
    headers = set() if alike else set(common.request_headers)
    return replace(
        proxy, params=live.file if live else common.file,
        request_headers=[] if alike else [header for header in proxy.request_headers if header not in headers],
        hidden_headers=[name for name in proxy.hidden_headers if name not in hidden],
        directives=[words for words in proxy.directives if words not in directives])


def _numbered(name: str, taken: int) -> str:
    return f"{name}-{taken + 1}" if taken else name
