"""Socket.IO clients that keep no cookies: each says a few things by polling, and once it has a WebSocket.

Usage: socketio_client.py NAME PORT QUERY COUNT; prints who answered each, up to the first that
something goes wrong for.
"""

import http.cookiejar
import json
import sys
import warnings

import named  # noqa: F401
import requests
import socketio

name, port, query, count = sys.argv[1:]
warnings.simplefilter("ignore")
found = []
for number in range(int(count)):
    session = requests.Session()
    session.verify = session.trust_env = False
    session.cookies.set_policy(http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))
    client = socketio.SimpleClient(http_session=session, ssl_verify=False)
    try:
        client.connect(f"https://{name}:{port}/{query.format(number)}", wait_timeout=20)
        answers = [client.call("message", f"hello {number}", timeout=20) for _time in range(3)]
        found.append({"said": sorted({said for said, _pid in answers}),
                      "answered": sorted({pid for _said, pid in answers}), "transport": client.transport})
    except Exception as error:
        found.append({"error": f"{type(error).__name__}: {error}"})
        break
    finally:
        client.disconnect()
print(json.dumps(found))
