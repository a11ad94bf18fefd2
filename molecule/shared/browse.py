"""Script for the browser's host: loads pages in Chromium, one after the other, and prints a value of each.

Usage: browse.py JAVASCRIPT RULES URL...

It prints a JSON list with the value of the expression in each page, as soon as the value is not null. A value that
stays null is printed as null. The rules are those of Chromium's own resolver.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from typing import Any

from websockets.sync.client import connect

PORT = 9222
SECONDS = 60


def opened(url: str) -> str:
    """Load a page; return the address of its debugger, once the browser is up."""
    request = urllib.request.Request(f"http://127.0.0.1:{PORT}/json/new?{url}", method="PUT")
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            with urllib.request.urlopen(request, timeout=SECONDS) as answer:
                return str(json.load(answer)["webSocketDebuggerUrl"])
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def shown(page: str, expression: str) -> Any:
    """Evaluate an expression in a page until it is not null (Chrome DevTools Protocol, Runtime.evaluate)."""
    question = {"id": 1, "method": "Runtime.evaluate", "params": {"expression": expression, "returnByValue": True}}
    value, deadline = None, time.monotonic() + SECONDS
    with connect(page, proxy=None, max_size=None, open_timeout=SECONDS) as debugger:
        while value is None and time.monotonic() < deadline:
            time.sleep(0.2)
            debugger.send(json.dumps(question))
            value = json.loads(debugger.recv(timeout=SECONDS))["result"]["result"].get("value")
    return value


def main(expression: str, rules: str, *urls: str) -> None:
    """Start the browser once for all pages."""
    browser = subprocess.Popen(
        ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
         f"--remote-debugging-port={PORT}", f"--user-data-dir={tempfile.mkdtemp()}",
         f"--host-resolver-rules={rules}", "about:blank"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        print(json.dumps([shown(opened(url), expression) for url in urls]))
    finally:
        browser.kill()
        browser.wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
