# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Validators of times and sizes in nginx's units.

Source: https://nginx.org/en/docs/syntax.html
"""

from __future__ import annotations

import re

from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.inventory_path import Refused, shown

# nginx accepts months and years only if it counts in seconds, and it counts the times here in milliseconds.
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}

_LONGEST = 3650 * _SECONDS["d"]


def duration(value: object) -> str:
    """Accept a time in nginx's form: seconds as a number, or a number with ms, s, m, h, d or w; not zero.

    Source: https://nginx.org/en/docs/syntax.html
    """
    expected = "expected seconds or nginx's form, such as 90, 90s, 5m or 1d"
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise Refused(f"{shown(value)} is not a time; {expected}")
    found = re.fullmatch(r"([0-9]{1,15})(ms|[smhdw]|)", str(value), re.ASCII)
    if not found:
        raise Refused(f"{shown(value)} is not a time; {expected}")
    number, unit = int(found[1]), found[2] or "s"
    if not 0 < number * _SECONDS[unit] <= _LONGEST:
        raise Refused(f"{shown(value)} is not a time of more than zero and at most ten years")
    return f"{number}{unit}"


def duration_or_never(value: object) -> str:
    """Accept a time in nginx's form, or 0 if nginx takes that for no limit."""
    return "0" if _is_zero(value) else duration(value)


def _is_zero(value: object) -> bool:
    """Return whether a value is the whole number 0. False and 0.0 are equal to it, but are not accepted."""
    return value == "0" or (isinstance(value, int) and not isinstance(value, bool) and value == 0)


def seconds(value: object) -> str:
    """Accept a time that nginx counts in whole seconds."""
    checked = duration(value)
    if checked.endswith("ms"):
        raise Refused(f"{shown(value)} is not a whole number of seconds, which nginx needs here")
    return checked


def seconds_or_none(value: object) -> str:
    """Accept a time in whole seconds, or 0."""
    return "0s" if _is_zero(value) else seconds(value)


def in_seconds(checked: str) -> int:
    """Return the number of seconds of a time that ``seconds`` has accepted."""
    return int(int(checked[:-1]) * _SECONDS[checked[-1]])


def _size(value: object, units: str, minimum: int, maximum: int) -> str:
    expected = f"expected bytes, or a number with {' or '.join(units)}, such as 16k"
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise Refused(f"{shown(value)} is not a size; {expected}")
    found = re.fullmatch(rf"([0-9]{{1,12}})([{units}]?)", str(value).lower(), re.ASCII)
    if not found:
        raise Refused(f"{shown(value)} is not a size; {expected}")
    if not minimum <= int(found[1]) * {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}[found[2]] <= maximum:
        raise Refused(f"{shown(value)} is not a size from {minimum} to {maximum} bytes")
    return found[0]


def buffer_size(value: object) -> str:
    """Accept the size of a buffer: 1 KiB to 16 MiB. Source: https://nginx.org/en/docs/syntax.html."""
    return _size(value, "km", 1 << 10, 16 << 20)


def buffers(value: object) -> list[str]:
    """Accept a number of buffers and their size, such as ``8 32k``; none if the text is empty."""
    if value == "":
        return []
    found = re.fullmatch(r"([1-9][0-9]{0,3}) +(\S+)", value, re.ASCII) if isinstance(value, str) else None
    if not found:
        raise Refused(f"{shown(value)} is not a number of buffers and their size, such as 8 32k")
    return [found[1], buffer_size(found[2])]


def body_size(value: object) -> str:
    """Accept the largest size of a body, up to 1 TiB; 0 for any."""
    return _size(value, "kmg", 0, 1 << 40)


def expires(value: object) -> str:
    """Accept how long a browser may keep an answer. Source: https://nginx.org/r/expires."""
    if value is False:
        return "off"  # YAML reads off as false
    return str(value) if value in ("epoch", "max", "off") else seconds(value)
