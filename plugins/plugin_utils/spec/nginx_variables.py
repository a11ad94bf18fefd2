# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Variables that a value may use: those of every nginx since 1.18 as Debian builds it, our own, and the inventory's.

Source: https://nginx.org/en/docs/varindex.html, for the http modules that are built into Debian's ``nginx`` package.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.inventory_path import Refused, nearest, shown
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.own_variables import DECODED

NAMES = frozenset(
    """
    args binary_remote_addr body_bytes_sent bytes_sent connection connection_requests content_length content_type
    document_root document_uri gzip_ratio host hostname http2 https is_args limit_rate msec nginx_version pid pipe
    proxy_add_x_forwarded_for proxy_host proxy_port proxy_protocol_addr proxy_protocol_port
    proxy_protocol_server_addr proxy_protocol_server_port query_string realip_remote_addr realip_remote_port
    realpath_root remote_addr remote_port remote_user request request_body request_body_file request_completion
    request_filename request_id request_length request_method request_time request_uri scheme server_addr
    server_name server_port server_protocol ssl_cipher ssl_ciphers ssl_client_escaped_cert ssl_client_fingerprint
    ssl_client_i_dn ssl_client_raw_cert ssl_client_s_dn ssl_client_serial ssl_client_v_end ssl_client_v_remain
    ssl_client_v_start ssl_client_verify ssl_curves ssl_early_data ssl_protocol ssl_server_name ssl_session_id
    ssl_session_reused status tcpinfo_rcv_space tcpinfo_rtt tcpinfo_rttvar tcpinfo_snd_cwnd time_iso8601
    time_local upstream_addr upstream_bytes_received upstream_bytes_sent upstream_connect_time
    upstream_header_time upstream_response_length upstream_response_time upstream_status uri
    websocket_proxy_upgrade websocket_proxy_connection websocket_proxy_host
    """.split()
)
PREFIXES = ("arg_", "cookie_", "http_", "sent_http_", "sent_trailer_", "upstream_cookie_", "upstream_http_",
            "upstream_trailer_")

# Variables whose values contain no space.
_IN_PATHS = frozenset("""
    args connection connection_requests host hostname https is_args msec pid query_string realip_remote_addr
    realip_remote_port remote_addr remote_port request_id request_method request_uri scheme server_addr server_name
    server_port websocket_proxy_host
    """.split())

_DOLLAR = re.compile(r"\$(?:\{([A-Za-z0-9_]+)\}|([A-Za-z0-9_]+)|)", re.ASCII)


# The variables that the inventory defines, each with whether it can be sent.
_DEFINED: ContextVar[Mapping[str, bool]] = ContextVar("defined")


@contextmanager
def knowing(defined: Mapping[str, bool]) -> Iterator[None]:
    """Let values use the variables that the inventory has DEFINED, until the context ends."""
    token = _DEFINED.set(defined)
    try:
        yield
    finally:
        _DEFINED.reset(token)


def unsendable() -> list[str]:
    """Return the variables with which a client could put a line break into a header."""
    return [*DECODED, *(name for name, sendable in _DEFINED.get({}).items() if not sendable)]


def used(text: str) -> list[str]:
    """Return the names of the variables in TEXT."""
    return [(found[1] or found[2] or "").lower() for found in _DOLLAR.finditer(text)]


def may_be_in_path(name: str) -> bool:
    """Return whether a variable may be part of a path: it contains no space, or the inventory itself defines it."""
    return name in _IN_PATHS or name.startswith("arg_") or name in _DEFINED.get({})


def check_variables(text: str) -> None:
    """Refuse TEXT if a ``$`` in it does not begin a variable of nginx, of the role, or of the inventory."""
    defined = _DEFINED.get({})
    for name in used(text):
        if not name:
            raise Refused(f'{shown(text)} has a "$" without the name of a variable; nginx cannot send a literal "$"')
        known = {*NAMES, *defined}
        if name not in known and not any(name.startswith(prefix) and name != prefix for prefix in PREFIXES):
            meant = nearest(name, known)
            hint = f"; {meant}" if meant.startswith("did") else ""
            raise Refused(f'{shown(text)}: "${name}" is not a variable of nginx{hint}')
