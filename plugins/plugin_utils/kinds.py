# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The kinds of value that an inventory holds: each function is the allow-list of one kind.

It takes what YAML gave and returns the value in its one normal form, or raises Refused with what was expected.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from ansible_collections.wsedge.nginx.plugins.plugin_utils.nginx_variables import check_variables
from ansible_collections.wsedge.nginx.plugins.plugin_utils.places import Refused, nearest, shown
from ansible_collections.wsedge.nginx.plugins.plugin_utils.quoting import LONGEST_WORD

T = TypeVar("T")

# A comment, a quotation, the beginning of ${name}, an escaped character, punctuation, a plain word, or what is left.
_WORD = re.compile(r"""#[^\n]*|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|\$\{|\\.|[;{}]|[^\s;{}"'\\$][^\s;{}\\$]*"""
                   r"""|["'$\\]""", re.DOTALL)

# What leads out of a folder, or nowhere.
_DOTS = re.compile(r"/\.\.?(/|$)")

# nginx takes months and years only where it counts in seconds, and it counts the times here in milliseconds.
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_LONGEST = 3650 * _SECONDS["d"]


def text(value: object) -> str:
    """Accept text that is not empty and holds no control character."""
    if not isinstance(value, str):
        raise Refused(f"{shown(value)} is not text")
    if not value:
        raise Refused("an empty text")
    if re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", value):
        raise Refused(f"{shown(value)} holds a line break or another control character")
    if "@generation@" in value:
        raise Refused(f"{shown(value)} holds @generation@, which stands for the name of the configuration itself")
    if re.search(r"[\ud800-\udfff]", value):
        raise Refused(f"{shown(value)} is not valid Unicode")
    return value


def _check_lines(value: str) -> None:
    """Refuse text with other control characters than line breaks and tabs."""
    if re.search(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]", value) or "@generation@" in value:
        raise Refused(f"{shown(value)} holds a control character")


def whole(minimum: int, maximum: int) -> Callable[[object], int]:
    """Make the kind of whole numbers from MINIMUM to MAXIMUM, also written as text of decimal digits."""

    def kind(value: object) -> int:
        if isinstance(value, str) and re.fullmatch(r"[0-9]{1,18}", value, re.ASCII):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not minimum <= value <= maximum:
            raise Refused(f"{shown(value)} is not a whole number from {minimum} to {maximum}")
        return int(value)

    return kind


port = whole(1, 65535)


def boolean(value: object) -> bool:
    """Accept true and false, also written as Ansible's command line does."""
    found = {"true": True, "yes": True, "false": False, "no": False}.get(str(value).lower())
    if found is None:
        raise Refused(f"{shown(value)} is neither true nor false")
    return found


def number_of(*choices: int) -> Callable[[object], int]:
    """Make the kind of numbers that has just the CHOICES."""

    def kind(value: object) -> int:
        number = int(value) if isinstance(value, str) and re.fullmatch(r"[0-9]{3}", value, re.ASCII) else value
        if not isinstance(number, int) or number not in choices:
            raise Refused(f"{shown(value)} is not one of {', '.join(str(choice) for choice in choices)}")
        return number

    return kind


def status(value: object) -> int:
    """Accept the status of an answer: 200 to 599, but none that redirects."""
    number = whole(200, 599)(value)
    if 300 <= number < 400:
        raise Refused(f"{number} redirects; use redirect for that")
    return number


def one_of(*choices: str) -> Callable[[object], str]:
    """Make the kind that has just the CHOICES."""

    def kind(value: object) -> str:
        if value not in choices:
            raise Refused(f"{shown(value)} is not one of {', '.join(choices)}")
        return str(value)

    return kind


def one_name_of(known: Mapping[str, T], what: str) -> Callable[[object], T]:
    """Make the kind of the names in KNOWN, each of WHAT; the value becomes what its name stands for."""

    def kind(value: object) -> T:
        if not isinstance(value, str) or value not in known:
            raise Refused(f"{shown(value)} is not {what}; {nearest(value, known)}")
        return known[value]

    return kind


