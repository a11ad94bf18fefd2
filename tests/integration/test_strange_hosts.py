"""Hosts that lack something, or are container images: the role runs there with Ansible's own connection."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.container import CHECKOUT, Container
from tests.support.releases import NEWEST
from tests.support.sandbox import arguments

VARIABLES = {"websocket_proxy_upstreams": [{"name": "echo", "servers": ["127.0.0.1:3000"]}],
             "websocket_proxy_sites": [{"server_names": ["a.example"], "upstream": "echo"}]}


@pytest.fixture
def bare(image: str) -> Iterator[Container]:
    """Provide a container in which nothing runs, not even systemd."""
    container = Container(image, "none")
    yield container
    container.remove()


def play(container: Container, **variables: Any) -> tuple[int, str]:
    """Run the role on a container; return the exit status and Ansible's output."""
    host = {"ansible_connection": "community.docker.docker", "ansible_python_interpreter": "/usr/bin/python3",
            **VARIABLES, **variables}
    with tempfile.NamedTemporaryFile("w", suffix=".json") as inventory:
        json.dump({"websocket_proxies": {"hosts": {container.name: host}}}, inventory)
        inventory.flush()
        done = subprocess.run(
            [Path(sys.executable).parent / "ansible-playbook", "--inventory", inventory.name, "wsedge.nginx.site"],
            cwd=CHECKOUT, capture_output=True, text=True, check=False, env={**os.environ, "ANSIBLE_NOCOLOR": "1"})
    return done.returncode, done.stdout + done.stderr


def files(container: Container) -> str:
    """Return every file that a run might change."""
    return container.shell("find /etc /usr /var/lib ! -type d ! -name '*.pyc' -printf '%p %l %u %m %T@\\n' | sort")


@NEWEST
def test_a_host_without_systemd_is_refused_before_it_is_touched(bare: Container) -> None:
    before = files(bare)
    code, told = play(bare)
    assert code != 0 and "does not run systemd" in told
    assert files(bare) == before


@NEWEST
def test_a_host_without_systemd_is_given_back(bare: Container) -> None:
    before = bare.shell("cd /etc && find nginx systemd -printf '%p %m %l\\n' | sort && md5sum nginx/nginx.conf")
    assert bare.module("nginx_config", arguments())["changed"]
    bare.shell("nginx")
    code, told = play(bare, websocket_proxy_state="absent")
    assert code == 0, told
    assert bare.shell("cd /etc && find nginx systemd -printf '%p %m %l\\n' | sort && md5sum nginx/nginx.conf") == before
    assert "Welcome to nginx" in bare.shell("curl --silent http://127.0.0.1/")


@NEWEST
def test_a_run_without_become_says_what_is_missing(bare: Container) -> None:
    before = files(bare)
    code, told = play(bare, ansible_user="nobody", ansible_become=False, ansible_remote_tmp="/tmp/.ansible")
    assert code != 0 and "become: true" in told
    assert files(bare) == before


@NEWEST
def test_an_edge_that_is_part_of_an_image_is_pruned_and_removed(bare: Container) -> None:
    before = bare.shell("find /etc/nginx -printf '%p %m %l\\n' | sort")
    for answer in ("a", "b"):
        assert bare.module("nginx_config", arguments(answer))["changed"]
    bare.shell("rm -rf /run/websocket_proxy /root/nginx /root/diversions")
    image = subprocess.run(["docker", "commit", bare.name], capture_output=True, text=True, check=True).stdout.strip()
    try:
        container = Container(image, "none")
        try:
            assert container.module("nginx_config", arguments("c"))["changed"]
            assert len(container.shell("ls -d /etc/nginx/websocket_proxy/0*").split()) == 2
            removed = container.module("nginx_config", {**arguments("c"), "state": "absent"})
            assert removed.get("changed"), removed
            assert container.shell("find /etc/nginx -printf '%p %m %l\\n' | sort") == before
        finally:
            container.remove()
    finally:
        subprocess.run(["docker", "rmi", "--force", image], capture_output=True, check=False)
