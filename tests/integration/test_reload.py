"""Reloads: each is proved, or the previous configuration keeps running and is on disk again."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.host import SERVED
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.host import Host as Known
from ansible_collections.wsedge.nginx.plugins.plugin_utils.render.program import PROGRAM
from tests.support.host import FOLDER, Host, site, zone
from tests.support.releases import NEWEST
from tests.support.waiting import wait_until

ELSEWHERE = "192.0.2.1:8091"


def test_a_commit_and_its_reload_are_proved(host: Host) -> None:
    host.serve(site(8091))
    before = host.nginx()
    run = host.apply(site(8092))
    after = host.nginx()
    assert run.reload["how"] == "reloaded" and run.reload["generation"] == run.config["generation"] == host.answer()
    assert after.master == before.master and not after.workers & before.workers


def test_nginx_that_does_not_run_is_started_and_proved(host: Host) -> None:
    run = host.apply(site(8091))
    assert run.reload["how"] == "started" and run.reload["generation"] == host.answer() == run.config["generation"]
    assert host.shell("systemctl is-active nginx").strip() == "active"


@NEWEST
def test_a_host_tells_which_sites_it_serves(host: Host) -> None:
    assert Known.of(host.module("nginx_info", {"folders": [SERVED]})).sites == set()
    host.serve(site(8091, name="chat.example.com"))
    assert Known.of(host.module("nginx_info", {"folders": [SERVED]})).sites == {"chat.example.com"}


@NEWEST
def test_a_second_run_with_the_same_inventory_touches_nothing(host: Host) -> None:
    host.serve(site(8091))
    before, tree = host.nginx(), host.tree()
    run = host.apply(site(8091))
    assert not run.changed and not run.error
    assert host.nginx() == before and host.tree() == tree


def test_a_port_of_another_process_is_refused_and_named(host: Host) -> None:
    generation = host.serve(site(8091))
    with host.other(8092):
        # A restart would fail as well.
        error = host.refuses(site(8091, 8092), allow_restart=True)
        assert "[emerg] bind() to 0.0.0.0:8092 failed (98: " in error
        assert "allow_restart" not in error
        assert re.search(r"Port 8092 is held by /usr/bin/python3 .* \(pid [0-9]+\)", error)
        host.restarts(generation)
    host.serve(site(8091, 8092))


RESTART_WOULD_DO = pytest.mark.parametrize(("first", "then", "files", "told"), [
    (site(8091), site("127.0.0.1:8091"), ({}, {}), "bind() to 127.0.0.1:8091 failed (98: "),
    (site(8091), site(8091), (zone("$binary_remote_addr"), zone("$http_host")), "while previously it used the"),
], ids=["narrowed address", "other key of a zone"])


@RESTART_WOULD_DO
def test_what_only_a_restart_can_do_is_refused(host: Host, first: dict[str, Any], then: dict[str, Any],
                                               files: tuple[dict[str, str], dict[str, str]], told: str) -> None:
    generation = host.serve(first, files[0])
    error = host.refuses(then, files[1])
    assert "[emerg]" in error and told in error and "websocket_proxy_allow_restart: true" in error
    host.restarts(generation)
    host.serve(site(8092), files[0])


@RESTART_WOULD_DO
def test_what_only_a_restart_can_do_is_done_when_allowed(host: Host, first: dict[str, Any], then: dict[str, Any],
                                                         files: tuple[dict[str, str], dict[str, str]],
                                                         told: str) -> None:
    host.serve(first, files[0])
    before = host.nginx().master
    run = host.apply(then, files[1], allow_restart=True)
    assert not run.error and run.reload["how"] == "restarted"
    assert host.answer() == run.config["generation"] and host.nginx().master != before


def test_an_address_that_the_host_lacks_is_refused_before_the_commit(host: Host) -> None:
    generation = host.serve(site(8091))
    error = host.refuses(site(ELSEWHERE))
    assert "the configuration in force was not changed" in error
    assert f"[emerg] bind() to {ELSEWHERE} failed (99: " in error
    host.restarts(generation)
    # Beside a wildcard, nginx opens only the wildcard.
    host.serve(site(8091, ELSEWHERE))


def test_a_missing_pid_file_does_not_keep_nginx_from_its_reload(host: Host) -> None:
    host.serve(site(8091))
    before = host.nginx()
    host.shell("rm /run/nginx.pid")
    run = host.apply(site(8092))
    assert not run.error and run.reload["how"] == "reloaded" and host.answer() == run.config["generation"]
    assert host.nginx().master == before.master and not host.nginx().workers & before.workers
    host.restarts(run.config["generation"])


@NEWEST
def test_a_restart_that_fails_leaves_nginx_serving_what_it_served(host: Host) -> None:
    generation = host.serve(site(8091), zone("$binary_remote_addr"))
    tree = host.tree()
    with host.other(8092):
        # nginx fails at the zone first, so it does not report the port before the restart.
        run = host.apply(site(8091, 8092), zone("$http_host"), allow_restart=True)
        assert "[emerg] bind() to 0.0.0.0:8092 failed (98: " in run.error
        assert "nginx was started again with the previous configuration" in run.error
        assert host.answer() == generation and host.tree() == tree


@NEWEST
def test_a_restart_is_not_offered_where_another_process_holds_an_address_of_the_port(host: Host) -> None:
    generation = host.serve(site("127.0.0.2:8091"))
    with host.other(8091, "127.0.0.1"):
        error = host.refuses(site(8091), allow_restart=True)
        assert "websocket_proxy_allow_restart" not in error and "Port 8091 is held by" in error
    assert host.answer() == generation


@NEWEST
def test_a_reload_that_is_not_proved_in_time_is_taken_back(host: Host) -> None:
    generation = host.serve(site(8091))
    tree = host.tree()
    error = host.apply(site(8092), timeout=0).error
    assert "It logged no error within 0 seconds" in error and f"{generation} is back on disk" in error
    assert host.tree() == tree
    wait_until(lambda: len(host.nginx().workers) == 2 and not host.nginx().ending)
    assert host.answer() == generation
    host.serve(site(8092))


@NEWEST
def test_what_traffic_writes_to_the_error_log_does_not_fail_a_reload(host: Host) -> None:
    nobody = {"nobody.conf": "server {\n    listen 8099;\n    location / {\n        proxy_pass http://unix:/nobody;\n"
                             "    }\n}\n"}
    host.serve(site(8091), nobody)
    host.shell("systemd-run --quiet --unit=other-traffic sh -c 'while :; do curl -s http://127.0.0.1:8099/; done'")
    wait_until(lambda: host.shell("grep -c crit /var/log/nginx/error.log || :").strip() > "5")
    run = host.apply(site(8092), nobody)
    host.shell("systemctl stop other-traffic")
    assert not run.error and run.reload["how"] == "reloaded"


@NEWEST
@pytest.mark.parametrize("start", [
    "nginx -c /root/other.conf -g 'daemon off;'",
    "unshare --mount --pid --fork "
    "sh -c 'mount --bind /root/other.conf /etc/nginx/nginx.conf; nginx -g \"daemon off;\"'",
], ids=["another configuration's", "a container's"])
def test_an_nginx_of_another_user_is_not_taken_for_ours(host: Host, start: str) -> None:
    host.write({"/root/other.conf": "pid /run/other.pid;\nevents {}\n"})
    host.shell(f"systemd-run --quiet --unit=other-nginx {start}")
    wait_until(lambda: host.run("test -s /run/other.pid")[0] == 0 and host.nginx().workers)
    other = host.nginx()
    assert host.apply(site(8091)).reload["how"] == "started"
    assert host.shell(f"ps -o pid= --ppid {other.master}").split() == [str(pid) for pid in other.workers]
    host.shell("systemctl stop other-nginx")


@NEWEST
def test_the_command_for_a_reload_without_ansible_proves_it_as_well(host: Host) -> None:
    generation = host.serve(site(8091))
    before = host.nginx().workers
    host.install_program()
    assert host.shell(PROGRAM) == f"nginx was reloaded: {generation}\n"
    assert not host.nginx().workers & before
    host.write({"/etc/nginx/conf.d/theirs.conf": "no such directive;\n"})
    code, told = host.run(PROGRAM)
    assert code == 1 and 'unknown directive "no"' in told


@NEWEST
def test_errors_show_nothing_of_a_line_that_is_secret(host: Host) -> None:
    files = {"theirs.conf": "# first\nmap $uri $theirs { default S3cret; }\n"}
    run = host.configure(site(8091), files, masked={"theirs.conf": [1]})
    assert host.reload()["how"] == "started"
    host.shell(f"""sed -i 's/^map.*/S3cret_key "S3cret";/' {FOLDER}/{run['generation']}/theirs.conf""")
    refused = host.configure(site(8091), {"theirs.conf": "S3cret;\n"}, masked={"theirs.conf": [0]})
    for told in (host.validate(), host.reload(), refused):
        assert 'unknown directive "********"' in told["msg"]
        assert "S3cret" not in told["msg"]
