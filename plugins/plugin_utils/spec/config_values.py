# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Validators of nginx's own language."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.places import Refused, shown
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.text_values import check_lines, text

# A comment, a quotation, the beginning of ${name}, an escaped character, punctuation, a plain word, or what is left.
_WORD = re.compile(r"""#[^\n]*|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|\$\{|\\.|[;{}]|[^\s;{}"'\\$][^\s;{}\\$]*"""
                   r"""|["'$\\]""", re.DOTALL)


def free_text(value: object) -> str:
    """Accept nginx's own configuration language: whole directives, as many blocks closed as opened.

    What they mean is left to nginx's test. Source: ngx_conf_read_token in ngx_conf_file.c
    """
    if not isinstance(value, str):
        raise Refused(f"{shown(value)} is not text")
    check_lines(value)
    depth, complete = 0, True
    for word in _WORD.findall(value):
        if word.startswith("#") and complete:
            continue
        if word in ('"', "'"):
            raise Refused(f"{shown(value)} has a quotation mark that is not closed")
        depth += {"{": 1, "}": -1, "${": 1}.get(word, 0)
        if depth < 0:
            raise Refused(f'{shown(value)} has a "}}" too many')
        complete = word in (";", "{", "}")
    if depth or not complete:
        raise Refused(f"{shown(value)} ends in the middle of a {'block' if depth else 'directive'}")
    return value.rstrip("\n")


def takes_underscores(text: object) -> bool:
    """Tell whether a free_text may have nginx take underscores in the names of headers."""
    return isinstance(text, str) and re.search(r"""\bunderscores_in_headers\s+["']?on\b""", text) is not None


def outer_directives(text: str) -> Iterator[list[str]]:
    """Give the directives of a free_text that stand outside of any block, each as its words."""
    opened: list[str] = []
    words: list[str] = []
    for word in _WORD.findall(text):
        if word.startswith("#"):
            continue
        if word in ("{", "${"):
            opened.append(word)
        ends = word in (";", "{") or (word == "}" and opened.pop() == "{")
        if not ends:
            words.append(word.strip("\"'"))
            continue
        if word == ";" and words and not opened:
            yield words
        words = []


def regular_expression(value: object) -> str:
    """Accept text that nginx is to read as a regular expression; whether it is one, nginx itself tests."""
    checked = text(value)
    if len(checked.encode()) > 1000:
        raise Refused(f"{shown(value)} is longer than 1000 bytes")
    return checked
