# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the proxied locations of a site have in common, and sites among each other: it is written once.

nginx inherits headers from the server only where a location sets none of its own, and a location in free text would
inherit ours. So each location includes a file, as Debian's ``proxy_params`` is included.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.hash_sizes import bucket_size, max_size
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.model import Header, Location, ProxyParams

_FILE = "proxy_params"


class CommonParams:
    """Collects in ``all`` what sites have in common; those with the same share one file."""

    def __init__(self) -> None:
        self.all: list[ProxyParams] = []
        self._files: dict[tuple[object, ...], str] = {}

    def take(self, locations: Sequence[Location], http2: bool) -> tuple[str | None, list[Location]]:
        """Return the file for the LOCATIONS of a site, and these with what it leaves to them."""
        proxies = [one.proxy for one in locations if one.proxy]
        if not proxies:
            return None, list(locations)
        headers = set.intersection(*(set(one.request_headers) for one in proxies))
        hidden = set.intersection(*(set(one.hidden_headers) for one in proxies))
        names = [{*(header.name for header in one.request_headers), *one.hidden_headers} for one in proxies]
        file = self._file([header for header in proxies[0].request_headers if header in headers],
                          [name for name in proxies[0].hidden_headers if name in hidden],
                          bucket_size(set().union(*names)), max_size(max(map(len, names))), http2)
        return file, [one if not one.proxy else replace(one, proxy=replace(
            one.proxy, request_headers=[header for header in one.proxy.request_headers if header not in headers],
            hidden_headers=[name for name in one.proxy.hidden_headers if name not in hidden])) for one in locations]

    def _file(self, headers: list[Header], hidden: list[str], bucket: int | None, most: int | None, http2: bool) -> str:
        key = (*headers, *hidden, bucket, most, http2)
        if key not in self._files:
            self._files[key] = _FILE if not self.all else f"{_FILE}-{len(self.all) + 1}"
            self.all.append(ProxyParams(self._files[key], headers, hidden, bucket, most, http2))
        return self._files[key]
