# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Validators of headers, cookies and nginx's own answers."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ansible_collections.wsedge.nginx.plugins.module_utils.language import LONGEST_WORD
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.address_values import is_host_name, server_name
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.inventory_path import Refused, shown
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.nginx_variables import (
    check_variables,
    may_be_in_path,
    unsendable,
    used,
)
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.number_values import port
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.path_values import path
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.text_values import check_lines, text


def hash_key(value: object) -> str:
    """Accept the key of a hash or of a limit: text with at least one variable of nginx.

    Source: https://nginx.org/en/docs/http/ngx_http_upstream_module.html#hash
    """
    checked = header_value(value)
    if "$" not in checked:
        raise Refused(f"{shown(value)} contains no variable, so every client would go to one server; expected one such "
                      "as $remote_addr, $arg_room or $cookie_session")
    return checked


def probe_path(value: object) -> str:
    """Accept a path with arguments in the form of a request line: encoded, in ASCII."""
    checked = text(value)
    if not re.fullmatch(r"/[!-~]*", checked, re.ASCII) or "#" in checked:
        raise Refused(f'{shown(value)} is not a path as a client sends it; expected one such as "/socket?room=1"')
    return checked


def cookie_name(value: object) -> str:
    """Accept the name of a cookie that nginx can read as ``$cookie_NAME``."""
    checked = text(value)
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,39}", checked, re.ASCII):
        raise Refused(f"{shown(value)} is not the name of a cookie that nginx can read: letters, digits and '_', "
                      "at most 40, the first a letter")
    return checked


def cookie_domain(value: object) -> str:
    """Accept the Domain attribute of a cookie (RFC 6265 5.2.3)."""
    checked = text(value).lower()
    if not is_host_name(checked.removeprefix(".")):
        raise Refused(f"{shown(value)} is not a domain; expected one such as example.com")
    return checked


# The name and port that a client requested.
HOST = "$websocket_proxy_host"


def host_header(value: object) -> str:
    """Accept the Host header for a backend: HOST, ``$host``, ``$http_host``, or a name with or without a port."""
    if value in (HOST, "$host", "$http_host"):
        return str(value)
    checked = text(value)
    name, colon, number = checked.rpartition(":") if re.search(r":[0-9]+$", checked, re.ASCII) else (checked, "", "")
    try:
        return f"{server_name(name)}{colon}{port(number) if colon else ''}"
    except Refused:
        raise Refused(f"{shown(value)} is neither $host nor $http_host nor {HOST}, nor a name with a port or "
                      "without") from None


def redirect_to(value: object) -> str:
    """Accept the target of a redirect: a path or a URL, in which ``$name`` is a variable of nginx.

    The arguments of the request are added unless the target has its own.
    """
    checked = _without_breaks(header_value(value), value)
    if not re.match(r"/(?![/$\\])|https?://[^/]", checked) or "#" in checked:
        raise Refused(f"{shown(value)} is not a target; expected a path such as /new, or a URL such as "
                      'https://example.com/, without "#"; a path cannot begin with "//" or "/$"')
    has_arguments = re.search(r"[?]|\$\{?(request_uri|args|is_args|query_string)\b", checked)
    return checked if has_arguments else f"{checked}$is_args$args"


def rewrite_to(value: object) -> str:
    """Accept the path that a backend gets, in which ``$name`` is a variable of nginx.

    nginx sends the values of variables as they are, so one that can hold a space or a line break is refused.
    """
    checked = _without_breaks(header_value(value), value)
    spaced = next((name for name in used(checked) if not may_be_in_path(name)), None)
    if spaced:
        raise Refused(f"{shown(value)}: ${spaced} can hold a space, which ends the path in a request; use a map in "
                      "websocket_proxy_extra_config that lists the allowed values")
    if not checked.startswith("/"):
        raise Refused(f'{shown(value)} does not begin with "/"')
    path(re.sub(r"\$(?:\{\w+\}|\w+)", "x", checked))
    return checked


def body(value: object) -> str:
    """Accept the literal text of an answer: a ``$`` stays a ``$``."""
    if not isinstance(value, str):
        raise Refused(f"{shown(value)} is not text; put it in quotation marks")
    check_lines(value)
    checked = value.replace("$", "${websocket_proxy_dollar}")
    if len(checked.encode()) + len(re.findall(r'["\\\n\t]', checked)) > LONGEST_WORD - 2:
        raise Refused(f"{shown(value)} is longer than nginx accepts as one parameter; serve a file with root instead")
    return checked


def content_type(value: object) -> str:
    """Accept a media type, with parameters or without (RFC 9110 8.3.1)."""
    checked = text(value)
    token = r"[A-Za-z0-9!#&^_.+-]+"
    parameter = rf"{token}=({token}|\"{token}\")"
    if len(checked) > 200 or not re.fullmatch(rf"{token}/{token}(; *{parameter})*", checked, re.ASCII):
        raise Refused(f"{shown(value)} is not a media type; expected one such as text/plain; charset=utf-8")
    return checked


def proxy_redirect(value: object) -> list[list[str]]:
    """Accept ``default``, ``off``, or a mapping of prefixes of Location to their replacements."""
    if value in ("default", "off") or value is False:
        return [] if value == "default" else [["off"]]
    if not isinstance(value, Mapping) or not value:
        raise Refused(f"{shown(value)} is not default, off or a mapping of Location prefixes to their replacements")
    for start in value:
        if not isinstance(start, str) or start.startswith("~") or start in ("default", "off"):
            raise Refused(f"{shown(start)} is not a prefix of a Location header")
    if not all(isinstance(to, str) and to for to in value.values()):
        raise Refused(f"{shown(value)} has a prefix without a replacement")
    return [[header_value(start), sent_header(to)] for start, to in value.items()]


def header_name(value: object) -> str:
    """Accept the name of a header: a subset of the tokens of RFC 9110 5.1."""
    checked = text(value)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}", checked, re.ASCII):
        raise Refused(f"{shown(value)} is not the name of a header: letters, digits, '-', '_' and '.', at most 100")
    return checked


def is_header_name(value: str) -> bool:
    """Return whether a text is the name of a header."""
    try:
        return bool(header_name(value))
    except Refused:
        return False


def header_value(value: object) -> str:
    """Accept the value of a header: printable ASCII (RFC 9110 5.5), in which ``$name`` is a variable of nginx."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise Refused(f"{shown(value)} is not text; put it in quotation marks")
    if value == "":
        raise Refused("the text is empty; use null to remove the header")
    checked = text(value)
    if not checked.isascii():
        raise Refused(f"{shown(value)} is not ASCII")
    if checked != checked.strip():
        raise Refused(f"{shown(value)} begins or ends with a space")
    if len(checked) > 1900:
        raise Refused(f"{shown(value)} is longer than 1900 characters")
    check_variables(checked)
    return checked


def _without_breaks(checked: str, value: object) -> str:
    """Refuse variables that can contain a line break, because nginx has decoded what a client sent."""
    found = re.search(rf"\$\{{?({'|'.join(unsendable())})(?![A-Za-z0-9_])", checked, re.IGNORECASE)
    if found:
        raise Refused(f"{shown(value)}: ${found[1]} can hold a line break, with which a client could add headers; use "
                      "$request_uri for the path as the client sent it")
    return checked


def sent_header(value: object) -> str:
    """Accept the value of a header that is sent on: as ``header_value``, but no variable may break the line."""
    return _without_breaks(header_value(value), value)
