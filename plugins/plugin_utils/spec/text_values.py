# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Validators of plain text, names and choices."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.inventory_path import Refused, nearest, shown

T = TypeVar("T")


def text(value: object) -> str:
    """Accept text that is not empty and contains no control character."""
    if not isinstance(value, str):
        raise Refused(f"{shown(value)} is not text")
    if not value:
        raise Refused("the text is empty")
    if re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", value):
        raise Refused(f"{shown(value)} contains a line break or another control character")
    if "@generation@" in value:
        raise Refused(f"{shown(value)} contains @generation@, which is reserved for the role")
    if re.search(r"[\ud800-\udfff]", value):
        raise Refused(f"{shown(value)} is not valid Unicode")
    return value


def check_lines(value: str) -> None:
    """Refuse text with other control characters than line breaks and tabs."""
    if re.search(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]", value) or "@generation@" in value:
        raise Refused(f"{shown(value)} contains a control character")


def boolean(value: object) -> bool:
    """Accept true and false, also as Ansible's command line writes them."""
    found = {"true": True, "yes": True, "false": False, "no": False}.get(str(value).lower())
    if found is None:
        raise Refused(f"{shown(value)} is neither true nor false")
    return found


def verification(value: object) -> str:
    """Accept whether to probe an edge after a run, and to roll back if a probe fails: no, yes or rollback."""
    if value == "rollback":
        return "rollback"
    try:
        return "yes" if boolean(value) else "no"
    except Refused:
        raise Refused(f"{shown(value)} is not true, false or rollback") from None


def one_of(*choices: str) -> Callable[[object], str]:
    """Make a validator that accepts only the CHOICES."""

    def validator(value: object) -> str:
        if value not in choices:
            raise Refused(f"{shown(value)} is not one of {', '.join(choices)}")
        return str(value)

    return validator


def one_name_of(known: Mapping[str, T], what: str) -> Callable[[object], T]:
    """Make a validator of the names in KNOWN, each the name of WHAT; it returns the value of that name."""

    def validator(value: object) -> T:
        if not isinstance(value, str) or value not in known:
            raise Refused(f"{shown(value)} is not {what}; {nearest(value, known)}")
        return known[value]

    return validator


def name(value: object) -> str:
    """Accept a name of a site or upstream: it becomes part of a file's name and of a name in nginx."""
    checked = text(value)
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}", checked, re.ASCII):
        raise Refused(f"{shown(value)} is not a name: letters, digits, '_', '.' and '-', at most 200, "
                      "the first a letter, a digit or '_'")
    return checked


def some_of(*choices: str) -> Callable[[object], list[str]]:
    """Make a validator of lists with each of the CHOICES at most once."""

    def validator(value: object) -> list[str]:
        if not isinstance(value, list):
            raise Refused(f"{shown(value)} is not a list of any of {', '.join(choices)}")
        for position, item in enumerate(value):
            if item not in choices:
                raise Refused(f"{shown(item)} is not one of {', '.join(choices)}")
            if item in value[:position]:
                raise Refused(f"{shown(item)} is listed twice")
        return [str(item) for item in value]

    return validator


def argument_names(value: object) -> list[str]:
    """Accept a list of names of arguments, in the form that URLs have."""
    if isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
        raise Refused(f"{shown(value)} is not a list of names, such as [access_token]")
    for one in value:
        if not isinstance(one, str) or not re.fullmatch(r"[A-Za-z0-9._~-]{1,100}", one, re.ASCII):
            raise Refused(f"{shown(one)} is not the name of an argument: letters, digits and any of ._~-")
    return list(dict.fromkeys(value))
