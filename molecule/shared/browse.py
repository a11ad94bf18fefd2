"""Runs on the browser's host: loads a page in Chromium, waits until its script has done its work, prints what it shows.

Usage: browse.py URL JAVASCRIPT [RULES]; the expression's value is printed as JSON as soon as it is not null. The rules
are those of Chromium's own resolver.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
import urllib.request

from websockets.sync.client import connect

PORT = 9222
SECONDS = 60


def page() -> str:
    """Return where the page is debugged, once the browser is up."""
    with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/json", timeout=5) as answer:
        return next(one["webSocketDebuggerUrl"] for one in json.load(answer) if one["type"] == "page")


def main(url: str, expression: str, rules: str = "") -> None:
    """Ask the page again and again (Chrome DevTools Protocol, Runtime.evaluate)."""
    browser = subprocess.Popen(
        ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
         f"--remote-debugging-port={PORT}", f"--user-data-dir={tempfile.mkdtemp()}",
         f"--host-resolver-rules={rules}", url],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + SECONDS
    value = None
    try:
        while value is None and time.monotonic() < deadline:
            time.sleep(0.3)
            try:
                with connect(page(), proxy=None, max_size=None) as debugger:
                    debugger.send(json.dumps({"id": 1, "method": "Runtime.evaluate",
                                              "params": {"expression": expression, "returnByValue": True}}))
                    value = json.loads(debugger.recv(timeout=10))["result"]["result"].get("value")
            except (OSError, StopIteration, TimeoutError):
                continue
    finally:
        browser.kill()
        browser.wait()
    print(json.dumps(value))


if __name__ == "__main__":
    main(*sys.argv[1:])
