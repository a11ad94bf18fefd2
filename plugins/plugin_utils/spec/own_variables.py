# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Variables of nginx that the inventory itself defines: in free text, and in its regular expressions.

Text that nginx has decoded from a request can contain a line break. So can a variable that is made of it. Such a
variable must not be sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.wsedge.nginx.plugins.module_utils.language import Directive, Unreadable, directives

# Variables that nginx has decoded, or that contain unchanged what a client sent.
DECODED = frozenset(("uri", "document_uri", "request_filename", "request_body", "remote_user", "ssl_server_name",
                     "ssl_client_raw_cert"))
_USED = re.compile(r"\$\{?([A-Za-z0-9_]+)", re.ASCII)
_CAPTURE = re.compile(r"\(\?P?[<']([A-Za-z_][A-Za-z0-9_]*)[>']", re.ASCII)
# The text that location and rewrite match.
_PATH = "$uri"
_ENTRIES = ("map", "geo", "split_clients")


def defined(variables: Mapping[str, Any]) -> dict[str, bool]:
    """Return the variables that the role's VARIABLES define, each with whether it can be sent.

    Values of a wrong type are ignored here: other code reports them.
    """
    found = list(_definitions(variables))
    unsafe = set(DECODED)
    while True:
        more = {name for name, made_of in found if unsafe & made_of} - unsafe
        if not more:
            return {name: name not in unsafe for name, _made_of in found}
        unsafe |= more


def _definitions(variables: Mapping[str, Any]) -> Iterator[tuple[str, set[str]]]:
    """Give each defined variable, with the names of the variables that it is made of."""
    yield from _of_text(variables.get("websocket_proxy_extra_config"))
    for site in _mappings(variables.get("websocket_proxy_sites")):
        yield from _of_text(site.get("extra_config"))
        for name in _mappings(site.get("server_names")):
            yield from _captures(name.get("regex"), "$host")
        for location in _mappings(site.get("locations")):
            yield from _of_text(location.get("extra_config"))
            if location.get("match") == "regex":
                yield from _captures(location.get("path"), _PATH)


def _mappings(value: object) -> Iterator[Mapping[str, Any]]:
    for one in value if isinstance(value, list) else ():
        if isinstance(one, Mapping):
            yield one


def _captures(expression: object, source: str) -> Iterator[tuple[str, set[str]]]:
    for name in _CAPTURE.findall(expression) if isinstance(expression, str) else ():
        yield name.lower(), _names(source)


def _names(*texts: str) -> set[str]:
    return {name.lower() for text in texts for name in _USED.findall(text)}


def _of_text(text: object) -> Iterator[tuple[str, set[str]]]:
    if not isinstance(text, str) or not ("$" in text or "(?" in text):
        return
    try:
        found = list(directives(text))
    except Unreadable:
        return
    holder: Directive | None = None
    for one in found:
        if holder and one.depth > holder.depth:
            yield from _of_entry(holder.words, one.words)
            continue
        holder = one if one.block and one.words[0] in _ENTRIES and len(one.words) > 1 else None
        yield from _of_directive(one.words)


def _of_entry(holder: list[str], words: list[str]) -> Iterator[tuple[str, set[str]]]:
    """Give the variables that an entry of a map defines: its captures, and the variable of the map."""
    source = holder[1] if holder[0] == "map" else ""
    if words[0].startswith("~"):
        yield from _captures(words[0], source)
    made_of = _names(*words[1:2])
    # A number stands for a capture of the expression. An included file may contain anything.
    if any(name.isdigit() for name in made_of):
        made_of |= _names(source)
    yield holder[-1][1:].lower(), {"uri"} if words[0] == "include" else made_of


def _of_directive(words: list[str]) -> Iterator[tuple[str, set[str]]]:
    name = words[0]
    if name in _ENTRIES and len(words) > 1:
        yield words[-1][1:].lower(), set()
    elif name in ("set", "auth_request_set") and len(words) > 2:
        made_of = _names(words[2])
        yield words[1][1:].lower(), made_of | ({"uri"} if any(one.isdigit() for one in made_of) else set())
    elif name == "if" and len(words) > 1:
        yield from _captures(" ".join(words), words[1].lstrip("("))
    elif name in ("rewrite", "location"):
        yield from _captures(" ".join(words), _PATH)
    elif name == "server_name":
        yield from _captures(" ".join(words), "$host")
