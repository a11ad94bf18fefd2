# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A candidate of somebody else's main file: the same text, with one of the files that it includes swapped."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Mapping

from ansible_collections.wsedge.nginx.plugins.module_utils.generations import Failure

# A comment, a quoted word, or an include directive at the beginning of a statement.
_TOKEN = re.compile(
    r"""\#[^\n]* | "(?:\\.|[^"\\])*" | '(?:\\.|[^'\\])*' | (?<![^\s;{}])include\s+([^\s;{}"'\\$]+)\s*;""",
    re.VERBOSE | re.DOTALL)


def _includes(text: str, folder: str) -> list[tuple[re.Match[str], str]]:
    """Return every include of TEXT with its absolute pattern; nginx resolves relative ones against the main file."""
    return [(found, os.path.join(folder, found[1])) for found in _TOKEN.finditer(text) if found[1]]


def _files(pattern: str, *extra: str) -> list[str]:
    """Return the files that nginx includes for PATTERN, in its order, as if the EXTRA ones were there."""
    folder, base = os.path.split(pattern)
    expression = _as_expression(base)
    found = {path for path in extra
             if os.path.dirname(path) == folder and re.fullmatch(expression, os.path.basename(path))}
    return sorted(found | set(glob.glob(pattern)))


def _as_expression(pattern: str) -> str:
    """Translate what glob(7) understands in the last part of a path; a leading dot needs a dot."""
    pieces = {"*": ".*", "?": "."}
    start = "" if pattern.startswith(".") else r"(?!\.)"
    return start + "".join(pieces.get(one) or re.escape(one) for one in pattern)


def mirrored(text: str, folder: str, places: Mapping[str, str | None]) -> str:
    """Return the TEXT of a main file in FOLDER in which other files, or none, stand in the PLACES of some it includes.

    Those need not be there.
    """
    pieces, end = [], 0
    for found, pattern in _includes(text, folder):
        files = _files(pattern, *places)
        if not places.keys().isdisjoint(files):
            taken = [places.get(path, path) for path in files]
            pieces += [text[end:found.start()], " ".join(f'include "{path}";' for path in taken if path)]
            end = found.end()
    return "".join([*pieces, text[end:]])


def swapped(entry: str, included: str, candidate: str) -> str:
    """Return the text of the main file ENTRY in which CANDIDATE stands in the place of the file INCLUDED.

    :raises Failure: ENTRY does not include that file, or in a way that cannot be mirrored
    """
    with open(entry, encoding="utf-8", errors="surrogateescape") as file:
        text = file.read()
    folder = os.path.dirname(entry)
    includes = _includes(text, folder)
    hits = sum(included in _files(pattern, included) for _found, pattern in includes)
    if hits == 1:
        return mirrored(text, folder, {included: candidate})
    if hits:
        raise Failure(f"{entry} includes {included} {hits} times; once is right")
    through = _through([path for _found, pattern in includes for path in _files(pattern, included)], included, folder)
    if through:
        raise Failure(f"{included} is included by {through} and not by {entry} itself, so it cannot be tested before "
                      f"it is in force. Include it in {entry}")
    raise Failure(f"{entry} does not include {included}; add 'include {os.path.dirname(included)}/*.conf;' to its http "
                  f"block")


def _through(paths: list[str], included: str, folder: str) -> str | None:
    """Return the first of the files at PATHS, or of those that they include, that includes INCLUDED."""
    seen: set[str] = set()
    while paths:
        path = paths.pop(0)
        if path in seen or not os.path.isfile(path):
            continue
        seen.add(path)
        with open(path, encoding="utf-8", errors="replace") as file:
            for _found, pattern in _includes(file.read(), folder):
                matches = _files(pattern, included)
                if included in matches:
                    return path
                paths += matches
    return None
