"""A DNS server that knows one address for every name, or none (RFC 1035 4.1)."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading

TYPE_A = 1
NO_SUCH_NAME = 0x8183


class Dns:
    """A server on a free UDP port of 127.0.0.1; its answer can be changed, and is valid for one second."""

    def __init__(self, answer: str) -> None:
        self.answer = answer
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                query, peer = self._socket.recvfrom(512)
                question = query[12:query.index(b"\0", 12) + 5]
                answers = b""
                if self.answer and struct.unpack("!H", question[-4:-2])[0] == TYPE_A:
                    # 0xC00C points to the question's name, at byte 12.
                    answers = struct.pack("!HHHIH", 0xC00C, TYPE_A, 1, 1, 4) + socket.inet_aton(self.answer)
                flags = 0x8180 if self.answer else NO_SUCH_NAME
                header = query[:2] + struct.pack("!HHHHH", flags, 1, bool(answers), 0, 0)
                self._socket.sendto(header + question + answers, peer)

    def close(self) -> None:
        """Stop the server."""
        self._socket.close()
