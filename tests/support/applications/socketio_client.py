"""Socket.IO clients that keep no cookies: each says a few things by polling, and once it has a WebSocket.

Usage: socketio_client.py NAME PORT QUERY COUNT; prints who answered each, up to one that something goes wrong for.
"""

import asyncio
import json
import sys

import aiohttp
import named  # noqa: F401  # pylint: disable=unused-import
import socketio

name, port, query, count = sys.argv[1:]


async def talk(number):
    """Say something three times; return what came back, and from whom."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=False),
                                     cookie_jar=aiohttp.DummyCookieJar()) as session:
        client = socketio.AsyncSimpleClient(http_session=session, ssl_verify=False)
        await client.connect(f"https://{name}:{port}/{query.format(number)}", wait_timeout=20)
        try:
            answers = [await client.call("message", f"hello {number}", timeout=20) for _time in range(3)]
            return {"said": sorted({said for said, _pid in answers}),
                    "answered": sorted({pid for _said, pid in answers}), "transport": client.transport}
        finally:
            await client.disconnect()


async def main():
    """Have one client after the other talk."""
    found = []
    for number in range(int(count)):
        try:
            found.append(await talk(number))
        except Exception as error:
            found.append({"error": f"{type(error).__name__}: {error}"})
            break
    print(json.dumps(found))


asyncio.run(main())
