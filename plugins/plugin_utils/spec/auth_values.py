# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Validators of access control: networks, users and hashes of their passwords."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec import address_values, header_values
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.inventory_path import Refused, shown
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.text_values import check_lines, text

_SALT = "[./A-Za-z0-9]"
# The hashes that crypt(3) of Debian 11 and newer supports, and Apache's own, which nginx itself supports.
_HASH = re.compile(
    rf"\$(?:6\$(?:rounds=(?P<six>[0-9]{{4,9}})\$)?{_SALT}{{1,16}}\${_SALT}{{86}}"
    rf"|5\$(?:rounds=(?P<five>[0-9]{{4,9}})\$)?{_SALT}{{1,16}}\${_SALT}{{43}}"
    rf"|2[aby]\$(?P<bcrypt>[0-9]{{2}})\${_SALT}{{53}}|y\$j(?P<yescrypt>{_SALT}){_SALT}+\${_SALT}{{1,86}}\${_SALT}{{43}}"
    rf"|apr1\${_SALT}{{1,8}}\${_SALT}{{22}})", re.ASCII)
_MOST_ROUNDS, _MOST_BCRYPT = 20000, 10


def networks(value: object) -> list[str]:
    """Accept a list of addresses and networks, ``unix:``, and ``all``.

    Source: https://nginx.org/en/docs/http/ngx_http_access_module.html
    """
    if isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
        raise Refused(f"{shown(value)} is not a list of addresses and networks, such as [10.0.0.0/8]")
    found = [one if one == "all" else address_values.network(one) for one in value]
    twice = next((one for one in found if found.count(one) > 1), None)
    if twice:
        raise Refused(f"{shown(twice)} is listed twice")
    return found


def trusted_networks(value: object) -> list[str]:
    """Accept a list of addresses and networks; return it for geo, to which clients of a unix socket have no address."""
    found = networks(value)
    if "all" in found:
        raise Refused("this exempts every client; for no limits, set limits: false")
    # ngx_http_geo_module.c: INADDR_NONE
    return ["255.255.255.255" if one == "unix:" else one for one in found]


def user(value: object) -> str:
    """Accept the name of a user in a password file: printable ASCII, without a colon."""
    checked = text(value)
    if not checked.isascii() or ":" in checked or checked.startswith("#") or checked != checked.strip():
        raise Refused(f"{shown(value)} is not a user name: printable ASCII without a colon, not beginning with #")
    return checked


def password_hash(value: object) -> str:
    """Accept the hash of a password; a plain password is neither accepted nor shown.

    Source: crypt(5), https://nginx.org/en/docs/http/ngx_http_auth_basic_module.html
    """
    if not isinstance(value, str) or not _HASH.fullmatch(value):
        raise Refused("this is not a password hash that every nginx accepts; make one with: openssl passwd -6")
    return str(value)


def is_slow(checked: str) -> bool:
    """Return whether a hash keeps a worker busy for so long that others wait; nginx computes it for each request."""
    found = _HASH.fullmatch(checked)
    if found and found["yescrypt"] and found["yescrypt"] not in "./0123456789A":
        return True
    rounds = int((found and (found["six"] or found["five"])) or 0)
    return rounds > _MOST_ROUNDS or int((found and found["bcrypt"]) or 0) > _MOST_BCRYPT


def realm(value: object) -> str:
    """Accept the text that a browser shows when it asks for a password: printable, without variables and quotes."""
    checked = text(value)
    check_lines(checked)
    if not checked.isascii() or re.search(r'["\\$]', checked):
        raise Refused(f"{shown(value)} is not a realm: printable ASCII without quotation marks, \"\\\" and \"$\"")
    return checked


# The authentication server itself sends the address of the login page in Location.
ANSWER = "answer"


def login(value: object) -> str:
    """Accept ``answer``, or the URL of a login page, in which ``$name`` is a variable of nginx.

    A path is refused: nginx would send the page itself instead of a redirect.
    """
    if value == ANSWER:
        return ANSWER
    checked = header_values.sent_header(value)
    if not re.match(r"https?://[^/]", checked) or "#" in checked:
        raise Refused(f'{shown(value)} is neither "answer" nor a URL, such as https://$host/login')
    return checked
