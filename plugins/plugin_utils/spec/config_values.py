# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Validators of nginx's own language."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.wsedge.nginx.plugins.module_utils.language import Unreadable, directives, switched
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.inventory_path import Refused, shown
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.text_values import check_lines, text


def free_text(value: object) -> str:
    """Accept text in nginx's own configuration language: whole directives, with all blocks closed.

    nginx's own test checks what they mean.
    """
    if not isinstance(value, str):
        raise Refused(f"{shown(value)} is not text")
    check_lines(value)
    try:
        # The templates end the last line and indent each line. That would change a word with an escaped line break.
        for directive in directives(f"{value}\n"):
            if any("\\\n" in word for word in directive.words):
                raise Refused(f"{shown(value)} has a backslash at the end of a line")
    except Unreadable as reason:
        raise Refused(f"{shown(value)} {reason}") from None
    return value.rstrip("\n")


def takes_underscores(text: object) -> bool:
    """Return whether a free_text may let nginx accept underscores in the names of headers."""
    return isinstance(text, str) and switched(text, "underscores_in_headers", "on")


def takes_dots(text: object) -> bool:
    """Return whether a free_text may let nginx accept dots in the names of headers."""
    return isinstance(text, str) and switched(text, "ignore_invalid_headers", "off")


def all_directives(text: str) -> Iterator[list[str]]:
    """Give the directives of a free_text, each as its words."""
    return (directive.words for directive in directives(text))


def outer_directives(text: str) -> Iterator[list[str]]:
    """Give the directives of a free_text that are outside of any block, each as its words."""
    return (directive.words for directive in directives(text) if not directive.depth and not directive.block)


def outer_blocks(text: str) -> Iterator[list[str]]:
    """Give the directives of a free_text that open a block and are outside of any other, each as its words."""
    return (directive.words for directive in directives(text) if not directive.depth and directive.block)


def regular_expression(value: object) -> str:
    """Accept text for a regular expression; nginx itself tests whether it is valid."""
    checked = text(value)
    if len(checked.encode()) > 1000:
        raise Refused(f"{shown(value)} is longer than 1000 bytes")
    return checked
