"""Clients that vanish silently: the kernel finds them, and a running host starts to find them after a reload."""

from __future__ import annotations

import ctypes
import re
import socket
import time
from collections.abc import Iterator

import pytest

from ansible_collections.wsedge.nginx.plugins.module_utils.generations import MARKER
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.layout import FOLDER, LAYOUTS
from ansible_collections.wsedge.nginx.plugins.plugin_utils.render.files import rendered
from tests.support.client import HANDSHAKE, Client
from tests.support.compiling import RENDERER, compiled
from tests.support.host import Host, site
from tests.support.waiting import wait_until

UPGRADE = [("Upgrade", "websocket"), *HANDSHAKE]
THEIRS = "server {\n    listen [::]:80 ipv6only=on;\n    server_name shop.example;\n    return 204;\n}\n"


@pytest.fixture(autouse=True)
def echo(host: Host) -> Iterator[None]:
    """Run a backend."""
    with host.echo():
        yield


def opened(host: Host) -> Client:
    """Open a WebSocket through nginx, and exchange a message."""
    client = Client(f"{host.address}:80")
    assert client.ask("a", "/", UPGRADE).status == 101
    client.echo(b"here")
    return client


def established(host: Host, port: int) -> list[str]:
    """Return the connections to a port of the host, each with its timer."""
    return host.shell(f"ss -Htno state established 'sport = :{port}'").splitlines()


def probed(host: Host) -> list[str]:
    """Return the connections to nginx whose clients the kernel probes, once all data is acknowledged."""
    wait_until(lambda: "timer:(on," not in "".join(established(host, 80)))
    return [line for line in established(host, 80) if "timer:(keepalive," in line]


def cut_off(client: Client) -> None:
    """Drop all packets for a client, whose kernel then answers nothing (socket(7), SO_ATTACH_FILTER)."""
    # One BPF instruction, return 0: keep nothing of each packet.
    instruction = ctypes.create_string_buffer(b"\x06\x00\x00\x00\x00\x00\x00\x00", 8)

    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p)]

    client.socket.setsockopt(socket.SOL_SOCKET, 26, bytes(Program(1, ctypes.addressof(instruction))))


def test_a_client_that_is_cut_off_is_gone_in_time_and_a_silent_one_stays(host: Host) -> None:
    host.serve(site({"port": 80, "so_keepalive": "1s:1s:2"}))
    with opened(host) as silent, opened(host) as vanished:
        cut_off(vanished)
        started = time.monotonic()
        wait_until(lambda: len(established(host, 80)) == 1, 20)
        assert time.monotonic() - started > 1
        # The connection to the backend ends as well.
        wait_until(lambda: len(established(host, 3000)) == 1)
        assert silent.stays_open(5)
        silent.socket.settimeout(10)
        silent.echo(b"still here")


def test_a_running_host_gets_there_by_a_reload_and_loses_nothing(host: Host) -> None:
    variables = site(80, f"{host.address}:80")
    # An earlier version wrote it this way.
    _main, texts = rendered(compiled(variables), RENDERER, FOLDER, MARKER)
    before = re.sub(r" so_keepalive=[^ ;]*", "", texts["site-a.conf"])
    assert before != texts["site-a.conf"]
    host.serve(variables, {"site-a.conf": before})
    with opened(host) as first:
        assert not probed(host)
        master = host.nginx().master
        host.serve(variables)
        assert host.nginx().master == master
        with opened(host):
            (line,) = probed(host)
            assert "timer:(keepalive,3min" in line
        first.echo(b"still here")
        # An inherited socket keeps its setting until the configuration changes it.
        host.serve(site({"port": 80, "so_keepalive": False}, f"{host.address}:80"))
        with opened(host):
            assert not probed(host)
        first.echo(b"still here")


def test_a_guest_leaves_the_options_of_a_socket_to_others_that_have_some(host: Host) -> None:
    host.write({"/etc/nginx/conf.d/shop.conf": THEIRS})
    host.shell("rm /etc/nginx/sites-enabled/default; systemctl start nginx")
    variables = {**site(80), "nginx_conf": "drop_in", "worker_processes": "auto"}
    guest = {name: LAYOUTS["drop_in"].options()[name] for name in ("path", "entry")}
    found = host.module("nginx_info", {})
    assert found["listen_options"] == {"[::]:80": "/etc/nginx/conf.d/shop.conf: listen [::]:80 ipv6only=on"}
    # Without this option in the report, nginx would refuse the configuration.
    host.found = {**found, "listen_options": {}}
    assert "duplicate listen options for [::]:80" in host.configure(variables)["msg"]
    host.found = found
    assert "so_keepalive=230s:30s:4" in next(one for one in compiled(variables, found).warnings if "[::]:80" in one)
    run = host.apply(variables, **guest)
    assert not run.error and host.answer() == run.config["generation"]
    with opened(host):
        assert len(probed(host)) == 1
    assert "[::]:80 " in host.shell("ss -Hltn")
