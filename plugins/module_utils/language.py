# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The language of nginx's configuration, read as nginx reads it.

Source: ngx_conf_read_token in ngx_conf_file.c
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

# nginx reads through a buffer of this size; a word and what ends it, or a comment, have to fit.
_BUFFER = 4096

# The longest word that we write: the quotation marks and what follows must fit as well.
LONGEST_WORD = 4000

# Blanks and comments, a quoted word, what ends a directive, or a plain word: in that one, quotation marks and # mean
# nothing, nor does a brace behind a $. A closing parenthesis behind a quoted word begins the next one.
_TOKEN = re.compile(r"""(?P<blank>[ \t\r\n]+|\#[^\n]*)
    |(?P<quoted>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')(?=[ \t\r\n;{)]|\Z)
    |(?P<end>[;{}])
    |(?P<plain>(?!["'\#])(?:\\.|\$\{*|[^ \t\r\n;{\\$])+)""", re.VERBOSE | re.DOTALL)
_ESCAPED = re.compile(r"""\\(["'\\trn])""")
_MEANT = {"t": "\t", "r": "\r", "n": "\n"}


class Directive(NamedTuple):
    """A directive: its words as nginx takes them, how many blocks it stands in, and where in the text it is.

    With BLOCK it opens a block, and ends behind the brace; otherwise it ends behind its semicolon.
    """

    words: list[str]
    depth: int
    start: int
    end: int
    block: bool


class Unreadable(ValueError):
    """nginx refuses the text; the message says why, as half a sentence that follows the text."""


def directives(text: str) -> Iterator[Directive]:
    """Give the directives of a TEXT in their order.

    :raises Unreadable: nginx would refuse the text, or would not be at its end where it ends
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
    """Tell whether a directive of this NAME in a TEXT is "on" or "off"; or, in one that nginx refuses, may."""
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
