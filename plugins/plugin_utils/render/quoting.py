# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Quoting: the only way in which a value becomes a word of an nginx configuration file."""

from __future__ import annotations

import re

from ansible_collections.wsedge.nginx.plugins.module_utils.language import LONGEST_WORD

# Words that nginx reads the same with and without quotes; everything else is quoted.
_BARE = re.compile(r"[A-Za-z0-9_./:*$@%~\[\]=,-]+", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def quote(value: str | int) -> str:
    """Return VALUE as one word of nginx's configuration language.

    The word means the bytes of VALUE and nothing else: it cannot end early, open a block or become a second directive.
    A ``$name`` in it still stands for nginx's variable.

    :raises TypeError: VALUE is neither text nor a whole number
    :raises ValueError: VALUE contains a control character, or is longer than a word of nginx may be
    """
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise TypeError(f"only text and whole numbers become words of nginx's configuration, not {value!r}")
    text = str(value)
    if _CONTROL.search(text):
        raise ValueError(f"a control character in {text!r}")
    word = text if _BARE.fullmatch(text) else '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if len(word.encode()) > LONGEST_WORD:
        raise ValueError(f"longer than {LONGEST_WORD} bytes: {text[:40]!r}…")
    return word
