"""The edge as a drop-in file of another role's nginx.conf."""

from __future__ import annotations

import pytest
from testinfra.host import Host

from tests.support.scenario import GENERATION, changes, host, played


@pytest.fixture(name="host", scope="module")
def host_() -> Host:
    """Return the host whose nginx.conf belongs to another role."""
    return host("shared")


def test_their_nginx_conf_is_theirs(host: Host) -> None:
    assert host.file("/etc/nginx/nginx.conf").contains("worker_connections 512")
    assert host.check_output("dpkg-divert --list '*nginx*'") == ""
    assert host.file("/etc/nginx/sites-enabled/default").is_symlink


def test_the_edge_is_one_file_among_theirs_and_serves(host: Host) -> None:
    assert host.file("/etc/nginx/conf.d/websocket_proxy.conf").is_file
    assert host.check_output("curl -s -o /dev/null -w '%{http_code}' -H 'Host: example.com' http://127.0.0.1/") == "502"
    assert host.check_output("curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:8000/") == "204"
    assert "nginx/" not in host.check_output("curl -s -i -H 'Host: example.com' http://127.0.0.1/")


def test_each_roles_handlers_ran_once_in_the_first_run_and_ours_proved_the_reload(host: Host) -> None:
    assert host.check_output("sort /root/their_handlers | uniq -c | sed 's/^ *//'") == "1 reloaded\n1 validated"
    running = host.check_output(GENERATION)
    assert host.file("/etc/nginx/conf.d/websocket_proxy.conf").contains(f"include .*/{running}/")


def test_an_upgrade_of_packages_exchanges_their_nginx(host: Host) -> None:
    running, pid = host.check_output(GENERATION), host.check_output("cat /run/nginx.pid")
    host.check_output("cp -p /usr/sbin/nginx /root/nginx && mv /root/nginx /usr/sbin/nginx")
    assert host.run("/usr/sbin/policy-rc.d --quiet nginx restart").rc == 101
    assert "nginx was exchanged" in host.check_output("websocket_proxy_reload exchange")
    assert host.check_output("cat /run/nginx.pid") != pid and host.check_output(GENERATION) == running
    assert host.check_output("curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:8000/") == "204"


def test_a_second_run_changes_nothing_and_runs_no_handler(host: Host) -> None:
    assert changes(played("--limit", "shared", playbook="converge.yml")) == {"shared": 0}
    assert host.check_output("wc -l < /root/their_handlers") == "2"