def name(value: object) -> str:
    """Accept a name for a thing of ours: it becomes part of a file's name and of a name in nginx."""
    checked = text(value)
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}", checked, re.ASCII):
        raise Refused(f"{shown(value)} is not a name: letters, digits, '_', '.' and '-', at most 200, "
                      "the first a letter, a digit or '_'")
    return checked


def package(value: object) -> str:
    """Accept the name of a Debian package (Debian policy 5.6.7)."""
    checked = text(value)
    # apt removes what has a minus sign behind its name.
    if not re.fullmatch(r"[a-z0-9][a-z0-9+.-]*[a-z0-9+.]", checked, re.ASCII):
        raise Refused(f"{shown(value)} is not the name of a Debian package")
    return checked


def repository_url(value: object) -> str:
    """Accept the address of an apt repository, http or https (sources.list(5))."""
    return _url(value, r"https?", "address of a repository", "https://nginx.org/packages/debian")


def _url(value: object, scheme: str, what: str, example: str) -> str:
    checked = text(value)
    found = re.fullmatch(rf"{scheme}://([^/:@\s]+)(:[0-9]{{1,5}})?(/[A-Za-z0-9._~/%+-]*)?", checked, re.ASCII)
    if not found or not _host_name(found[1]):
        raise Refused(f"{shown(value)} is not the {what}; expected one such as {example}")
    return checked


def suite(value: object) -> str:
    """Accept the name of a suite or component of an apt repository (sources.list(5))."""
    checked = text(value)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._/-]*", checked, re.ASCII):
        raise Refused(f"{shown(value)} is not the name of a part of a repository")
    return checked


def public_key(value: object) -> str:
    """Accept an OpenPGP public key in its text form (RFC 9580 6.2)."""
    marks = "-----BEGIN PGP PUBLIC KEY BLOCK-----", "-----END PGP PUBLIC KEY BLOCK-----"
    lines = value.strip().splitlines() if isinstance(value, str) else [""]
    plain = all(line.isascii() and line.isprintable() for line in lines)
    if (lines[:1], lines[-1:]) != ([marks[0]], [marks[1]]) or not plain:
        raise Refused(f"expected the text of a public key, from {marks[0]} to {marks[1]}, and here is {shown(value)}")
    return "\n".join(lines) + "\n"


def pem(value: object) -> str:
    """Accept text in PEM form (RFC 7468), from its first line on; it is never shown. The host checks what it holds."""
    if hasattr(value, "__ENCRYPTED__"):
        value = str(value)  # ansible-core before 2.19 has a class of its own for what a vault holds
    found = re.search(r"^-----BEGIN [A-Z0-9 ]+-----$", value, re.MULTILINE) if isinstance(value, str) else None
    if not isinstance(value, str) or not found:
        raise Refused("this is not the text of a PEM file, with -----BEGIN on a line of its own; the path of a file "
                      "goes to the key without _content")
    checked = value[found.start():].replace("\r\n", "\n").strip() + "\n"
    _check_lines(checked)
    return checked


def certificates(value: object) -> str:
    """Accept certificates in PEM form."""
    checked = pem(value)
    if "PRIVATE KEY" in checked:
        raise Refused("this holds a private key, which goes to certificate_key_content alone")
    return checked


def private_key(value: object) -> str:
    """Accept a private key in PEM form without a password; it is never shown."""
    checked = pem(value)
    if checked.startswith("-----BEGIN ENCRYPTED"):
        raise Refused("this key has a password, which nginx could ask nobody for; take it off with openssl pkey, and "
                      "keep the key in a vault")
    if not re.match(r"-----BEGIN ([A-Z]+ )?PRIVATE KEY-----\n|-----BEGIN EC PARAMETERS-----\n", checked):
        raise Refused(f"this is not a private key, but begins with {checked.splitlines()[0]}")
    return checked


