# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A probe, which opens a WebSocket as a client does (RFC 6455) and checks that the other end answers."""

from __future__ import annotations

import base64
import hashlib
import os
import socket
import ssl
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

# RFC 6455 1.3
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
# RFC 6455 5.2
_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG = 0, 1, 2, 8, 9, 10
_LARGEST = 1 << 20
# X509_V_FLAG_PARTIAL_CHAIN: a trusted certificate need not be a root. Python has a name for it since 3.10.
_PARTIAL_CHAIN = 0x80000

# The likely causes of an answer other than 101. _OWN_CAUSES takes precedence for a page of nginx itself.
_CAUSES = {
    301: "the server redirects, and a handshake does not follow redirects; use the address in Location",
    400: "the path or a header is refused, such as a Host that the application does not know",
    401: "a login is required",
    403: "the handshake is refused, often because of Origin: add this name to the application's allowed origins",
    404: "the application has nothing at this path",
    405: "the application accepts no handshake at this path",
    421: "the host name is not one of the site that has this certificate",
    426: "a proxy on the way removed the Upgrade header",
    429: "there are too many connections or requests",
    500: "the application failed; see its log",
    502: "the backend cannot be reached, or does not speak HTTP; see nginx's error log",
    503: "the application is not available; see its log",
    504: "the backend accepted the request and did not answer in time",
}
_OWN_CAUSES = {
    400: "nginx refuses the path, a header, or another upgrade",
    403: "nginx refuses: allow, deny, or a file; or WebSockets are served over TLS only",
    404: "no location of the site has this path",
    413: "the request is too large",
    503: "the upstream has no servers, the site is in maintenance, or the edge is drained",
}


class ProbeFailure(Exception):
    """A WebSocket that did not open or did not answer; the message has the actual answer and the likely cause.

    ``status`` is the status of the answer, or 0 if there was none. ``own`` is true for a page of nginx itself.
    """

    def __init__(self, message: str, status: int = 0, own: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.own = own


@dataclass(frozen=True)
class Target:
    """The WebSocket to open, and the answer to expect.

    ``connect_to`` is ``host:port`` or ``unix:/path``, instead of the URL's address. With ``proxy_protocol``, the probe
    uses the PROXY protocol there. EXPECT is one of handshake, pong, echo and text. TIMEOUT, in seconds, is for the
    whole probe. The certificates in ``ca_path`` are trusted as they are, whoever issued them.
    """

    url: str
    connect_to: str | None = None
    host: str | None = None
    origin: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    subprotocols: list[str] = field(default_factory=list)
    status: int = 101
    expect: str = "pong"
    send: str | None = None
    text: str = ""
    timeout: float = 10
    validate_certs: bool = True
    ca_path: str | None = None
    proxy_protocol: bool = False


@dataclass
class Result:
    """The result of a probe; ``seconds`` is the duration of the handshake, and ``message`` the received text."""

    status: int
    address: str
    headers: dict[str, str]
    seconds: float
    subprotocol: str = ""
    certificate_expires: str = ""
    tls_version: str = ""
    message: str = ""


def probe(target: Target) -> Result:
    """Open a WebSocket and close it again.

    :raises ProbeFailure: the answer is not the one that TARGET expects
    """
    deadline = time.monotonic() + target.timeout
    parts = urlsplit(target.url)
    port = parts.port or (443 if parts.scheme == "wss" else 80)
    name = parts.hostname or ""
    address = target.connect_to or (f"[{name}]:{port}" if ":" in name else f"{name}:{port}")
    try:
        with _Connection(_connected(address, deadline), deadline) as connection:
            if target.proxy_protocol:
                # Version 1, without the client's address.
                connection.send(b"PROXY UNKNOWN\r\n")
            if parts.scheme == "wss":
                connection.secure(target, name)
            return _opened(connection, target, address)
    except _NothingCame as reason:
        raise ProbeFailure(f"{target.url} at {address}: {reason}", reason.status, reason.own) from None


def _opened(connection: _Connection, target: Target, address: str) -> Result:
    """Do the handshake, check that the other end answers, and return the result."""
    started = time.monotonic()
    key = base64.b64encode(os.urandom(16))
    connection.send(_request(target, key.decode()))
    status, reason, headers = connection.head()
    result = Result(status, address, headers, round(time.monotonic() - started, 3),
                    headers.get("sec-websocket-protocol", ""), *connection.tls())
    if status != target.status:
        own = "<center>nginx" in connection.some_body() if status != 101 else False
        raise _NothingCame(_why(target.status, status, reason, headers, own), status, own)
    if status != 101:
        return result
    accept = base64.b64encode(hashlib.sha1(key + _GUID).digest()).decode()
    if headers.get("sec-websocket-accept") != accept:
        raise _NothingCame("101, but Sec-WebSocket-Accept is not the answer to this handshake (RFC 6455 4.1): what "
                           "answers is no WebSocket server, or a cache")
    if result.subprotocol and result.subprotocol not in target.subprotocols:
        raise _NothingCame(f"101 with the subprotocol {result.subprotocol}, which was not offered")
    result.message = _asked(connection, target)
    connection.send(_frame(_CLOSE, struct.pack("!H", 1000)))
    return result


def _request(target: Target, key: str) -> bytes:
    parts = urlsplit(target.url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = {"Host": target.host or parts.netloc.rpartition("@")[2], "Upgrade": "websocket", "Connection": "Upgrade",
               "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": key}
    if target.origin:
        headers["Origin"] = target.origin
    if target.subprotocols:
        headers["Sec-WebSocket-Protocol"] = ", ".join(target.subprotocols)
    lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in {**headers, **target.headers}.items())]
    return "\r\n".join([*lines, "", ""]).encode()


