"""The edge under test: an inventory compiled, rendered and served just as the role does it, without Ansible."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ansible_collections.wsedge.nginx.plugins.filter.websocket_proxy_model import websocket_proxy_model
from ansible_collections.wsedge.nginx.plugins.plugin_utils.rendering import Renderer

from .container import CHECKOUT, HERE, Container

GENERATION = "000001-000000000000"
FOLDER = f"/etc/nginx/websocket_proxy/{GENERATION}"
RENDERER = Renderer([str(CHECKOUT / "roles/websocket_proxy/templates"), str(HERE / "templates")])
NAMES = {"generation": GENERATION, "generation_files": f"{FOLDER}/*.conf"}


def free_port() -> int:
    """Return a TCP port of this machine that nobody uses."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def rendered(variables: Mapping[str, Any], nginx_version: tuple[int, ...]) -> dict[str, str]:
    """Return every file of nginx's that the role makes of VARIABLES, by path."""
    model = websocket_proxy_model({f"websocket_proxy_{name}": value for name, value in variables.items()},
                                  host={"version": ".".join(str(number) for number in nginx_version)})
    assert model["problems"] == [], model["problems"]
    files = {f"{FOLDER}/{file['name']}": RENDERER.render(file["template"], {**file["vars"], **NAMES})
             for file in model["files"]}
    return {"/etc/nginx/nginx.conf": RENDERER.render("nginx.conf.j2", {**model["main"], **NAMES}), **files}


class Edge:
    """nginx in a container; the default site is off, as the role leaves it."""

    def __init__(self, container: Container) -> None:
        self.container = container
        self.nginx_version = container.nginx_version

    def put(self, variables: Mapping[str, Any], others: Mapping[str, str] | None = None) -> None:
        """Write the configuration for VARIABLES, and files of OTHERS', by their names in conf.d."""
        files = rendered(variables, self.nginx_version)
        self.container.shell("rm -rf /etc/nginx/websocket_proxy /etc/nginx/conf.d/* /etc/nginx/sites-enabled/default")
        self.container.write({**files, **{f"/etc/nginx/conf.d/{name}": text for name, text in (others or {}).items()}})

    def test(self) -> str:
        """Return what nginx says against the configuration: nothing, if all is well."""
        _code, output = self.container.run("nginx -t 2>&1; rm -f /run/nginx.pid")
        return "\n".join(line for line in output.splitlines()
                         if not line.endswith(("syntax is ok", "test is successful")))

    def dump(self) -> str:
        """Return the whole configuration as nginx reads it."""
        return self.container.shell("nginx -T")

    def start(self, variables: Mapping[str, Any], others: Mapping[str, str] | None = None) -> None:
        """Serve VARIABLES, with one worker, so that all requests share its idle connections."""
        self.put({"worker_processes": 1, **variables}, others)
        self.container.shell("nginx")

    def reload(self, variables: Mapping[str, Any]) -> None:
        """Serve other VARIABLES, which is so when no worker of before takes connections any more."""
        before = self.workers()
        self.put({"worker_processes": 1, **variables})
        self.container.shell("nginx -s reload")
        while before & self.workers():
            time.sleep(0.02)

    def workers(self) -> set[int]:
        """Return the workers that take connections."""
        return {int(pid) for pid in self.container.shell(
            "ps -eo pid=,args= | awk '/nginx: worker process$/ {print $1}'").split()}

    @contextmanager
    def only(self, worker: int) -> Iterator[None]:
        """Have one worker take all connections; the kernel may well wake the same one each time, or may not."""
        others = " ".join(str(one) for one in self.workers() - {worker})
        self.container.shell(f"kill -STOP {others}")
        try:
            yield
        finally:
            self.container.shell(f"kill -CONT {others}")

    def stop(self) -> None:
        """End nginx, if it runs."""
        self.container.shell("if [ -s /run/nginx.pid ]; then nginx -s stop; "
                             "while [ -e /run/nginx.pid ]; do sleep 0.01; done; fi")