def file(value: object) -> str:
    """Accept the absolute path of a file on the host."""
    checked = folder(value)
    if checked.endswith("/"):
        raise Refused(f"{shown(value)} is a folder; expected the path of a file")
    return checked


def email(value: object) -> str:
    """Accept an address for messages from a CA (RFC 8555 7.3)."""
    checked = text(value)
    local, _at, domain = checked.rpartition("@")
    # One that began with a minus sign would be an option of certbot's.
    is_local = re.fullmatch(r"[A-Za-z0-9._%+][A-Za-z0-9._%+-]{0,63}", local, re.ASCII)
    if not is_local or not _host_name(domain) or "." not in domain:
        raise Refused(f"{shown(value)} is not an address; expected one such as admin@example.com")
    return checked


def directory_url(value: object) -> str:
    """Accept the address of an ACME server's directory (RFC 8555 7.1.1)."""
    return _url(value, "https", "directory of an ACME server", "https://acme-v02.api.letsencrypt.org/directory")


def tls_name(value: object) -> str:
    """Accept the name that a server is asked for and that its certificate has to have (RFC 6066 3)."""
    checked = server_name(value)
    if checked.startswith("*") or is_address(checked):
        raise Refused(f"{shown(value)} is not a host name, and nginx can find nothing else in a certificate")
    return checked


def verify(value: object) -> str:
    """Accept whether a client needs a certificate: ``on`` or ``optional``."""
    if value is True or value == "on":
        return "on"  # as YAML reads the word
    if value != "optional":
        raise Refused(f"{shown(value)} is neither on nor optional; without client_certificate none is asked for")
    return "optional"


def redirect_status(value: object) -> int | bool:
    """Accept the status of a redirect, or false for none."""
    if value is False or value in ("false", "no"):
        return False
    try:
        return number_of(301, 302, 307, 308)(value)
    except Refused as reason:
        raise Refused(f"{reason}, or false for no redirect") from None


def duration(value: object) -> str:
    """Accept a time of nginx's: seconds as a number, or a number with ms, s, m, h, d or w; not zero.

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
        raise Refused(f"{shown(value)} is not a time above zero and up to ten years")
    return f"{number}{unit}"


def duration_or_never(value: object) -> str:
    """Accept a time of nginx's, or 0 where nginx takes that for no limit."""
    return "0" if _is_zero(value) else duration(value)


def _is_zero(value: object) -> bool:
    """Tell whether a value is the whole number 0, which False and 0.0 are equal to."""
    return value == "0" or (type(value) is int and value == 0)


def seconds(value: object) -> str:
    """Accept a time where nginx counts in whole seconds."""
    checked = duration(value)
    if checked.endswith("ms"):
        raise Refused(f"{shown(value)} is not a time in whole seconds, which is what nginx counts in here")
    return checked


def seconds_or_none(value: object) -> str:
    """Accept a time in whole seconds, or 0."""
    return "0s" if _is_zero(value) else seconds(value)


def in_seconds(checked: str) -> int:
    """Return how many seconds a time is that ``seconds`` has accepted."""
    return int(int(checked[:-1]) * _SECONDS[checked[-1]])


def some_of(*choices: str) -> Callable[[object], list[str]]:
    """Make the kind of lists in which each of the CHOICES may stand once."""

    def kind(value: object) -> list[str]:
        if not isinstance(value, list):
            raise Refused(f"{shown(value)} is not a list of any of {', '.join(choices)}")
        for position, item in enumerate(value):
            if item not in choices:
                raise Refused(f"{shown(item)} is not one of {', '.join(choices)}")
            if item in value[:position]:
                raise Refused(f"{shown(item)} is there twice")
        return [str(item) for item in value]

    return kind


def worker_processes(value: object) -> str:
    """Accept a number of worker processes, or ``auto`` for one on each processor."""
    if value == "auto":
        return "auto"
    try:
        return str(whole(1, 1024)(value))
    except Refused:
        raise Refused(f"{shown(value)} is neither auto nor a whole number from 1 to 1024") from None


