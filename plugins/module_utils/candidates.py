# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A candidate of another role's main file: the same text, with one included file replaced."""

from __future__ import annotations

import fnmatch
import glob
import os
from collections.abc import Mapping
from contextlib import suppress

from ansible_collections.wsedge.nginx.plugins.module_utils.generations import Failure
from ansible_collections.wsedge.nginx.plugins.module_utils.language import Unreadable, directives


def _includes(text: str, folder: str) -> list[tuple[slice, str]]:
    """Return the position and the absolute pattern of each include in TEXT.

    nginx resolves relative patterns against the main file's FOLDER. If nginx would refuse the text, only the includes
    before the mistake are found.
    """
    found = []
    with suppress(Unreadable):
        for one in directives(text):
            if not one.block and len(one.words) == 2 and one.words[0] == "include":
                found.append((slice(one.start, one.end), os.path.join(folder, one.words[1])))
    return found


def _files(pattern: str, *extra: str) -> list[str]:
    """Return the files that nginx includes for PATTERN, in nginx's order, as if the EXTRA files existed."""
    folder, base = os.path.split(pattern)
    found = {path for path in extra if os.path.dirname(path) == folder and _matches(os.path.basename(path), base)}
    return sorted(found | set(glob.glob(pattern)))


def _matches(name: str, pattern: str) -> bool:
    """Return whether a PATTERN of glob(7) matches a file's name: only a leading dot matches a leading dot."""
    return fnmatch.fnmatchcase(name, pattern) and (pattern.startswith(".") or not name.startswith("."))


def mirrored(text: str, folder: str, replacements: Mapping[str, str | None]) -> str:
    """Return the TEXT of a main file in FOLDER, with REPLACEMENTS for some of the files that it includes.

    The replacement None omits a file. The replacements need not exist.
    """
    pieces, end = [], 0
    for span, pattern in _includes(text, folder):
        files = _files(pattern, *replacements)
        if not replacements.keys().isdisjoint(files):
            taken = [replacements.get(path, path) for path in files]
            pieces += [text[end:span.start], " ".join(f'include "{path}";' for path in taken if path)]
            end = span.stop
    return "".join([*pieces, text[end:]])


def swapped(entry: str, included: str, candidate: str) -> str:
    """Return the text of the main file ENTRY that includes CANDIDATE instead of the file INCLUDED.

    :raises Failure: ENTRY does not include INCLUDED itself, or includes it more than once
    """
    with open(entry, encoding="utf-8", errors="surrogateescape", newline="") as file:
        text = file.read()
    folder = os.path.dirname(entry)
    includes = _includes(text, folder)
    hits = sum(included in _files(pattern, included) for _span, pattern in includes)
    if hits == 1:
        return mirrored(text, folder, {included: candidate})
    if hits:
        raise Failure(f"{entry} includes {included} {hits} times; include it once")
    through = _through([path for _span, pattern in includes for path in _files(pattern, included)], included, folder)
    if through:
        raise Failure(f"{included} is included by {through} and not by {entry} itself, so it cannot be tested before "
                      f"it is in force. Include it in {entry}")
    raise Failure(f"{entry} does not include {included}; add 'include {os.path.dirname(included)}/*.conf;' to its http "
                  f"block")


def _through(paths: list[str], included: str, folder: str) -> str | None:
    """Return the first file that includes INCLUDED, among PATHS and the files that they include."""
    seen: set[str] = set()
    while paths:
        path = paths.pop(0)
        if path in seen or not os.path.isfile(path):
            continue
        seen.add(path)
        with open(path, encoding="utf-8", errors="replace") as file:
            for _span, pattern in _includes(file.read(), folder):
                matches = _files(pattern, included)
                if included in matches:
                    return path
                paths += matches
    return None
