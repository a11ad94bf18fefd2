"""Secrets in request addresses, which no request log shows and which reach the backend."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.client import Client, get
from tests.support.edge import Edge
from tests.support.releases import EVERY
from tests.support.served import UPGRADE, Served
from tests.support.waiting import wait_until

pytestmark = EVERY
LOGS = "/var/log/nginx"
SECRET = "s3cret"
# Each request address contains the secret; the second one is its form in the logs.
ASKED = [(f"/x?access_token={SECRET}", "/x?access_token=***"),
         (f"/x?a=1&access_token={SECRET}&b=2", "/x?a=1&access_token=***"),
         (f"/x?ACCESS_TOKEN={SECRET}", "/x?ACCESS_TOKEN=***"), (f"/x?j.w.t={SECRET}", "/x?j.w.t=***"),
         (f"/x?access_token=1&access_token={SECRET}", "/x?access_token=***"),
         (f"/x?a=?access_token=1&access_token={SECRET}", "/x?a=?access_token=1&access_token=***"),
         (f"/x?access_token=&j.w.t={SECRET}", "/x?access_token=***")]
SHOWN = ["/x?other=1", "/x?my_access_token=1", "/x?jxwxt=1", "/access_token=1", "/x?access_tokens=1"]


@pytest.fixture(name="setup", scope="module")
def setup_(serving: Edge) -> Iterator[Served]:
    """Start the backends."""
    with Served.on(serving) as setup:
        yield setup


def start(setup: Served, **site: Any) -> None:
    """Serve a site with empty logs."""
    setup.edge.stop()
    setup.edge.container.shell(f"rm -f {LOGS}/*.log")
    setup.serve({"server_names": ["a"], **site}, masked_arguments=["access_token", "j.w.t"])


def logged(setup: Served, count: int) -> str:
    """Return all request logs as soon as they have COUNT lines."""
    wait_until(lambda: setup.edge.container.shell(f"cat {LOGS}/*access*.log").count("\n") >= count)
    return setup.edge.container.shell(f"cat {LOGS}/*access*.log")


@pytest.mark.parametrize("site", [
    {}, {"access_log_format": "websocket"}, {"access_log": f"{LOGS}/own_access.log"},
    {"live_access_log": f"{LOGS}/live_access.log"}, {"upstream": None, "locations": [{"path": "/", "respond": {}}]}],
    ids=lambda site: next(iter(site), "usual"))
def test_no_log_shows_what_stands_behind_a_masked_argument(setup: Served, site: dict[str, Any]) -> None:
    start(setup, **site)
    for path, _seen in ASKED:
        get(setup.address, "a", path, [("Referer", f"https://b{path}")])
    for path in SHOWN:
        get(setup.address, "a", path, [("Referer", f"https://b{path}")])
    text = logged(setup, len(ASKED) + len(SHOWN))
    assert SECRET not in text
    for seen in (*(seen for _path, seen in ASKED), *SHOWN):
        assert f'"GET {seen} HTTP/1.1"' in text and f'"https://b{seen}"' in text, seen
    if site.get("upstream", "tell"):
        asked = [head.split()[1].decode() for head in setup.backend.heads[-12:]]
        assert asked == [*(path for path, _seen in ASKED), *SHOWN]


def test_what_is_refused_and_what_is_live_shows_none_either(setup: Served) -> None:
    start(setup, upstream="echo", other_upgrades="reject")
    with Client(setup.address) as client:
        assert client.ask("a", f"/?access_token={SECRET}", UPGRADE).status == 101
    get(setup.address, "a", f"/?access_token={SECRET}", [("Upgrade", "h2c")])
    with Client(setup.address) as client:
        client.send("nobody", f"/?access_token={SECRET}")
        assert client.socket.recv(1) == b""
    text = logged(setup, 3)
    assert SECRET not in text and text.count("/?access_token=*** HTTP/1.1") == 3


def test_a_target_with_a_space_shows_none(setup: Served) -> None:
    start(setup)
    get(setup.address, "a", f"/x?access_token=a {SECRET}")
    assert SECRET not in logged(setup, 1)
