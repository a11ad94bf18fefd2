"""The edge under test: it compiles, renders and serves an inventory as the role does, without Ansible."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from ansible_collections.wsedge.nginx.plugins.action.websocket_proxy_certificates import options
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.model import Model
from ansible_collections.wsedge.nginx.plugins.plugin_utils.render.files import rendered as files_of
from ansible_collections.wsedge.nginx.plugins.plugin_utils.render.rendering import Renderer
from ansible_collections.wsedge.nginx.plugins.plugin_utils.role_action import TEMPLATES

from .compiling import compiled
from .container import HERE, Container
from .waiting import wait_until

GENERATION = "000001-000000000000"
CERTIFICATES = "/etc/nginx/websocket_proxy_certificates"
FOLDER = f"/etc/nginx/websocket_proxy/{GENERATION}"
RENDERER = Renderer([str(TEMPLATES), str(HERE / "templates")])
MAIN = "/etc/nginx/nginx.conf"


def _complaints(output: str) -> str:
    return "\n".join(line for line in output.splitlines() if not line.endswith(("syntax is ok", "test is successful")))


def rendered(model: Model, folder: str = FOLDER) -> dict[str, str]:
    """Return every nginx file that the role makes of a model, by path, always with the layout ``own``."""
    main, files = files_of(replace(model, nginx_conf="own"), RENDERER, *folder.rsplit("/", 1))
    return {MAIN: main, **{f"{folder}/{name}": text for name, text in files.items()}}


class Edge:
    """nginx in a container; the default site is disabled, as the role leaves it."""

    def __init__(self, container: Container) -> None:
        self.container = container
        self.nginx_version = container.nginx_version
        self.look()

    def look(self) -> None:
        """Read the facts of the host again, as the role does."""
        self._host = self.container.module("nginx_info", {})

    def compiled(self, variables: Mapping[str, Any], groups: Mapping[str, Any] | None = None,
                 hostvars: Mapping[str, Any] | None = None) -> Model:
        """Return the compiler's model of VARIABLES, which have no prefix, for this nginx."""
        found = {name: self._host[name] for name in ("version", "openssl_version", "underscores_in_headers")}
        return compiled(variables, found, groups, hostvars)

    def put(self, variables: Mapping[str, Any], others: Mapping[str, str] | None = None) -> None:
        """Write the configuration for VARIABLES, and the files of OTHERS by their names in conf.d."""
        self._put(self.compiled(variables), others)

    def _put(self, model: Model, others: Mapping[str, str] | None = None) -> None:
        files = rendered(model)
        self._place(options(model)["certificates"])
        self.container.shell("rm -rf /etc/nginx/websocket_proxy /etc/nginx/conf.d/* /etc/nginx/sites-enabled/default")
        self.container.write({**files, **{f"/etc/nginx/conf.d/{name}": text for name, text in (others or {}).items()}})

    def _place(self, certificates: Sequence[Mapping[str, Any]]) -> None:
        """Make the certificates that the role makes on the host itself."""
        if certificates:
            placed = self.container.module("nginx_certificates", {
                "certificates": certificates, "folder": CERTIFICATES, "generations": FOLDER})
            assert not placed.get("failed"), placed

    def tests(self, models: Sequence[Model]) -> list[str]:
        """Return the complaints of nginx about each of many configurations."""
        told = []
        self.container.shell("rm -rf /etc/nginx/sites-enabled/default /etc/nginx/conf.d/*")
        for first in range(0, len(models), 100):
            some = models[first:first + 100]
            made = {one["certificate"]: one for model in some for one in options(model)["certificates"]}
            self._place([one for one in made.values() if one["source"] == "self_signed"])
            self.container.shell("rm -rf /tmp/many")
            self.container.write({
                f"/tmp/many/{number}.conf" if path == MAIN else path: text for number, model in enumerate(some)
                for path, text in rendered(model, f"/tmp/many/{number}").items()})
            output = self.container.shell(f"for number in $(seq 0 {len(some) - 1}); do echo '<<<'; "
                                          "nginx -t -c /tmp/many/$number.conf 2>&1; done; rm -f /run/nginx.pid")
            told += [_complaints(one) for one in output.split("<<<\n")[1:]]
        return told

    def test(self) -> str:
        """Return the complaints of nginx about the configuration; empty if there are none."""
        return _complaints(self.container.run("nginx -t 2>&1; rm -f /run/nginx.pid")[1])

    def dump(self) -> str:
        """Return the whole configuration as nginx reads it."""
        return self.container.shell("nginx -T")

    def start(self, variables: Mapping[str, Any], others: Mapping[str, str] | None = None) -> None:
        """Serve VARIABLES, by default with one worker, so that all requests share its idle connections."""
        variables = {"worker_processes": 1, **variables}
        self.start_model(self.compiled(variables), others)
        # A worker has its master's title until it sets its own.
        wait_until(lambda: len(self.workers()) == variables["worker_processes"])

    def start_model(self, model: Model, others: Mapping[str, str] | None = None) -> str:
        """Serve a model of the role's compiler unchanged; return the complaints of nginx about it."""
        self._put(model, others)
        return self.container.shell("nginx")

    def asked(self, questions: Sequence[Mapping[str, Any]], backends: Sequence[str] = (),
              certificate: str = "") -> list[dict[str, Any]]:
        """Return the answers to QUESTIONS that a client asks inside the container, while BACKENDS run there.

        The backends use TLS if CERTIFICATE is set, which is a file with their certificate and its key.
        """
        self.container.write({"/tmp/wanted.json": json.dumps(
            {"questions": questions, "backends": backends, "certificate": certificate})})
        return list(json.loads(self.container.shell("python3 /inside/peers.py < /tmp/wanted.json")))

    def reload(self, variables: Mapping[str, Any]) -> None:
        """Serve new VARIABLES, and wait until no previous worker accepts connections."""
        before = self.workers()
        self.put({"worker_processes": 1, **variables})
        self.container.shell("nginx -s reload")
        wait_until(lambda: not before & self.workers())

    def workers(self) -> set[int]:
        """Return the workers that accept connections."""
        return {int(pid) for pid in self.container.shell(
            "ps -eo pid=,args= | awk '/nginx: worker process$/ {print $1}'").split()}

    @contextmanager
    def only(self, worker: int) -> Iterator[None]:
        """Have one WORKER accept all connections; without this, the kernel may choose any worker each time."""
        others = " ".join(str(one) for one in self.workers() - {worker})
        # The kernel gives connections to a worker until it has really stopped.
        self.container.shell(f"kill -STOP {others}; for pid in {others}; do "
                             "until grep -q '^State:.T' /proc/$pid/status; do sleep 0.01; done; done")
        try:
            yield
        finally:
            self.container.shell(f"kill -CONT {others}")

    def stop(self) -> None:
        """Stop nginx if it runs."""
        # Not with nginx -s: it reads the configuration, which a test may have broken meanwhile.
        self.container.shell("if [ -s /run/nginx.pid ]; then kill $(cat /run/nginx.pid); "
                             "while [ -e /run/nginx.pid ]; do sleep 0.01; done; fi")