def _why(wanted: int, status: int, reason: str, headers: dict[str, str], own: bool) -> str:
    """Return a message with the status that was WANTED, the actual one, its sender, and the likely cause."""
    server = headers.get("server", "")
    if own:
        whom = "nginx itself"
    else:
        whom = f"behind {server}" if server.startswith("nginx") else server or "a server without a name"
    location = f" to {headers['location']}" if "location" in headers else ""
    # All redirects have the same cause.
    kind = 301 if 300 <= status < 400 else status
    cause = (_OWN_CAUSES if own else {}).get(kind) or _CAUSES.get(kind, "")
    if 200 <= status < 300:
        cause = "the answer is a page: the application serves no WebSocket at this path, or did not get Upgrade"
    return f"expected {wanted}, got {status} {reason}{location} from {whom}" + (f"; {cause}" if cause else "")


def _asked(connection: _Connection, target: Target) -> str:
    """Send what TARGET requires, wait for the expected answer, and return its text."""
    if target.expect == "handshake":
        return ""
    if target.expect == "pong":
        token = os.urandom(8)
        connection.send(_frame(_PING, token))
        for kind, data in _messages(connection, "no pong answered a ping"):
            if kind == _PONG and data == token:
                return ""
    sent = target.send
    if sent is None and target.expect == "echo":
        sent = f"websocket_probe {os.urandom(8).hex()}"
    if sent is not None:
        connection.send(_frame(_TEXT, sent.encode()))
    wanted = target.text if target.expect == "text" else sent or ""
    what = f'no message with "{wanted}" arrived' if target.expect == "text" else "no echo came"
    for kind, data in _messages(connection, what):
        message = data.decode(errors="replace")
        if kind in (_TEXT, _BINARY) and (message == wanted if target.expect == "echo" else wanted in message):
            return message
    raise AssertionError("messages end with an exception")


def _messages(connection: _Connection, lacking: str) -> Iterator[tuple[int, bytes]]:
    """Yield whole messages and pongs, and answer pings (RFC 6455 5.4, 5.5); failures report what is LACKING."""
    kind, data = 0, b""
    while True:
        try:
            last, code, payload = connection.frame()
        except _NothingCame as reason:
            raise _NothingCame(f"the WebSocket opened (101), but {lacking}: {reason}") from None
        if code == _CLOSE:
            status = struct.unpack("!H", payload[:2])[0] if len(payload) > 1 else 1005
            text = payload[2:].decode(errors="replace")
            raise _NothingCame(f"the WebSocket opened (101), but {lacking}: "
                               f"the backend closed it with {status}{f' ({text})' if text else ''}")
        if code == _PING:
            connection.send(_frame(_PONG, payload))
        elif code == _PONG:
            yield code, payload
        else:
            kind, data = (kind, data + payload) if code == _CONTINUATION else (code, payload)
            if last:
                yield kind, data


def _frame(code: int, payload: bytes) -> bytes:
    """Return a frame as a client sends it: final, and masked (RFC 6455 5.2)."""
    size = len(payload)
    length = bytes([0x80 | size]) if size < 126 else b"\xfe" + struct.pack("!H", size) if size < 65536 else (
        b"\xff" + struct.pack("!Q", size))
    mask = os.urandom(4)
    return bytes([0x80 | code]) + length + mask + bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))


class _NothingCame(ProbeFailure):
    """A failure whose message has the cause, but not the URL."""


