"""Script for the host outside: sends a message through wss:// in one version of TLS.

Usage: echo.py NAME VERSION; prints the answer.
"""

from __future__ import annotations

import asyncio
import ssl
import sys

from websockets.asyncio.client import connect


async def echo(name: str, version: str) -> None:
    """Send one message and print the answer."""
    context = ssl.create_default_context(cafile="/usr/local/share/ca-certificates/tests.crt")
    context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
    async with connect(f"wss://{name}/", ssl=context, proxy=None) as opened:
        await opened.send("grüße")
        print(opened.transport.get_extra_info("ssl_object").version(), await asyncio.wait_for(opened.recv(), 10))


asyncio.run(echo(*sys.argv[1:]))
