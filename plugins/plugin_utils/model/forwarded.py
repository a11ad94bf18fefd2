# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How nginx's maps find the scheme and the host that a client asked for."""

from __future__ import annotations

from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec import header_values

# How many proxies of a chain are looked at.
_PROXIES = 5

_SPACE = r"[ \t]*"
# Traefik sends the scheme of WebSockets with each handshake.
_WORDS = {"https": f"{_SPACE}(?:https|wss){_SPACE}", "http": f"{_SPACE}(?:http|ws){_SPACE}"}
_ADDRESS = "websocket_proxy_address"


def positions() -> dict[str, str]:
    r"""Return where a client's address stands in X-Forwarded-For, counted from the end, by regular expressions.

    They match "$remote_addr $http_x_forwarded_for". The first match counts, because only trusted proxies follow the
    client's address. In $remote_addr, an address has no port, and one of IPv6 no brackets.
    """
    return {rf"~^(?<{_ADDRESS}>[^ ]+) (?:.*[, ])?\[?\k<{_ADDRESS}>\]?(?::[0-9]+)?{_SPACE}(?:,[^,]*){{{position}}}$":
            str(position) for position in range(_PROXIES)}


def schemes() -> dict[str, str]:
    """Return the scheme by regular expressions, which match a position and X-Forwarded-Proto with a colon between."""
    found = {f"~*^.:{word}(?:,{word})*$": scheme for scheme, word in _WORDS.items()}
    for position in range(_PROXIES):
        for scheme, word in _WORDS.items():
            found[f"~*^{position}:(?:.*,)?{word}(?:,[^,]*){{{position}}}$"] = scheme
            if position:
                # Fewer elements than proxies: the last one.
                found[f"~*^{position}:(?:[^,]*,){{0,{position - 1}}}{word}$"] = scheme
    return found


class Hosts:
    """The variables of the name and port that a client asked for, by the scheme that a backend is told.

    The port is left out where it is the scheme's default. The variable for ``$scheme`` is always there. ``https`` has
    those that are "on" where the scheme is https, as CGI programs know it.
    """

    def __init__(self) -> None:
        self.all = {"$scheme": header_values.HOST}
        self.https: dict[str, str] = {}

    def told(self, scheme: str | None) -> str:
        """Return the variable for a SCHEME, in which nginx's variables may stand; None stands for ``$scheme``."""
        return self.all.setdefault(scheme or "$scheme", f"{header_values.HOST}_{len(self.all)}")

    def secure(self, scheme: str) -> str:
        """Return the variable that tells a CGI program of https."""
        if scheme == "$scheme":
            return "$https"
        return self.https.setdefault(scheme, f"$websocket_proxy_https_{len(self.https) + 1}")
