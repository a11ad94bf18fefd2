"""Clients that do not complete a request, links out of a folder, and large request heads."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.client import Client, get
from tests.support.edge import Edge
from tests.support.releases import EVERY
from tests.support.served import Served

pytestmark = EVERY
LINKED = "/srv/linked"


@pytest.fixture(name="setup", scope="module")
def setup_(serving: Edge) -> Iterator[Served]:
    """Start the backends; create links."""
    serving.container.write({f"{LINKED}/own": "own", "/srv/secret": "a secret", "/srv/theirs": "theirs"})
    serving.container.shell(
        f"ln -sfn /srv/linked /srv/current; cd {LINKED}; chown www-data /srv/theirs; ln -sf /srv/secret stolen; "
        "chown -h www-data stolen; ln -sf own same; ln -sf /srv/theirs theirs; chown -h www-data theirs")
    with Served.on(serving) as setup:
        yield setup


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("default", [False, True])
def test_who_does_not_finish_a_head_or_a_handshake_is_cut_off(setup: Served, tls: bool, default: bool) -> None:
    port = int(setup.address.rpartition(":")[2])
    setup.serve({"server_names": ["a"], "client_header_timeout": "1s",
                 "listen": [{"address": "127.0.0.1", "port": port, "default_server": default}],
                 **({"tls": {"self_signed": True, "redirect": False}} if tls else {})})
    for begun in (b"", b"\x16\x03\x01\x02\x00" if tls else b"GET / HTTP/1.1\r\nHost: a\r\nX-"):
        with Client(setup.address) as client:
            client.socket.sendall(begun)
            # This is shorter than the default of client_header_timeout.
            client.socket.settimeout(15)
            with contextlib.suppress(ConnectionResetError):
                assert b"HTTP/1.1 2" not in client.socket.recv(100)


@pytest.mark.parametrize(("keys", "statuses"), [
    ({}, [200, 200, 403, 200]), ({"disable_symlinks": True}, [200, 403, 403, 403]),
    ({"disable_symlinks": False}, [200, 200, 200, 200])], ids=str)
def test_links_lead_to_files_of_the_same_owner(setup: Served, keys: dict[str, Any], statuses: list[int]) -> None:
    for root in (LINKED, "/srv/current"):
        setup.serve({"server_names": ["a"], "upstream": None, "locations": [{"path": "/", "root": root, **keys}]})
        assert [get(setup.address, "a", f"/{name}").status for name in ("own", "same", "stolen", "theirs")] == statuses


@pytest.mark.parametrize("layout", ["own", "drop_in"])
def test_large_heads_have_the_room_that_is_set(setup: Served, layout: str) -> None:
    for buffers, status in (("", 400), ("4 32k", 200)):
        model = setup.edge.compiled({
            "nginx_conf": layout, "large_client_header_buffers": buffers,
            "upstreams": [{"name": "tell", "servers": [setup.backend.address]}],
            "sites": [{"server_names": ["a"], "listen": [setup.address], "upstream": "tell"}]})
        setup.edge.stop()
        setup.edge.start_model(model)
        assert get(setup.address, "a", "/", [("Cookie", "x" * 20000)]).status == status
        assert get(setup.address, "a", f"/?{'x' * 20000}").status == (200 if buffers else 414)
