# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Validators of nginx's own language."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.wsedge.nginx.plugins.module_utils.language import Unreadable, directives, switched
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.inventory_path import Refused, shown
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.text_values import check_lines, text


def free_text(value: object) -> str:
    """Accept nginx's own configuration language: whole directives, as many blocks closed as opened.

    What they mean is left to nginx's test.
    """
    if not isinstance(value, str):
        raise Refused(f"{shown(value)} is not text")
    check_lines(value)
    try:
        # The templates end its last line, and indent each: what is escaped at a line's end would be another word then.
        for directive in directives(f"{value}\n"):
            if any("\\\n" in word for word in directive.words):
                raise Refused(f"{shown(value)} has a backslash at the end of a line")
    except Unreadable as reason:
        raise Refused(f"{shown(value)} {reason}") from None
    return value.rstrip("\n")


def takes_underscores(text: object) -> bool:
    """Tell whether a free_text may have nginx take underscores in the names of headers."""
    return isinstance(text, str) and switched(text, "underscores_in_headers", "on")


def takes_dots(text: object) -> bool:
    """Tell whether a free_text may have nginx take dots in the names of headers."""
    return isinstance(text, str) and switched(text, "ignore_invalid_headers", "off")


def all_directives(text: str) -> Iterator[list[str]]:
    """Give the directives of a free_text, each as its words."""
    return (directive.words for directive in directives(text))


def outer_directives(text: str) -> Iterator[list[str]]:
    """Give the directives of a free_text that stand outside of any block, each as its words."""
    return (directive.words for directive in directives(text) if not directive.depth and not directive.block)


def outer_blocks(text: str) -> Iterator[list[str]]:
    """Give the directives of a free_text that open a block outside of any other, each as its words."""
    return (directive.words for directive in directives(text) if not directive.depth and directive.block)


def regular_expression(value: object) -> str:
    """Accept text that nginx is to read as a regular expression; whether it is one, nginx itself tests."""
    checked = text(value)
    if len(checked.encode()) > 1000:
        raise Refused(f"{shown(value)} is longer than 1000 bytes")
    return checked