def _connected(address: str, deadline: float) -> socket.socket:
    """Connect to ``host:port`` or ``unix:/path``."""
    seconds = max(deadline - time.monotonic(), 0.001)
    try:
        if address.startswith("unix:"):
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(seconds)
            connection.connect(address[5:])
            return connection
        host, _colon, port = address.rpartition(":")
        return socket.create_connection((host.strip("[]"), int(port)), seconds)
    except socket.gaierror:
        raise _NothingCame("the name does not resolve") from None
    except ConnectionRefusedError:
        raise _NothingCame("the connection is refused: nothing listens there") from None
    except (OSError, ValueError) as reason:
        raise _NothingCame(f"the connection failed ({reason}): a firewall blocks it, or the host is down") from None


class _Connection:
    """A connection with a deadline for all reads and writes."""

    def __init__(self, connection: socket.socket, deadline: float) -> None:
        self._socket = connection
        self._deadline = deadline
        self._read = b""

    def __enter__(self) -> _Connection:
        return self

    def __exit__(self, *_error: object) -> None:
        self._socket.close()

    def secure(self, target: Target, name: str) -> None:
        """Start TLS for a site's NAME."""
        try:
            context = ssl.create_default_context(cafile=target.ca_path)
            if target.ca_path:
                context.verify_flags |= _PARTIAL_CHAIN
            if not target.validate_certs:
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            self._socket.settimeout(self._left())
            self._socket = context.wrap_socket(self._socket, server_hostname=name)
        except ssl.SSLCertVerificationError as reason:
            raise _NothingCame(f"the certificate is not valid for this: {reason.verify_message}") from None
        except (OSError, ValueError) as reason:
            raise _NothingCame(f"no TLS: {reason}; no site has this name, or the port has no TLS") from None

    def tls(self) -> tuple[str, str]:
        """Return the expiry of the certificate, if it was verified, and the version of TLS."""
        if not isinstance(self._socket, ssl.SSLSocket):
            return "", ""
        expires = str((self._socket.getpeercert() or {}).get("notAfter", ""))
        seconds = ssl.cert_time_to_seconds(expires) if expires else 0
        return (time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds)) if expires else "",
                self._socket.version() or "")

    def _left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise _NothingCame("timed out")
        return left

    def send(self, data: bytes) -> None:
        """Send all of DATA."""
        try:
            self._socket.settimeout(self._left())
            self._socket.sendall(data)
        except OSError as reason:
            raise _NothingCame(f"the connection broke ({reason})") from None

    def _more(self) -> None:
        try:
            self._socket.settimeout(self._left())
            piece = self._socket.recv(65536)
        except socket.timeout:
            raise _NothingCame("nothing more arrived in time") from None
        except OSError as reason:
            raise _NothingCame(f"the connection broke ({reason})") from None
        if not piece:
            raise _NothingCame("the connection was closed")
        self._read += piece

    def _take(self, count: int) -> bytes:
        while len(self._read) < count:
            self._more()
        taken, self._read = self._read[:count], self._read[count:]
        return taken

    def head(self) -> tuple[int, str, dict[str, str]]:
        """Return the status, the reason and the headers of an answer."""
        try:
            while b"\r\n\r\n" not in self._read:
                if len(self._read) > _LARGEST:
                    raise _NothingCame("the answer is not HTTP")
                self._more()
        except _NothingCame as reason:
            if self._read:
                raise _NothingCame(f"the answer is not HTTP: {self._read[:60]!r}") from None
            raise _NothingCame(f"no answer: {reason}; nginx closes the connection like this if no site has this "
                               "name") from None
        head, self._read = self._read.split(b"\r\n\r\n", 1)
        first, *lines = head.decode("latin-1").split("\r\n")
        words = first.split(None, 2)
        if not first.startswith("HTTP/1.") or len(words) < 2 or not words[1].isdigit():
            raise _NothingCame(f"the answer is not HTTP: {head[:60]!r}")
        fields = (line.partition(":") for line in lines)
        return (int(words[1]), words[2] if len(words) > 2 else "",
                {name.strip().lower(): value.strip() for name, _colon, value in fields})

    def some_body(self) -> str:
        """Return the part of a body that arrives within a second."""
        try:
            self._deadline = min(self._deadline, time.monotonic() + 1)
            while len(self._read) < 4096 and b"</html>" not in self._read:
                self._more()
        except _NothingCame:
            pass
        return self._read.decode("latin-1")

    def frame(self) -> tuple[bool, int, bytes]:
        """Return whether a frame is the last of its message, its opcode, and its payload (RFC 6455 5.2)."""
        first, second = self._take(2)
        size = second & 0x7F
        if size > 125:
            size = int.from_bytes(self._take(2 if size == 126 else 8), "big")
        if second & 0x80 or size > _LARGEST:
            raise _NothingCame("the data is not a server's WebSocket "
                               "frame" if second & 0x80 else "a frame is larger than 1 MiB")
        return bool(first & 0x80), first & 0x0F, self._take(size)
