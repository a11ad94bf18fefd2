"""Interrupted runs, and concurrent runs."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.host import Host, site
from tests.support.releases import NEWEST
from tests.support.waiting import wait_until


@pytest.fixture
def second(host: Host) -> Iterator[Host]:
    """Provide a second connection to the host."""
    second = host.another()
    yield second
    second.hang_up()


@NEWEST
def test_a_run_that_was_cut_between_commit_and_reload_is_finished_by_the_next(host: Host) -> None:
    old = host.serve(site(8091))
    new = host.configure(site(8092))["generation"]
    assert host.answer() == old
    run = host.apply(site(8092))
    assert run.config["changed"] and run.config["generation"] == new and not run.config["different"]
    assert run.reload["how"] == "reloaded" and host.answer() == new


@NEWEST
def test_two_reloads_at_once_are_both_proved(host: Host, second: Host) -> None:
    host.serve(site(8091))
    new = host.configure(site(8092))["generation"]
    with ThreadPoolExecutor() as pool:
        results = [future.result() for future in [pool.submit(one.reload) for one in (host, second)]]
    assert [result.get("msg") for result in results] == [None, None]
    assert {result["generation"] for result in results} == {new} == {host.answer()}


@NEWEST
def test_a_reload_that_waited_for_another_runs_commit_proves_that_one(host: Host, second: Host) -> None:
    host.serve(site(8091))
    host.write({"/root/slowly": "#!/bin/sh\nsleep 2\nexec /usr/sbin/nginx -t -c $1\n"})
    host.shell("chmod +x /root/slowly")
    with ThreadPoolExecutor() as pool:
        commit = pool.submit(second.configure, site(8092), validate="/root/slowly %s")
        wait_until(lambda: host.run("flock --nonblock /run/websocket_proxy.lock true")[0] != 0)
        result = host.reload()
    assert result.get("generation") == commit.result()["generation"] == host.answer(), result
