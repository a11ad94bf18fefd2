"""nginx and the private socket for the role's requests to it: both return, whatever ended nginx."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from ansible_collections.wsedge.nginx.plugins.plugin_utils.render.program import PROGRAM
from tests.support.host import SOCKET, Host, site
from tests.support.releases import NEWEST
from tests.support.waiting import wait_until

# nginx 1.18 leaves its socket behind. Then only systemd and the role can start nginx.
# nginx returns before its master has set its title.
BY_HAND = (f"systemctl stop nginx; rm -f {SOCKET}; nginx; "
           "until pgrep -f '^nginx: master' > /dev/null; do sleep 0.05; done")
KILL = "systemctl kill --signal=KILL nginx; while systemctl is-active --quiet nginx; do sleep 0.05; done; "
# Otherwise systemd starts it again.
END = f"{KILL} systemctl stop nginx; "


def test_nginx_that_was_stopped_or_killed_starts_as_ever(host: Host) -> None:
    generation = host.serve(site(8091))
    host.restarts(generation)
    host.shell(KILL)
    assert host.run(f"test -S {SOCKET}")[0] == 0
    wait_until(lambda: host.answer() == generation)
    assert not host.apply(site(8091)).changed
    host.serve(site(8092))


@pytest.mark.parametrize("end", ["systemctl stop nginx", END, f"{END} rm -r /run/websocket_proxy"],
                         ids=["stopped", "killed", "killed, its folder gone"])
def test_a_run_starts_nginx_that_was_stopped_or_killed(host: Host, end: str) -> None:
    generation = host.serve(site(8091))
    host.shell(end)
    run = host.apply(site(8091))
    assert run.reload["how"] == "started" and run.reload["generation"] == generation == host.answer()
    host.serve(site(8092))


def test_a_reboot_brings_nginx_and_the_private_folder_back(host: Host) -> None:
    generation = host.serve(site(8091))
    host.reboot()
    assert host.answer() == generation
    assert host.shell("stat -c '%a %U' /run/websocket_proxy").strip() == "700 root"
    assert not host.apply(site(8091)).changed
    host.serve(site(8092))


def test_nginx_that_was_started_by_hand_is_reloaded_and_proved(host: Host) -> None:
    host.serve(site(8091))
    host.shell(BY_HAND)
    before = host.nginx()
    run = host.apply(site(8092))
    assert run.reload["how"] == "reloaded" and host.answer() == run.config["generation"]
    assert host.nginx().master == before.master and not host.nginx().workers & before.workers
    assert host.run("systemctl is-active nginx")[0] != 0


def test_a_start_beside_nginx_that_was_started_by_hand_leaves_it_its_socket(host: Host) -> None:
    generation = host.serve(site(8091))
    host.shell(BY_HAND)
    assert host.run("systemctl start nginx")[0] != 0
    assert host.answer() == generation
    host.serve(site(8092))


def test_starts_that_failed_before_do_not_count_against_the_next(host: Host) -> None:
    generation = host.serve(site(8091))
    host.shell("systemctl stop nginx")
    host.write({"/etc/nginx/conf.d/theirs.conf": "no such directive;\n"})
    host.shell("for start in 1 2 3 4 5 6; do systemctl start nginx; done; rm /etc/nginx/conf.d/theirs.conf")
    wait_until(lambda: host.answer() == generation, 30)


NAME = "backend.example"


def test_the_host_program_clears_dead_sockets_only(host: Host) -> None:
    dead, live, file = "/run/dead.sock", "/run/live.sock", "/run/file.sock"
    host.serve(site(8091, f"unix:{dead}", f"unix:{live}", f"unix:{file}"))
    host.shell("systemctl kill --signal=KILL nginx; systemctl stop nginx")
    host.shell(f"rm -f {dead} {live} {file} && echo theirs > {file} && python3 -c 'import socket\n"
               f"socket.socket(socket.AF_UNIX).bind(\"{dead}\")'")
    host.shell(f"systemd-run --quiet --unit=other-live python3 -c 'import socket, time\n"
               f"live = socket.socket(socket.AF_UNIX)\nlive.bind(\"{live}\")\nlive.listen()\ntime.sleep(600)'")
    wait_until(lambda: host.run(f"ss --listening --unix | grep -q {live}")[0] == 0)
    assert host.shell(f"{PROGRAM} clear-sockets") == ""
    assert host.shell(f"ls {dead} {live} {file} 2>/dev/null; true").split() == [file, live]
    host.shell(f"systemctl stop other-live; rm -f {live} {file}")


@pytest.fixture(name="resolving")
def resolving_(host: Host) -> Iterator[Host]:
    """Provide a host that resolves names only by /etc/hosts, which Docker rewrites at each boot."""
    host.shell("cp /etc/nsswitch.conf /root && sed -i 's/^hosts:.*/hosts: files/' /etc/nsswitch.conf "
               f"&& echo 127.0.0.1 {NAME} >> /etc/hosts")
    yield host
    host.shell("cp /root/nsswitch.conf /etc")


def test_a_name_and_an_address_that_are_not_there_at_boot_are_waited_for(resolving: Host) -> None:
    host = resolving
    add = "ip address add 192.0.2.7/32 dev lo"
    host.shell(add)
    generation = host.serve({**site(8091, "192.0.2.7:8093"),
                             "upstreams": [{"name": "echo", "servers": [f"{NAME}:3000"]}]})
    host.reboot()
    # This is more than systemd allows a unit in ten seconds.
    wait_until(lambda: int(host.shell("systemctl show nginx --property NRestarts --value")) > 5)
    assert host.run("systemctl is-active nginx")[1] == "activating\n" and host.answer() == ""
    host.shell(f"echo 127.0.0.1 {NAME} >> /etc/hosts")
    wait_until(lambda: "192.0.2.7:8093 failed (99: " in host.shell("cat /var/log/nginx/error.log"), 30)
    assert host.answer() == ""
    host.shell(add)
    wait_until(lambda: host.answer() == generation, 30)


def test_a_run_that_gives_up_leaves_systemd_to_what_it_tried_before(resolving: Host) -> None:
    host = resolving
    generation = host.serve({**site(8091), "upstreams": [{"name": "echo", "servers": [f"{NAME}:3000"]}]})
    host.reboot()
    wait_until(lambda: host.run("systemctl is-active nginx")[1] == "activating\n")
    with host.other(8092):
        assert "nginx does not start" in host.apply(site(8092)).error
    host.shell(f"echo 127.0.0.1 {NAME} >> /etc/hosts")
    wait_until(lambda: host.answer() == generation, 30)


def test_a_socket_that_somebody_removed_is_told_and_comes_back_with_a_restart(host: Host) -> None:
    generation = host.serve(site(8091))
    before, tree = host.nginx(), host.tree()
    host.shell(f"rm {SOCKET}")
    error = host.apply(site(8092)).error
    assert f"The socket {SOCKET}" in error and "websocket_proxy_allow_restart: true" in error
    assert host.nginx() == before and host.tree() == tree
    assert host.apply(site(8092), allow_restart=True).reload["how"] == "restarted"
    assert host.answer() not in ("", generation)


@NEWEST
@pytest.mark.parametrize("end", ["systemctl stop nginx", f"rm {SOCKET}"], ids=["stopped", "socket removed"])
def test_what_ran_before_stays_on_disk_when_it_cannot_be_proved_again(host: Host, end: str) -> None:
    host.serve(site(8091))
    host.serve(site(8092))
    tree = host.tree()
    host.shell(end)
    if "stop" in end:
        with host.other(8092):
            assert host.apply(site(8092)).error
    else:
        assert host.apply(site(8092)).error
    assert host.tree() == tree


# --- the sites' own unix sockets

LOCAL = "/run/local.sock"


def serves(host: Host) -> bool:
    """Return whether nginx serves on the site's unix socket."""
    return host.run(f"curl --silent --max-time 30 --unix-socket {LOCAL} http://a/ -o /dev/null")[0] == 0


