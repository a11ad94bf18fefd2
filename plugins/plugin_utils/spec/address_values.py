# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Validators of host names, IP addresses and sockets."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable

from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.inventory_path import Refused, shown
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.number_values import port
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.path_values import DOTS
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.text_values import text


def url(value: object, scheme: str, what: str, example: str) -> str:
    checked = text(value)
    found = re.fullmatch(rf"{scheme}://([^/:@\s]+)(:[0-9]{{1,5}})?(/[A-Za-z0-9._~/%+-]*)?", checked, re.ASCII)
    if not found or not is_host_name(found[1]):
        raise Refused(f"{shown(value)} is not the {what}; expected one such as {example}")
    return checked


def is_host_name(checked: str) -> bool:
    labels = checked.split(".")
    return len(checked) <= 253 and all(
        re.fullmatch(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?", label, re.ASCII) for label in labels)


def server_name(value: object) -> str:
    """Accept a host name, also with ``*.`` in front, or an IP address as in a Host header; return it in lower case.

    Source: https://nginx.org/en/docs/http/server_names.html
    """
    if value == "":
        raise Refused("an empty server name")
    if value == "_":
        raise Refused('"_" matches no request; to answer every name, listen with default_server: true')
    checked = text(value).lower()
    if not checked.isascii():
        try:
            meant = f"; its ASCII form is {shown(checked.encode('idna').decode())}"
        except UnicodeError:
            meant = ""
        raise Refused(f"{shown(value)} is not ASCII{meant}")
    if checked.startswith("[") and checked.endswith("]"):
        return f"[{_address(checked[1:-1], value, 6)}]"
    if not is_host_name(checked[2:] if checked.startswith("*.") else checked):
        raise Refused(f"{shown(value)} is not a server name; expected one such as chat.example.com or *.example.com")
    return checked


def _address(given: str, value: object, version: int) -> str:
    try:
        address = ipaddress.ip_address(given)
    except ValueError:
        address = None
    if address is None or address.version != version or getattr(address, "scope_id", None):
        raise Refused(f"{shown(value)} contains no IPv{version} address")
    return str(address)


def is_address(name: str) -> bool:
    """Return whether a server name is an IP address."""
    return name.startswith("[") or bool(re.fullmatch(r"[0-9.]+", name, re.ASCII))


def address(value: object) -> str:
    """Accept an IP address of a single host, IPv6 with or without brackets; return it without brackets."""
    checked = text(value)
    bare = checked[1:-1] if checked.startswith("[") and checked.endswith("]") else checked
    try:
        found = ipaddress.ip_address(_address(bare, value, 6 if ":" in bare else 4))
    except Refused:
        raise Refused(f"{shown(value)} is not an IP address") from None
    if found.is_unspecified or found.is_multicast:
        raise Refused(f"{shown(value)} is not the address of a single host")
    return str(found)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def dns_server(value: object) -> str:
    """Accept the address of a DNS server, with a port if it is not 53.

    Source: https://nginx.org/en/docs/http/ngx_http_core_module.html#resolver
    """
    try:
        return _bracketed(address(value))
    except Refused:
        pass
    try:
        host, number = _host_and_port(value, "")
        return f"{_bracketed(address(host))}:{number}"
    except Refused:
        raise Refused(f"{shown(value)} is not the address of a DNS server; expected one such as 10.0.0.53, "
                      "127.0.0.1:5353 or 2001:db8::53") from None


def _host_and_port(value: object, expected: str) -> tuple[str, int]:
    checked = text(value)
    found = re.fullmatch(r"(\[[^\[\]]*\]|[^:\[\]]*):([0-9]*)", checked, re.ASCII)
    if not found:
        raise Refused(f"{shown(value)} is not {expected}")
    try:
        return found[1], port(found[2])
    except Refused:
        raise Refused(f"{shown(value)}: {shown(found[2])} is not a port from 1 to 65535") from None


def unix_socket(value: object) -> str:
    """Accept ``unix:`` with the absolute path of a socket; the kernel accepts paths of up to 107 bytes (unix(7))."""
    checked = text(value)
    if not re.fullmatch(r"unix:(/[A-Za-z0-9_.@+-]+)+", checked, re.ASCII) or len(checked) > 5 + 107 \
            or DOTS.search(checked):
        raise Refused(f"{shown(value)} is not the path of a socket: letters, digits and any of _.@+- between slashes, "
                      'at most 107, and no "/./" or "/../"')
    return checked


def listen(value: object) -> tuple[str, int | None]:
    """Accept a port, ``address:port`` or ``unix:/path``.

    Return the address ("" for all addresses, IPv6 in brackets) and the port, which a unix socket does not have.

    Source: https://nginx.org/en/docs/http/ngx_http_core_module.html#listen
    """
    expected = "a port, address:port or unix:/path, such as 80, 192.0.2.1:80, [2001:db8::1]:80 or unix:/run/edge.sock"
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise Refused(f"{shown(value)} is not {expected}")
    if isinstance(value, str) and " " in value:
        raise Refused(f"{shown(value)} has more than {expected}; use a mapping for other parameters of listen, and the "
                      "site's key tls for ssl and http2")
    if isinstance(value, int) or ":" not in value:
        return "", port(value)
    if value.startswith("unix:"):
        return _listening_socket(value), None
    host, number = _host_and_port(value, expected)
    if host == "*":
        return "0.0.0.0", number
    if host.startswith("["):
        return f"[{_address(host[1:-1], value, 6)}]", number
    try:
        return _address(host, value, 4), number
    except Refused:
        raise Refused(f"{shown(value)} is not {expected}") from None


def _listening_socket(value: str) -> str:
    checked = unix_socket(value)
    if checked.startswith("unix:/run/websocket_proxy/"):
        raise Refused(f"{shown(value)} is in a folder of the role, which only root can enter")
    return checked


def listen_address(value: object) -> str:
    """Accept an address to listen on: ``*``, IPv4, IPv6 or a unix socket; return it as ``listen`` does."""
    if isinstance(value, str) and value.startswith("unix:"):
        return _listening_socket(value)
    bare = value[1:-1] if isinstance(value, str) and value.startswith("[") else value
    host = f"[{bare}]" if isinstance(bare, str) and ":" in bare else value
    try:
        return listen(f"{host}:1")[0]
    except Refused:
        raise Refused(f"{shown(value)} is neither an IP address nor unix:/path") from None


def network(value: object) -> str:
    """Accept an IP address, a network in CIDR form, or ``unix:`` for all clients of a unix socket.

    Source: https://nginx.org/en/docs/http/ngx_http_realip_module.html#set_real_ip_from
    """
    checked = text(value)
    if checked == "unix:":
        return checked
    try:
        found = ipaddress.ip_network(checked)
    except ValueError:
        try:
            meant = f"; did you mean {ipaddress.ip_network(checked, strict=False)}?"
        except ValueError:
            meant = "; expected one such as 10.0.0.5, 10.0.0.0/8 or 2001:db8::/32, or unix:"
        raise Refused(f"{shown(value)} is neither an IP address nor a network{meant}") from None
    if getattr(found.network_address, "scope_id", None):
        raise Refused(f"{shown(value)} is valid on one link only")
    return str(found.network_address) if found.num_addresses == 1 else str(found)


NO_OPTION = "none"


def so_keepalive(value: object) -> str:
    """Accept true or false for TCP keepalive, its times as idle:interval:count, or none if another file sets it.

    Source: https://nginx.org/r/listen
    """
    if value == NO_OPTION:
        return NO_OPTION
    if isinstance(value, bool):
        return "on" if value else "off"
    time = r"([1-9][0-9]{0,4}[smh]?)?"
    if isinstance(value, str) and re.fullmatch(rf"{time}:{time}:([1-9][0-9]?)?", value, re.ASCII) and value != "::":
        return value
    raise Refused(f"{shown(value)} is neither true nor false, nor times in quotation marks such as '30m::10'")


def server_address(value: object) -> str:
    """Accept the address of an upstream's server: ``host:port``, ``[IPv6]:port`` or ``unix:/path``.

    Source: https://nginx.org/en/docs/http/ngx_http_upstream_module.html#server
    """
    expected = "the address of a server; expected host:port or unix:/path, such as 10.0.0.1:3000"
    if not isinstance(value, str):
        raise Refused(f"{shown(value)} is not {expected}")
    checked = text(value)
    if checked.startswith("unix:"):
        return unix_socket(checked)
    host, number = _host_and_port(value, expected)
    if host.startswith("["):
        return f"[{_address(host[1:-1], value, 6)}]:{number}"
    if re.fullmatch(r"[0-9.]+", host, re.ASCII):
        return f"{_address(host, value, 4)}:{number}"
    if not is_host_name(host):
        raise Refused(f"{shown(value)} is not {expected}")
    return f"{host.lower()}:{number}"


def address_with(number: int | None) -> Callable[[object], str]:
    """Make a validator of server addresses that adds the port NUMBER to those without one.

    The result is empty if there is no port at all.
    """

    def validator(value: object) -> str:
        checked = text(value)
        try:
            host = _bracketed(address(checked))
        except Refused:
            if ":" in checked:
                return server_address(checked)
            if not is_host_name(checked) or re.fullmatch(r"[0-9.]+", checked, re.ASCII):
                raise Refused(f"{shown(value)} is neither an IP address nor a host name") from None
            host = checked.lower()
        return f"{host}:{number}" if number else ""

    return validator
