"""Runs outside: an echo through wss:// in one version of TLS. Usage: echo.py NAME VERSION; prints what came back."""

from __future__ import annotations

import ssl
import sys

from websockets.sync.client import connect

context = ssl.create_default_context(cafile="/usr/local/share/ca-certificates/tests.crt")
context.minimum_version = context.maximum_version = ssl.TLSVersion[sys.argv[2]]
with connect(f"wss://{sys.argv[1]}/", ssl=context, proxy=None) as opened:
    opened.send("grüße")
    print(opened.socket.version(), opened.recv(timeout=10))
