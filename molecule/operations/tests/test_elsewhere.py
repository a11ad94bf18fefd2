"""nginx from somebody else's repository, packed in another way than Debian's."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from testinfra.host import Host

testinfra_hosts = ["ansible://elsewhere"]

INVENTORY = str(Path(os.environ["MOLECULE_INVENTORY_FILE"]).parent)
FILES = ("/etc/apt/keyrings/websocket_proxy.asc", "/etc/apt/preferences.d/websocket_proxy",
         "/etc/apt/sources.list.d/websocket_proxy.sources")


def play(**variables: Any) -> str:
    """Run the documented playbook on the host; return its output."""
    done = subprocess.run(["ansible-playbook", "-i", INVENTORY, "wsedge.nginx.site", "--limit", "elsewhere",
                           "-e", json.dumps(variables)], capture_output=True, text=True, check=False, timeout=300,
                          env={**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0"})
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_package_is_the_repositorys_and_what_it_brings_lies_beside_ours(host: Host) -> None:
    assert host.check_output("dpkg-query -W -f '${Version}' nginx") == "1.26.2-1~theirs"
    assert not host.file("/etc/nginx/sites-enabled").exists
    assert host.check_output("dpkg-divert --truename /etc/nginx/nginx.conf") == "/etc/nginx/nginx.conf.distrib"
    assert host.file("/etc/nginx/nginx.conf.distrib").contains("^user  nginx;")
    assert host.check_output("dpkg --verify nginx") == ""


def test_the_edge_serves_and_their_site_answers_for_its_own_name_alone(host: Host) -> None:
    running = host.check_output("curl -s --unix-socket /run/websocket_proxy/nginx.sock http://edge/generation")
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
    assert "changed=0" in play()
    play(websocket_proxy_apt_repository={})
    assert not any(host.file(path).exists for path in FILES)
    assert host.check_output("dpkg-query -W -f '${Version}' nginx") == "1.26.2-1~theirs"
    assert "changed=0" in play(websocket_proxy_apt_repository={})
    play()
    assert all(host.file(path).exists for path in FILES)
