# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The language of nginx's configuration, read as nginx reads it.

Source: ngx_conf_read_token in ngx_conf_file.c
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

# nginx reads through a buffer of this size. A word with the character that ends it, or a comment, must fit.
_BUFFER = 4096

# The longest word that we write. The quotation marks and what follows must fit in the buffer as well.
LONGEST_WORD = 4000

# Blanks and comments, a quoted word, the end of a directive, or a plain word. Inside a plain word, quotation marks, #,
# and a brace after a $ have no special meaning. A closing parenthesis after a quoted word begins the next word.
_TOKEN = re.compile(r"""(?P<blank>[ \t\r\n]+|\#[^\n]*)
    |(?P<quoted>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')(?=[ \t\r\n;{)]|\Z)
    |(?P<end>[;{}])
    |(?P<plain>(?!["'\#])(?:\\.|\$\{*|[^ \t\r\n;{\\$])+)""", re.VERBOSE | re.DOTALL)
_ESCAPED = re.compile(r"""\\(["'\\trn])""")
_MEANT = {"t": "\t", "r": "\r", "n": "\n"}


class Directive(NamedTuple):
    """A directive: its words as nginx reads them, the number of blocks around it, and its position in the text.

    With BLOCK, it opens a block and ends after the brace. Otherwise, it ends after its semicolon.
    """

    words: list[str]
    depth: int
    start: int
    end: int
    block: bool


class Unreadable(ValueError):
    """A text that nginx refuses; the message is half a sentence that follows the name of the text."""


def directives(text: str) -> Iterator[Directive]:
    """Yield the directives of a TEXT in their order.

    :raises Unreadable: nginx would refuse the text, or the text ends in the middle of a directive or a block
    """
    words: list[str] = []
    depth = position = start = 0
    while position < len(text):
        found = _TOKEN.match(text, position)
        if not found:
            raise Unreadable(_why(text, position))
        _check_length(found)
        kind, token, position = found.lastgroup, found[0], found.end()
        if kind == "end":
            if token == "}":
                if words or not depth:
                    raise Unreadable('has a "}" in the middle of a directive' if words else 'has one "}" too many')
                depth -= 1
                continue
            if not words:
                raise Unreadable(f'has a "{token}" without a directive')
            yield Directive(words, depth, start, position, token == "{")
            depth += token == "{"
            words = []
        elif kind != "blank":
            start = start if words else found.start()
            words.append(_meant(token[1:-1] if kind == "quoted" else token))
    if words or depth:
        raise Unreadable(f"ends in the middle of a {'directive' if words else 'block'}")


def switched(text: str, name: str, state: str) -> bool:
    """Return whether a directive NAME in TEXT has this STATE, "on" or "off"; or may have it, if nginx refuses TEXT."""
    if name not in text:
        return False
    try:
        return any([word.lower() for word in one.words] == [name, state] for one in directives(text))
    except Unreadable:
        return True


def _meant(raw: str) -> str:
    return _ESCAPED.sub(lambda found: _MEANT.get(found[1], found[1]), raw) if "\\" in raw else raw


def _check_length(found: re.Match[str]) -> None:
    length = found.end() - found.start() - (found.lastgroup == "quoted")
    if length * 4 < _BUFFER or found[0].isspace():
        return
    if len(found[0].encode(errors="surrogateescape")) - (found.lastgroup == "quoted") >= _BUFFER:
        raise Unreadable(f"has a word or a comment of {_BUFFER} bytes or more")


def _why(text: str, position: int) -> str:
    if text[position] in "\"'":
        closed = re.compile(r"(.)(?:\\.|(?!\1)[^\\])*\1", re.DOTALL).match(text, position)
        return "has no space after a quoted word" if closed else "has a quotation mark that is not closed"
    return "ends in the middle of a directive"
