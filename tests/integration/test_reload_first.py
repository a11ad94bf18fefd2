"""Failures of the first run, and broken files of any role: the host returns to its previous state."""

from __future__ import annotations

import time

from tests.support.host import FOLDER, SOCKET, Host, site
from tests.support.releases import NEWEST

TAKEN = "[emerg] bind() to 0.0.0.0:80 failed (98: "


def serves_debians_page(host: Host) -> bool:
    """Return whether nginx serves the page of its package."""
    return "Welcome to nginx" in host.run("curl --silent http://127.0.0.1/")[1]


def test_a_first_run_with_port_80_taken_leaves_the_package_as_it_was(host: Host) -> None:
    tree = host.tree()
    with host.other(80):
        error = host.apply(site(80)).error
        assert TAKEN in error and "Port 80 is held by" in error
        assert host.tree() == tree and "diversion of /etc/nginx/nginx.conf" not in tree
    # systemd tries again after 2 seconds, unless the run has told it to give up.
    time.sleep(4)
    assert host.run("systemctl is-active nginx")[1] == "inactive\n"
    host.shell("systemctl start nginx")
    assert serves_debians_page(host)
    host.serve(site(80))
    assert not serves_debians_page(host)


def test_a_rejected_reload_of_debians_running_nginx_leaves_it_as_it_was(host: Host) -> None:
    host.shell("systemctl start nginx")
    with host.other(8092):
        error = host.refuses(site(80, 8092))
        assert "[emerg] bind() to 0.0.0.0:8092 failed (98: " in error and "Port 8092 is held by" in error
        # nginx creates its new sockets before it gives up, and leaves them.
        assert host.run(f"test -e {SOCKET}")[0] != 0
        host.shell("systemctl restart nginx")
        assert serves_debians_page(host)
    host.serve(site(80, 8092))


def test_a_file_that_somebody_breaks_after_the_commit_is_found_before_the_reload(host: Host) -> None:
    generation = host.serve(site(8091))
    before, tree = host.nginx(), host.tree()
    assert host.configure(site(8092))["changed"]
    host.write({"/etc/nginx/conf.d/theirs.conf": "no such directive;\n"})
    error = host.validate()["msg"]
    assert "[emerg]" in error and 'unknown directive "no" in /etc/nginx/conf.d/theirs.conf:1' in error
    host.shell("rm /etc/nginx/conf.d/theirs.conf")
    assert host.tree() == tree and host.nginx() == before and host.answer() == generation
    host.restarts(generation)
    host.serve(site(8092))


@NEWEST
def test_a_broken_file_of_another_role_is_found_by_every_run_and_costs_nothing(host: Host) -> None:
    generation = host.serve(site(8091))
    host.write({"/etc/nginx/conf.d/theirs.conf": "no such directive;\n"})
    for variables in (site(8091), site(8092), site(8092)):
        assert "/etc/nginx/conf.d/theirs.conf:1" in host.refuses(variables)
    host.shell("rm /etc/nginx/conf.d/theirs.conf")
    host.restarts(generation)


@NEWEST
def test_a_generation_that_never_ran_is_not_what_is_put_back(host: Host) -> None:
    assert host.configure(site(80))["changed"]
    with host.other(80):
        assert "The previous configuration is back on disk" in host.apply(site(80, 8092)).error
    host.shell("systemctl start nginx")
    assert serves_debians_page(host)


@NEWEST
def test_a_removal_that_was_cut_before_its_reload_is_finished_by_the_next(host: Host) -> None:
    host.serve(site(8091))
    removal = {"state": "absent", "folder": FOLDER, "socket": SOCKET, "divert": True}
    assert host.module("nginx_config", removal)["changed"] and host.answer()
    assert host.module("nginx_config", removal)["changed"] and host.reload()["how"] == "reloaded" and not host.answer()
    assert not host.module("nginx_config", removal)["changed"]
