"""An HTTP/2 client that sends what well-behaved libraries refuse to send."""

from __future__ import annotations

import socket
import ssl
from typing import Any

import h2.config
import h2.connection
import h2.events


class Http2:
    """An HTTP/2 client that sends what well-behaved clients do not."""

    def __init__(self, connection: ssl.SSLSocket) -> None:
        assert connection.selected_alpn_protocol() == "h2"
        self._socket = connection
        self._peer = h2.connection.H2Connection(h2.config.H2Configuration(
            validate_outbound_headers=False, normalize_outbound_headers=False))
        self._peer.initiate_connection()

    def ask(self, headers: list[tuple[str, str]]) -> str:
        """Send a request; return the status of the answer, or how the stream or the connection ended."""
        stream = self._peer.get_next_available_stream_id()
        self._peer.send_headers(stream, headers, end_stream=True)
        self._socket.sendall(self._peer.data_to_send())
        while data := self._socket.recv(65536):
            for event in self._peer.receive_data(data):
                if isinstance(event, h2.events.ResponseReceived):
                    return {str(name): str(value) for name, value in (
                        (_text(one), _text(other)) for one, other in event.headers)}[":status"]
                if isinstance(event, h2.events.StreamReset | h2.events.ConnectionTerminated):
                    return "reset"
        return "closed"


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def unverified(connection: socket.socket, name: str, protocol: str = "h2") -> ssl.SSLSocket:
    """Negotiate TLS and a PROTOCOL with a server, whatever certificate it shows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols([protocol])
    return context.wrap_socket(connection, server_hostname=name)