@pytest.mark.parametrize("end", ["systemctl stop nginx", END], ids=["stopped", "killed"])
def test_a_unix_socket_of_a_site_never_keeps_nginx_from_starting(host: Host, end: str) -> None:
    host.shell(f"rm -f {LOCAL}")
    generation = host.serve(site(f"unix:{LOCAL}"))
    assert serves(host)
    host.shell(f"{end}\nsystemctl start nginx")
    assert host.answer() == generation and serves(host)
    host.shell(end)
    assert host.apply(site(f"unix:{LOCAL}")).reload["how"] == "started"
    assert serves(host)


def test_unix_sockets_come_and_go_with_reloads_and_rollbacks(host: Host) -> None:
    host.shell(f"rm -f {LOCAL}")
    host.serve(site(8091))
    master = host.nginx().master
    host.serve(site(8091, f"unix:{LOCAL}"))
    assert serves(host)
    assert not host.apply(site(8091, f"unix:{LOCAL}")).changed
    host.serve(site(8092, f"unix:{LOCAL}"))
    assert serves(host)
    host.serve(site(8091))
    assert host.run(f"test -e {LOCAL}")[0] != 0
    # This socket is left over from a generation that is served again.
    host.shell(f"{END} python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"{LOCAL}\")'")
    host.serve(site(8092, f"unix:{LOCAL}"))
    assert serves(host) and host.nginx().master != master


