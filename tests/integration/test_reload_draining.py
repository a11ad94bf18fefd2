"""WebSockets that stay open across reloads, in old workers that are counted and bounded."""

from __future__ import annotations

from contextlib import ExitStack

from websockets.sync.client import connect as connect_here

from tests.support.crowd import Crowd
from tests.support.host import Host, site
from tests.support.releases import NEWEST
from tests.support.waiting import wait_until

SOCKETS = 300
RELOADS = 10
# Clients use the address of the host, whatever the site's name is.
EVERY_NAME = {"port": 8091, "default_server": True}


def test_old_workers_are_counted_by_generation_and_bounded(host: Host) -> None:
    with host.echo(), ExitStack() as sockets:
        def open_sockets(count: int) -> None:
            for _one in range(count):
                socket = sockets.enter_context(connect_here(f"ws://{host.address}:8091/"))
                socket.send("x")
                assert socket.recv(10) == "x"

        def change(name: str, **how: int) -> str:
            run = host.apply(site(EVERY_NAME, name=name), **how)
            assert not run.error
            draining[:] = [(one["generation"], one["sockets"]) for one in run.reload["draining"]]
            assert sum(one["workers"] for one in run.reload["draining"]) == len(host.nginx().ending)
            return run.config["generation"]

        draining: list[tuple[str, int]] = []
        first = host.serve(site(EVERY_NAME))
        open_sockets(3)
        second = change("b")
        # A proxied WebSocket has two sockets: the client's and the backend's.
        assert draining == [(first, 6)]
        open_sockets(2)
        change("c")
        assert draining == [(first, 6), (second, 4)]

        assert all(1 << 20 < one["memory"] < 1 << 26 for one in host.reload()["draining"])
        error = host.refuses(site(EVERY_NAME, name="d"), max_draining=2)
        for generation, count in draining:
            assert f"  {generation}: " in error and f" MiB, {count} sockets" in error
        assert "websocket_proxy_max_draining_generations" in error and "worker_shutdown_timeout" in error
        sockets.close()
        wait_until(lambda: not host.nginx().ending)
        change("d", max_draining=2)
        assert draining == []


@NEWEST
def test_a_reload_that_brings_the_host_near_its_limit_is_warned_of(host: Host) -> None:
    host.serve(site(EVERY_NAME))
    assert host.apply(site(EVERY_NAME, name="b")).reload.get("warnings") is None
    # The file that the module reads reports so little memory that none would be left.
    host.shell("sed -E 's/^(MemAvailable: +).*/\\120000 kB/' /proc/meminfo > /root/meminfo && "
               "mount --bind /root/meminfo /proc/meminfo")
    try:
        (warning,) = host.apply(site(EVERY_NAME)).reload["warnings"]
    finally:
        host.shell("umount /proc/meminfo")
    assert "nginx is reloaded with 19 of " in str(warning) and "stay until their WebSockets end" in str(warning)


@NEWEST
def test_workers_that_have_outlived_their_master_count_in_the_proof_and_among_those_that_drain(host: Host) -> None:
    host.serve(site(EVERY_NAME))
    before = host.nginx()
    with host.echo(), connect_here(f"ws://{host.address}:8091/") as socket:
        socket.send("x")
        assert socket.recv(10) == "x"
        host.shell(f"kill -USR2 {before.master}")
        wait_until(lambda: host.run("test -s /run/nginx.pid.oldbin && pgrep --parent $(cat /run/nginx.pid)")[0] == 0)
        host.shell(f"kill -KILL {before.master}")
        for variables in (site(EVERY_NAME, name="b"), site(EVERY_NAME)):
            error = host.apply(variables).error
            assert all(f"kill -QUIT {worker}" in error for worker in before.workers), error
        host.shell(f"kill -QUIT {' '.join(map(str, before.workers))}")
        run = host.apply(site(EVERY_NAME, name="b"))
        assert not run.error
        assert [(one["workers"], one["sockets"]) for one in run.reload["draining"]] == [(1, 2)]
        socket.send("y")
        assert socket.recv(10) == "y"


# Only the newest runs this slow test: an nginx that loses a WebSocket would lose it in the tests above as well.
@NEWEST
def test_ten_changes_under_three_hundred_websockets_lose_nothing(host: Host) -> None:
    with host.echo():
        host.serve(site(EVERY_NAME, name="change-0"))
        crowd = Crowd(f"{host.address}:8091", SOCKETS)
        try:
            assert crowd.ready.wait(60), crowd.problems
            for number in range(1, RELOADS + 1):
                before = sum(crowd.received)
                run = host.apply(site(EVERY_NAME, name=f"change-{number}"))
                assert run.reload.get("how") == "reloaded", run.error
                wait_until(lambda: sum(crowd.received) > before + SOCKETS)  # noqa: B023 (called at once)
        finally:
            crowd.end()
        assert crowd.problems == []
        assert crowd.received == crowd.sent