def _host_name(checked: str) -> bool:
    labels = checked.split(".")
    return len(checked) <= 253 and all(
        re.fullmatch(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?", label, re.ASCII) for label in labels)


def server_name(value: object) -> str:
    """Accept a host name, ``*.`` before one, or an IP address as it stands in a Host header; lower case results.

    Source: https://nginx.org/en/docs/http/server_names.html
    """
    if value == "":
        raise Refused("an empty server name")
    if value == "_":
        raise Refused('"_" is the name of no request; listen with default_server: true answers every name')
    checked = text(value).lower()
    if not checked.isascii():
        try:
            meant = f"; its form on the wire is {shown(checked.encode('idna').decode())}"
        except UnicodeError:
            meant = ""
        raise Refused(f"{shown(value)} is not ASCII{meant}")
    if checked.startswith("[") and checked.endswith("]"):
        return f"[{_address(checked[1:-1], value, 6)}]"
    if not _host_name(checked[2:] if checked.startswith("*.") else checked):
        raise Refused(f"{shown(value)} is not a server name; expected one such as chat.example.com or *.example.com")
    return checked


def _address(given: str, value: object, version: int) -> str:
    try:
        address = ipaddress.ip_address(given)
    except ValueError:
        address = None
    if address is None or address.version != version or getattr(address, "scope_id", None):
        raise Refused(f"{shown(value)} holds no IPv{version} address")
    return str(address)


def is_address(name: str) -> bool:
    """Tell whether a server name is an IP address."""
    return name.startswith("[") or bool(re.fullmatch(r"[0-9.]+", name, re.ASCII))


def address(value: object) -> str:
    """Accept an IP address that a connection can have, IPv6 with or without brackets; it comes back without them."""
    checked = text(value)
    bare = checked[1:-1] if checked.startswith("[") and checked.endswith("]") else checked
    try:
        found = ipaddress.ip_address(_address(bare, value, 6 if ":" in bare else 4))
    except Refused:
        raise Refused(f"{shown(value)} is not an IP address") from None
    if found.is_unspecified or found.is_multicast:
        raise Refused(f"{shown(value)} is no address of a single host")
    return str(found)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def dns_server(value: object) -> str:
    """Accept the address of a DNS server, with a port where it is not 53.

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
    """Accept ``unix:`` with the absolute path of a socket, which the kernel takes up to 107 bytes of (unix(7))."""
    checked = text(value)
    if not re.fullmatch(r"unix:(/[A-Za-z0-9_.@+-]+)+", checked, re.ASCII) or len(checked) > 5 + 107 \
            or _DOTS.search(checked):
        raise Refused(f"{shown(value)} is not the path of a socket: letters, digits and any of _.@+- between slashes, "
                      'at most 107, and no "/./" or "/../"')
    return checked


def listen(value: object) -> tuple[str, int | None]:
    """Accept a port, ``address:port`` or ``unix:/path``.

    Return the address ("" for every one, IPv6 in brackets) and the port, which a unix socket does not have.

    Source: https://nginx.org/en/docs/http/ngx_http_core_module.html#listen
    """
    expected = "a port, address:port or unix:/path, such as 80, 192.0.2.1:80, [2001:db8::1]:80 or unix:/run/edge.sock"
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise Refused(f"{shown(value)} is not {expected}")
    if isinstance(value, str) and " " in value:
        raise Refused(f"{shown(value)} is more than {expected}; what else nginx's listen takes are keys of a mapping, "
                      "and ssl and http2 come with the key tls of the site")
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
        raise Refused(f"{shown(value)} lies in a folder of the role's own, which only root can enter")
    return checked


def listen_address(value: object) -> str:
    """Accept the address of a listening socket as ``listen`` gives it: ``*`` or IPv4, IPv6 in brackets, a socket."""
    if isinstance(value, str) and value.startswith("unix:"):
        return _listening_socket(value)
    bare = value[1:-1] if isinstance(value, str) and value.startswith("[") else value
    host = f"[{bare}]" if isinstance(bare, str) and ":" in bare else value
    try:
        return listen(f"{host}:1")[0]
    except Refused:
        raise Refused(f"{shown(value)} is neither an IP address nor unix:/path") from None


def network(value: object) -> str:
    """Accept an IP address, a network of them in CIDR form, or ``unix:`` for all that come through a unix socket.

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
        raise Refused(f"{shown(value)} is the address of one link alone")
    return str(found.network_address) if found.num_addresses == 1 else str(found)


def so_keepalive(value: object) -> str:
    """Accept whether TCP keepalive is on, or its times: idle:interval:count. Source: https://nginx.org/r/listen."""
    if isinstance(value, bool):
        return "on" if value else "off"
    time = r"([1-9][0-9]{0,4}[smh]?)?"
    if isinstance(value, str) and re.fullmatch(rf"{time}:{time}:([1-9][0-9]?)?", value, re.ASCII) and value != "::":
        return value
    raise Refused(f"{shown(value)} is neither true nor false, nor times in quotation marks such as '30m::10'")


def free_text(value: object) -> str:
    """Accept nginx's own configuration language: whole directives, as many blocks closed as opened.

    What they mean is left to nginx's test. Source: ngx_conf_read_token in ngx_conf_file.c
    """
    if not isinstance(value, str):
        raise Refused(f"{shown(value)} is not text")
    _check_lines(value)
    depth, complete = 0, True
    for word in _WORD.findall(value):
        if word.startswith("#") and complete:
            continue
        if word in ('"', "'"):
            raise Refused(f"{shown(value)} has a quotation mark that is not closed")
        depth += {"{": 1, "}": -1, "${": 1}.get(word, 0)
        if depth < 0:
            raise Refused(f'{shown(value)} has a "}}" too many')
        complete = word in (";", "{", "}")
    if depth or not complete:
        raise Refused(f"{shown(value)} ends in the middle of a {'block' if depth else 'directive'}")
    return value.rstrip("\n")


def takes_underscores(text: object) -> bool:
    """Tell whether a free_text may have nginx take underscores in the names of headers."""
    return isinstance(text, str) and re.search(r"""\bunderscores_in_headers\s+["']?on\b""", text) is not None


def outer_directives(text: str) -> Iterator[list[str]]:
    """Give the directives of a free_text that stand outside of any block, each as its words."""
    opened: list[str] = []
    words: list[str] = []
    for word in _WORD.findall(text):
        if word.startswith("#"):
            continue
        if word in ("{", "${"):
            opened.append(word)
        ends = word in (";", "{") or (word == "}" and opened.pop() == "{")
        if not ends:
            words.append(word.strip("\"'"))
            continue
        if word == ";" and words and not opened:
            yield words
        words = []


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
    if not _host_name(host):
        raise Refused(f"{shown(value)} is not {expected}")
    return f"{host.lower()}:{number}"


def address_with(number: int | None) -> Callable[[object], str]:
    """Make the kind of server addresses to which NUMBER, a port, is added where they have none.

    The result is empty where there is no port at all.
    """

    def kind(value: object) -> str:
        checked = text(value)
        try:
            host = _bracketed(address(checked))
        except Refused:
            if ":" in checked:
                return server_address(checked)
            if not _host_name(checked) or re.fullmatch(r"[0-9.]+", checked, re.ASCII):
                raise Refused(f"{shown(value)} is neither an IP address nor a host name") from None
            host = checked.lower()
        return f"{host}:{number}" if number else ""

    return kind


def hash_key(value: object) -> str:
    """Accept what a server is chosen by: text with at least one variable of nginx.

    Source: https://nginx.org/en/docs/http/ngx_http_upstream_module.html#hash
    """
    checked = header_value(value)
    if "$" not in checked:
        raise Refused(f"{shown(value)} names no variable, so that every client would go to one server; "
                      "expected one such as $remote_addr, $arg_room or $cookie_session")
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
    if not _host_name(checked.removeprefix(".")):
        raise Refused(f"{shown(value)} is not a domain; expected one such as example.com")
    return checked


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


def body_size(value: object) -> str:
    """Accept the largest size of a body, up to 1 TiB; 0 for any."""
    return _size(value, "kmg", 0, 1 << 40)


# The name and port that a client asked for.
HOST = "$websocket_proxy_host"


def host_header(value: object) -> str:
    """Accept what the backend gets as Host: HOST, ``$host``, ``$http_host``, or a name, with a port or without."""
    if value in (HOST, "$host", "$http_host"):
        return str(value)
    checked = text(value)
    name, colon, number = checked.rpartition(":") if re.search(r":[0-9]+$", checked, re.ASCII) else (checked, "", "")
    try:
        return f"{server_name(name)}{colon}{port(number) if colon else ''}"
    except Refused:
        raise Refused(f"{shown(value)} is neither $host nor $http_host nor {HOST}, nor a name with a port or "
                      "without") from None


def regular_expression(value: object) -> str:
    """Accept text that nginx is to read as a regular expression; whether it is one, nginx itself tests."""
    checked = text(value)
    if len(checked.encode()) > 1000:
        raise Refused(f"{shown(value)} is longer than 1000 bytes")
    return checked


def folder(value: object) -> str:
    """Accept the absolute path of a folder or file on the host."""
    checked = text(value)
    if not checked.startswith("/") and len(checked) > 40:
        raise Refused("this is not an absolute path, and may be a secret, so it is not shown")
    if not re.fullmatch(r"(/[A-Za-z0-9_.@+-]+)+/?", checked, re.ASCII) or _DOTS.search(checked):
        raise Refused(f"{shown(value)} is not an absolute path: letters, digits and any of _.@+- between slashes")
    if len(checked) > 1000:
        raise Refused(f"{shown(value)} is longer than 1000 characters")
    return checked


def try_files(value: object) -> list[str]:
    """Accept what to look for, in order: ``$uri``, ``$uri/`` and paths; the last one is a path or ``=404``.

    Source: https://nginx.org/en/docs/http/ngx_http_core_module.html#try_files
    """
    expected = "expected a list such as [$uri, $uri/, /index.html] or [$uri, =404]"
    if not isinstance(value, list) or len(value) < 2:
        raise Refused(f"{shown(value)} is not what to look for; {expected}")
    for position, item in enumerate(value):
        last = position == len(value) - 1
        code = last and isinstance(item, str) and re.fullmatch(r"=[1-5][0-9][0-9]", item, re.ASCII)
        file = isinstance(item, str) and ".." not in item and re.fullmatch(
            r"/[A-Za-z0-9_./-]{0,500}" if last else r"(\$uri(?![A-Za-z0-9_])|/)[A-Za-z0-9_./-]{0,500}", item, re.ASCII)
        if not code and not file:
            raise Refused(f"{shown(item)} is {'no path or =404 to end with' if last else 'neither $uri nor a path'}; "
                          f"{expected}")
    return [str(item) for item in value]


def expires(value: object) -> str:
    """Accept how long a browser may keep an answer. Source: https://nginx.org/r/expires."""
    if value is False:
        return "off"  # as YAML reads the word
    return str(value) if value in ("epoch", "max", "off") else seconds(value)


def redirect_to(value: object) -> str:
    """Accept the place to redirect to: a path or a URL, in which ``$name`` is a variable; arguments are added to it."""
    checked = _without_breaks(header_value(value), value)
    if not re.match(r"/(?![/$\\])|https?://[^/]", checked) or "#" in checked:
        raise Refused(f'{shown(value)} is neither a path that begins with "/" and plain text nor a URL that begins '
                      "with http:// or https://, without a fragment")
    has_arguments = re.search(r"[?]|\$\{?(request_uri|args|is_args|query_string)\b", checked)
    return checked if has_arguments else f"{checked}$is_args$args"


def body(value: object) -> str:
    """Accept the text of an answer, literally: a ``$`` is a ``$``."""
    if not isinstance(value, str):
        raise Refused(f"{shown(value)} is not text; put it in quotation marks")
    _check_lines(value)
    checked = value.replace("$", "${websocket_proxy_dollar}")
    if len(checked.encode()) + len(re.findall(r'["\\\n\t]', checked)) > LONGEST_WORD - 2:
        raise Refused(f"{shown(value)} is longer than a word of nginx's language may be; serve a file with root")
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
    """Accept ``default``, ``off``, or a mapping of what Location begins with to what it is to begin with."""
    if value in ("default", "off") or value is False:
        return [] if value == "default" else [["off"]]
    if not isinstance(value, Mapping) or not value:
        raise Refused(f"{shown(value)} is neither default nor off, nor a mapping of beginnings of Location")
    for start in value:
        if not isinstance(start, str) or start.startswith("~") or start in ("default", "off"):
            raise Refused(f"{shown(start)} is not the beginning of a Location header")
    if not all(isinstance(to, str) and to for to in value.values()):
        raise Refused(f"{shown(value)} has a beginning of Location without anything in its place")
    return [[header_value(start), sent_header(to)] for start, to in value.items()]


def log_file(value: object) -> str:
    """Accept the path of a log, or ``off``, which YAML reads as false."""
    return "off" if value is False or value == "off" else file(value)


def path(value: object) -> str:
    """Accept the path of a prefix location, as nginx sees a request's: decoded, no ``//``, no ``..``.

    Source: https://nginx.org/en/docs/http/ngx_http_core_module.html#location
    """
    checked = text(value)
    if not checked.startswith("/"):
        hint = "; a regular expression needs match: regex" if checked[0] in "^~" else ""
        raise Refused(f'{shown(value)} does not begin with "/"{hint}')
    strange = re.search(r"[^A-Za-z0-9._~!&'()*+,=:@/-]", checked, re.ASCII)
    if strange:
        why = "; nginx compares paths after decoding" if strange[0] == "%" else ""
        raise Refused(f"{shown(value)} has {shown(strange[0])}, which has no place in a path{why}")
    if "//" in checked or _DOTS.search(checked):
        raise Refused(f'{shown(value)} can match no request: nginx removes "//", "/./" and "/../" before it looks')
    if len(checked) > 1000:
        raise Refused(f"{shown(value)} is longer than 1000 characters")
    return checked


def header_name(value: object) -> str:
    """Accept the name of a header: the plain part of what RFC 9110 5.1 calls a token."""
    checked = text(value)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}", checked, re.ASCII):
        raise Refused(f"{shown(value)} is not the name of a header: letters, digits, '-', '_' and '.', at most 100")
    return checked


def header_value(value: object) -> str:
    """Accept the value of a header: printable ASCII (RFC 9110 5.5), in which ``$name`` is a variable of nginx."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise Refused(f"{shown(value)} is not text; put it in quotation marks")
    if value == "":
        raise Refused("an empty text; null removes the header")
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
    """Refuse variables in which nginx has decoded what a client sent, and which can hold a line break therefore."""
    broken = (r"\$\{?(uri|document_uri|request_filename|request_body|remote_user|ssl_server_name|ssl_client_raw_cert)"
              r"(?![A-Za-z0-9_])")
    found = re.search(broken, checked, re.IGNORECASE)
    if found:
        raise Refused(f"{shown(value)}: ${found[1]} can hold a line break, with which a client would add headers of "
                      "its own; use $request_uri for the path as the client sent it")
    return checked


def sent_header(value: object) -> str:
    """Accept the value of a header that is sent on: as ``header_value``, and no variable can break the line."""
    return _without_breaks(header_value(value), value)