def test_what_is_no_socket_at_the_path_of_one_stays(host: Host) -> None:
    host.shell(f"rm -f {LOCAL}; echo theirs > {LOCAL}")
    host.serve(site(8091))
    error = host.refuses(site(8091, f"unix:{LOCAL}"))
    assert f"bind() to unix:{LOCAL} failed (98: Address already in use)" in error
    assert host.shell(f"cat {LOCAL}") == "theirs\n"
    host.shell(f"rm {LOCAL}")


def test_a_socket_of_another_process_is_kept_without_waiting_for_an_answer(host: Host) -> None:
    host.shell(f"rm -f {LOCAL}")
    host.serve(site(f"unix:{LOCAL}"))
    # The queue of the other process is full, so that a client has to wait.
    theirs = (f"import socket, time; s = socket.socket(socket.AF_UNIX); s.bind(\"{LOCAL}\"); s.listen(0); "
              f"c = socket.socket(socket.AF_UNIX); c.connect(\"{LOCAL}\"); time.sleep(900)")
    host.shell(f"systemctl stop nginx; rm -f {LOCAL}")
    host.shell(f"systemd-run --quiet --unit=theirs /usr/bin/python3 -c '{theirs}'")
    try:
        wait_until(lambda: host.shell(f"ss -Hlx src {LOCAL}"))
        begin = time.monotonic()
        assert host.run("systemctl start nginx")[0] != 0
        assert time.monotonic() - begin < 20
        assert f"bind() to unix:{LOCAL} failed (98" in host.shell("journalctl --unit=nginx --no-pager")
        assert host.shell(f"ss -Hlx src {LOCAL}")
    finally:
        host.shell("systemctl stop theirs")


def test_a_unix_socket_of_a_site_that_somebody_removed_is_told(host: Host) -> None:
    host.shell(f"rm -f {LOCAL}")
    host.serve(site(8091, f"unix:{LOCAL}"))
    host.shell(f"rm {LOCAL}")
    error = host.refuses(site(8092, f"unix:{LOCAL}"))
    assert f"The socket {LOCAL}, on which nginx serves" in error
    assert host.apply(site(8092, f"unix:{LOCAL}"), allow_restart=True).reload["how"] == "restarted"
    assert serves(host)
