# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The masking of secrets in differences, such as values of headers whose names suggest a secret."""

from __future__ import annotations

import re
from collections.abc import Collection

MASK = "********"

# A value that is only a variable reveals nothing, so it is shown.
_SECRET_HEADER = re.compile(
    r"""(\s*(?:proxy_set_header|add_header)\s+["']?[^\s"';]*
        (?:authorization|cookie|token|secret|passw|credential|api[-_]?key|access[-_]?key|auth[-_]?key)
        [^\s"';]*["']?\s+)(?!["']?\$\w+["']?[\s;])\S.*""", re.VERBOSE | re.IGNORECASE)


def masked(text: str, lines: Collection[int] = ()) -> str:
    """Return the text of a file with MASK instead of secrets; only the first word of LINES, from 0, is shown."""
    return "\n".join(_masked(line, number in lines) for number, line in enumerate(text.split("\n")))


def _masked(line: str, whole: bool) -> str:
    if whole:
        first = re.match(r"\s*[a-z_]*(?=\s|$)", line)
        return f"{first[0] if first else ''} {MASK}" if line.strip() else line
    found = _SECRET_HEADER.fullmatch(line)
    return f"{found[1]}{MASK};" if found else line
