# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Validators of paths: of requests, and of files on the host."""

from __future__ import annotations

import re

from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.inventory_path import Refused, shown
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.text_values import text

# Parts of a path that lead out of a folder, or nowhere.
DOTS = re.compile(r"/\.\.?(/|$)")


def file(value: object) -> str:
    """Accept the absolute path of a file on the host."""
    checked = folder(value)
    if checked.endswith("/"):
        raise Refused(f"{shown(value)} is a folder; expected the path of a file")
    return checked


def folder(value: object) -> str:
    """Accept the absolute path of a folder or file on the host."""
    checked = text(value)
    if not checked.startswith("/") and len(checked) > 40:
        raise Refused("this is not an absolute path; it may be a secret, so it is not shown")
    if not re.fullmatch(r"(/[A-Za-z0-9_.@+-]+)+/?", checked, re.ASCII) or DOTS.search(checked):
        raise Refused(f"{shown(value)} is not an absolute path: letters, digits and any of _.@+- between slashes")
    if len(checked) > 1000:
        raise Refused(f"{shown(value)} is longer than 1000 characters")
    return checked


def disable_symlinks(value: object) -> str:
    """Accept ``if_not_owner``, or ``on`` and ``off``, which YAML reads as true and false."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if value not in ("if_not_owner", "on", "off"):
        raise Refused(f"{shown(value)} is neither if_not_owner nor true nor false")
    return str(value)


def try_files(value: object) -> list[str]:
    """Accept the files to look for, in order: ``$uri``, ``$uri/`` and paths; the last one is a path or ``=404``.

    Source: https://nginx.org/en/docs/http/ngx_http_core_module.html#try_files
    """
    expected = "expected a list such as [$uri, $uri/, /index.html] or [$uri, =404]"
    if not isinstance(value, list) or len(value) < 2:
        raise Refused(f"{shown(value)} is not a list of at least two elements; {expected}")
    for position, item in enumerate(value):
        last = position == len(value) - 1
        code = last and isinstance(item, str) and re.fullmatch(r"=[1-5][0-9][0-9]", item, re.ASCII)
        file = isinstance(item, str) and ".." not in item and re.fullmatch(
            r"/[A-Za-z0-9_./-]{0,500}" if last else r"(\$uri(?![A-Za-z0-9_])|/)[A-Za-z0-9_./-]{0,500}", item, re.ASCII)
        if not code and not file:
            raise Refused(f"{shown(item)} is neither "
                          f"{'a path nor a status such as =404' if last else '$uri nor a path'}; {expected}")
    return [str(item) for item in value]


def script(value: object) -> str:
    """Accept the path of a program below a folder, with or without a leading slash; return it without the slash."""
    checked = text(value).removeprefix("/")
    if not re.fullmatch(r"[A-Za-z0-9_.@+-]+(/[A-Za-z0-9_.@+-]+)*", checked, re.ASCII) or DOTS.search(f"/{checked}"):
        raise Refused(f"{shown(value)} is not the path of a program, such as index.php: letters, digits and any of "
                      "_.@+- between slashes")
    return checked


def log_file(value: object) -> str:
    """Accept the path of a log, or ``off``, which YAML reads as false."""
    return "off" if value is False or value == "off" else file(value)


def path(value: object) -> str:
    """Accept the path of a location in the form that nginx compares: decoded, without ``//`` and ``..``.

    Source: https://nginx.org/en/docs/http/ngx_http_core_module.html#location
    """
    checked = text(value)
    if not checked.startswith("/"):
        hint = "; a regular expression needs match: regex" if checked[0] in "^~" else ""
        raise Refused(f'{shown(value)} does not begin with "/"{hint}')
    strange = re.search(r"[^A-Za-z0-9._~!&'()*+,=:@/-]", checked, re.ASCII)
    if strange:
        why = "; nginx compares paths after decoding" if strange[0] == "%" else ""
        raise Refused(f"{shown(value)} contains {shown(strange[0])}, which is not allowed in a path{why}")
    if "//" in checked or DOTS.search(checked):
        raise Refused(f'{shown(value)} can match no request: nginx removes "//", "/./" and "/../" before it looks')
    if len(checked) > 1000:
        raise Refused(f"{shown(value)} is longer than 1000 characters")
    return checked
