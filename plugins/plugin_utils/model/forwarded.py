# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The maps by which nginx finds the scheme and the host of a client's request."""

from __future__ import annotations

from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec import header_values

# How many proxies of a chain the maps examine.
_PROXIES = 5

_SPACE = r"[ \t]*"
# Traefik sends the scheme of WebSockets with each handshake.
_WORDS = {"https": f"{_SPACE}(?:https|wss){_SPACE}", "http": f"{_SPACE}(?:http|ws){_SPACE}"}
_ADDRESS = "websocket_proxy_address"


def positions() -> dict[str, str]:
    r"""Return the positions of a client's address in X-Forwarded-For, counted from the end, by regular expression.

    They match "$remote_addr $http_x_forwarded_for". The first match counts, because only trusted proxies follow the
    client's address. In $remote_addr, an address has no port, and an IPv6 address has no brackets.
    """
    return {rf"~^(?<{_ADDRESS}>[^ ]+) (?:.*[, ])?\[?\k<{_ADDRESS}>\]?(?::[0-9]+)?{_SPACE}(?:,[^,]*){{{position}}}$":
            str(position) for position in range(_PROXIES)}


def schemes() -> dict[str, str]:
    """Return the schemes by regular expression. Each matches a position and X-Forwarded-Proto, joined by a colon."""
    found = {f"~*^.:{word}(?:,{word})*$": scheme for scheme, word in _WORDS.items()}
    for position in range(_PROXIES):
        for scheme, word in _WORDS.items():
            found[f"~*^{position}:(?:.*,)?{word}(?:,[^,]*){{{position}}}$"] = scheme
            if position:
                # The list has fewer elements than there are proxies: its last element counts.
                found[f"~*^{position}:(?:[^,]*,){{0,{position - 1}}}{word}$"] = scheme
    return found


class Hosts:
    """Variables with the name and port of a client's request, by the scheme that a backend receives.

    The port is omitted if it is the scheme's default. The variable for ``$scheme`` always exists. ``https`` has the
    variables that are "on" if the scheme is https, as CGI programs expect.
    """

    def __init__(self) -> None:
        self.all = {"$scheme": header_values.HOST}
        self.https: dict[str, str] = {}

    def told(self, scheme: str | None) -> str:
        """Return the variable for a SCHEME, which may contain variables of nginx; None means ``$scheme``."""
        return self.all.setdefault(scheme or "$scheme", f"{header_values.HOST}_{len(self.all)}")

    def secure(self, scheme: str) -> str:
        """Return the variable that tells a CGI program whether the SCHEME is https."""
        if scheme == "$scheme":
            return "$https"
        return self.https.setdefault(scheme, f"$websocket_proxy_https_{len(self.https) + 1}")
