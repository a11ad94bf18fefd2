"""Forgeries by an ordinary user of the host, which neither mislead a run nor stop it."""

from __future__ import annotations

import pytest

from tests.support.host import FOLDER, Host, site
from tests.support.releases import NEWEST
from tests.support.waiting import wait_until

TITLE = "nginx: master process /usr/sbin/nginx -g daemon on; master_process on;"
# sudo waits for a password, and runs as root.
PROGRAMS = {"sleep": "sleep 600", "sudo": "sudo --stdin true"}


def as_nobody(host: Host, command: str) -> None:
    """Run a command as an ordinary user until the test ends."""
    host.shell(f"systemd-run --quiet --unit=other-nobody --uid=nobody /bin/bash -c '{command}'")


@NEWEST
@pytest.mark.parametrize("program", PROGRAMS)
def test_a_process_with_the_title_of_nginx_is_not_taken_for_it(host: Host, program: str) -> None:
    as_nobody(host, f"sleep 600 | exec -a \"{TITLE}\" {PROGRAMS[program]}")
    wait_until(lambda: host.run("pgrep --full '^nginx: master'")[1])
    pid = host.shell("pgrep --full '^nginx: master'").strip()
    generation = host.serve(site(8091))
    assert host.shell(f"tr '\\0' ' ' < /proc/{pid}/cmdline").startswith(TITLE)
    assert not host.apply(site(8091)).changed
    assert host.serve(site(8092)) != generation


@NEWEST
def test_a_process_with_the_title_of_a_worker_is_not_taken_for_one(host: Host) -> None:
    host.serve(site(8091))
    as_nobody(host, "exec -a \"nginx: worker process\" sleep 600")
    wait_until(lambda: host.run("pgrep --uid nobody --full '^nginx: worker'")[1])
    assert not host.apply(site(8091)).changed
    host.serve(site(8092))


@NEWEST
def test_no_other_user_can_take_the_lock(host: Host) -> None:
    host.serve(site(8091))
    as_nobody(host, f"for file in /etc/nginx {FOLDER} /run/websocket_proxy.lock; "
                    "do flock --exclusive $$file sleep 600 & done; wait")
    wait_until(lambda: host.run("pgrep --uid nobody sleep")[0] == 0)
    host.serve(site(8092))


@NEWEST
def test_a_second_master_that_serves_is_named_with_the_remedy_by_every_run(host: Host) -> None:
    host.serve(site(8091))
    old = host.nginx().master
    host.shell(f"kill -USR2 {old}")
    wait_until(lambda: host.run("test -s /run/nginx.pid.oldbin && pgrep --parent $(cat /run/nginx.pid)")[0] == 0)
    for variables in (site(8092), site(8091)):
        assert f"kill -QUIT {old}" in host.apply(variables).error
    host.shell(f"kill -QUIT {old}")
    wait_until(lambda: host.run(f"test -e /proc/{old}")[0] != 0)
    host.serve(site(8092))
