"""nginx from another role's repository, packaged differently from Debian's."""

from __future__ import annotations

from typing import Any

import pytest
from testinfra.host import Host

from tests.support.scenario import GENERATION, changes, host, played

FILES = ("/etc/apt/keyrings/websocket_proxy.asc", "/etc/apt/preferences.d/websocket_proxy",
         "/etc/apt/sources.list.d/websocket_proxy.sources")


@pytest.fixture(name="host", scope="module")
def host_() -> Host:
    """Return the host with the repository."""
    return host("elsewhere")


def test_the_package_is_the_repositorys_and_what_it_brings_lies_beside_ours(host: Host) -> None:
    assert host.check_output("dpkg-query -W -f '${Version}' nginx") == "1.26.2-1~theirs"
    assert not host.file("/etc/nginx/sites-enabled").exists
    assert host.check_output("dpkg-divert --truename /etc/nginx/nginx.conf") == "/etc/nginx/nginx.conf.distrib"
    assert host.file("/etc/nginx/nginx.conf.distrib").contains("^user  nginx;")
    assert host.check_output("dpkg --verify nginx") == ""


def test_the_edge_serves_and_their_site_answers_only_for_its_own_name(host: Host) -> None:
    running = host.check_output(GENERATION)
    assert host.file("/etc/nginx/nginx.conf").contains(f"/{running}/")
    assert host.check_output("curl -s -o /dev/null -w '%{http_code}' -H 'Host: example.com' http://127.0.0.1/") == "502"
    assert "Welcome to nginx" in host.check_output("curl -s -H 'Host: localhost' http://127.0.0.1/")
    assert host.run("curl -s http://127.0.0.1/").rc == 52
    assert host.check_output("ps -o user= -C nginx | sort -u").split() == ["root", "www-data"]


def test_only_nginx_is_taken_from_there_and_only_with_its_key(host: Host) -> None:
    policy = host.check_output("apt-cache policy nginx")
    assert "1.26.2-1~theirs 900" in policy
    assert "Signed-By: /etc/apt/keyrings/websocket_proxy.asc" in host.file(FILES[2]).content_string
    for path in FILES:
        assert (host.file(path).user, host.file(path).mode) == ("root", 0o644)


def test_without_the_variable_the_repository_is_gone_and_nginx_stays(host: Host) -> None:
    def run(**variables: Any) -> bool:
        return changes(played("--limit", "elsewhere", **variables)) != {"elsewhere": 0}

    assert not run()
    assert run(websocket_proxy_apt_repository={})
    assert not any(host.file(path).exists for path in FILES)
    assert host.check_output("dpkg-query -W -f '${Version}' nginx") == "1.26.2-1~theirs"
    assert not run(websocket_proxy_apt_repository={})
    assert run()
    assert all(host.file(path).exists for path in FILES)
