# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Validators of numbers."""

from __future__ import annotations

import re
from collections.abc import Callable

from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.inventory_path import Refused, shown


def whole(minimum: int, maximum: int) -> Callable[[object], int]:
    """Make a validator of whole numbers from MINIMUM to MAXIMUM, also written as text of decimal digits."""

    def validator(value: object) -> int:
        if isinstance(value, str) and re.fullmatch(r"[0-9]{1,18}", value, re.ASCII):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not minimum <= value <= maximum:
            raise Refused(f"{shown(value)} is not a whole number from {minimum} to {maximum}")
        return int(value)

    return validator


port = whole(1, 65535)


def number_of(*choices: int) -> Callable[[object], int]:
    """Make a validator that accepts only the CHOICES."""

    def validator(value: object) -> int:
        number = int(value) if isinstance(value, str) and re.fullmatch(r"[0-9]{3}", value, re.ASCII) else value
        if not isinstance(number, int) or number not in choices:
            raise Refused(f"{shown(value)} is not one of {', '.join(str(choice) for choice in choices)}")
        return number

    return validator


def status(value: object) -> int:
    """Accept the status of an answer: 200 to 599, except those that redirect."""
    number = whole(200, 599)(value)
    if 300 <= number < 400:
        raise Refused(f"{number} is a redirect; use the key redirect")
    return number


def redirect_status(value: object) -> int | bool:
    """Accept the status of a redirect, or false for none."""
    if value is False or value in ("false", "no"):
        return False
    try:
        return number_of(301, 302, 307, 308)(value)
    except Refused as reason:
        raise Refused(f"{reason}, or false for no redirect") from None


def worker_processes(value: object) -> str:
    """Accept a number of worker processes, or ``auto`` for one on each processor."""
    if value == "auto":
        return "auto"
    try:
        return str(whole(1, 1024)(value))
    except Refused:
        raise Refused(f"{shown(value)} is neither auto nor a whole number from 1 to 1024") from None
