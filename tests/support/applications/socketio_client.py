"""Socket.IO clients that keep no cookies: each sends a few messages, first by polling and then over its WebSocket.

Usage: socketio_client.py NAME PORT QUERY COUNT. It prints which processes answered each client, and stops at the first
client with an error.
"""

import asyncio
import json
import sys

import aiohttp
import named  # noqa: F401  # pylint: disable=unused-import
import socketio

name, port, query, count = sys.argv[1:]


async def talk(number):
    """Send three messages; return the answers, the processes that answered, and the transport."""
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
    """Run one client after the other."""
    found = []
    for number in range(int(count)):
        try:
            found.append(await talk(number))
        except Exception as error:
            found.append({"error": f"{type(error).__name__}: {error}"})
            break
    print(json.dumps(found))


asyncio.run(main())
