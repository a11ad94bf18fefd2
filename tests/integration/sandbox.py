"""A container that may mount: /etc/nginx is a file system of its own there, in memory, and fast."""

from __future__ import annotations

import json
import subprocess
import uuid
from typing import Any

from .container import AGENT, Container, mounts

MAY_MOUNT = ["--cap-add", "SYS_ADMIN", "--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined"]


class Sandbox(Container):
    """A container in which nothing runs, without a network unless it is told one."""

    def __init__(self, image: str, network: str = "none") -> None:
        self._name = f"wsedge-integration-{uuid.uuid4().hex[:12]}"
        self._process = subprocess.Popen(
            ["docker", "run", "--rm", "--interactive", "--name", self._name, "--network", network, *MAY_MOUNT,
             *mounts(), image, *AGENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.shell("cp -a /etc/nginx /root/nginx && cp -a /var/lib/dpkg/diversions /root/diversions "
                   "&& mkdir -m 700 /run/websocket_proxy && mount -t tmpfs -o mode=755 nginx /etc/nginx")
        self.restore()

    def restore(self) -> None:
        """Put /etc/nginx and dpkg's diversions back as the packages left them."""
        self.shell("find /etc/nginx /run/websocket_proxy -mindepth 1 -delete; rm -f /run/nginx.pid "
                   "&& cp -a /root/nginx/. /etc/nginx && cp -a /root/diversions /var/lib/dpkg/diversions")

    def cut(self, arguments: dict[str, Any], strike: str) -> dict[str, Any]:
        """Run nginx_config once for each call that changes the file system, and STRIKE there; return what was found."""
        self.write({"/tmp/case": json.dumps({"arguments": arguments, "strike": strike})})
        return dict(json.loads(self.shell("PYTHONHASHSEED=0 python3 -B /integration/cutting.py < /tmp/case")))
