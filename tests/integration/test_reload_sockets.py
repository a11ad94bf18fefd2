"""nginx comes back after whatever ended it, and so does the socket on which it is asked."""

from __future__ import annotations

import pytest

from .host import SOCKET, Host, site

KILL = "systemctl kill --signal=KILL nginx; while systemctl is-active --quiet nginx; do sleep 0.05; done; "


def socket_is_there(host: Host) -> bool:
    """Tell whether the socket is there, dead or alive."""
    return host.run(f"test -S {SOCKET}")[0] == 0


@pytest.mark.parametrize(("end", "leaves_a_socket"), [
    ("systemctl stop nginx", None),
    (KILL, True),
    (f"{KILL} rm -r /run/websocket_proxy", False),
], ids=["stopped", "killed", "killed, its folder gone"])
@pytest.mark.parametrize("start", ["systemd", "the role"])
def test_nginx_comes_back_and_the_next_run_is_green(host: Host, end: str, leaves_a_socket: bool | None,
                                                    start: str) -> None:
    generation = host.serve(site(8091))
    host.shell(end)
    if leaves_a_socket is not None:
        assert socket_is_there(host) == leaves_a_socket
    if start == "the role":
        assert host.apply(site(8091)).reload["how"] == "started"
    elif leaves_a_socket is not False:
        host.shell("systemctl start nginx")
        assert not host.apply(site(8091)).changed
    assert host.serve(site(8092)) != generation


def test_a_reboot_brings_nginx_and_the_private_folder_back(host: Host) -> None:
    generation = host.serve(site(8091))
    host.reboot()
    assert host.answer() == generation
    assert host.shell("stat -c '%a %U' /run/websocket_proxy").strip() == "700 root"
    assert not host.apply(site(8091)).changed
    host.serve(site(8092))


def test_nginx_that_was_started_by_hand_is_reloaded_and_proved(host: Host) -> None:
    host.serve(site(8091))
    host.shell("systemctl stop nginx; nginx")
    before = host.nginx()
    run = host.apply(site(8092))
    assert run.reload["how"] == "reloaded" and host.answer() == run.config["generation"]
    assert host.nginx().master == before.master and not host.nginx().workers & before.workers
    assert host.run("systemctl is-active nginx")[0] != 0


def test_a_start_beside_nginx_that_was_started_by_hand_leaves_it_its_socket(host: Host) -> None:
    generation = host.serve(site(8091))
    host.shell("systemctl stop nginx; nginx")
    assert host.run("systemctl start nginx")[0] != 0
    assert host.answer() == generation
    host.serve(site(8092))


def test_starts_that_failed_before_do_not_count_against_a_run(host: Host) -> None:
    host.serve(site(8091))
    host.shell("systemctl stop nginx")
    host.write({"/etc/nginx/conf.d/theirs.conf": "no such directive;\n"})
    host.shell("for start in 1 2 3 4 5 6; do systemctl start nginx; done; rm /etc/nginx/conf.d/theirs.conf")
    assert host.run("systemctl start nginx")[0] != 0
    assert host.apply(site(8091)).reload["how"] == "started"
