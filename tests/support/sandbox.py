"""A container that may mount file systems: its /etc/nginx is one in memory, which is fast."""

from __future__ import annotations

import json
from typing import Any

from .container import Container

MAY_MOUNT = ["--cap-add", "SYS_ADMIN", "--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined"]


SOCKET = "/run/websocket_proxy/nginx.sock"
THEIRS = """# edited
user www-data;
events {}
http {
    include mime.types;
    include /etc/nginx/conf.d/*.conf;
    include sites-enabled/*;
}
"""


def arguments(answer: str = "generation", **more: Any) -> dict[str, Any]:
    """Return arguments of nginx_config, with ANSWER in one file.

    The server in this file conflicts with the package's default site: both want to be the default server of port 80.
    """
    return {"folder": "/etc/nginx/websocket_proxy", "divert": True, "keep": 2, "socket": SOCKET,
            "unlink": ["/etc/nginx/sites-enabled/default"],
            "content": "# of the tests\nuser www-data;\nevents {}\nhttp {\n"
                       "    include /etc/nginx/websocket_proxy/@generation@/*.conf;\n"
                       "    include /etc/nginx/conf.d/*.conf;\n    include /etc/nginx/sites-enabled/*;\n}\n",
            "files": [{"name": "status.conf", "content": "# of the tests\nserver {\n"
                       f"    listen unix:{SOCKET};\n    location = /generation {{ return 200 @generation@; }}\n}}\n"},
                      {"name": "site.conf", "content": "# of the tests\nserver {\n    listen 80 default_server;\n"
                       f"    return 200 {answer};\n}}\n"}], **more}


def drop_in(answer: str = "generation", **more: Any) -> dict[str, Any]:
    """Return arguments of nginx_config for a host whose nginx.conf is another role's."""
    files = [{**file, "content": file["content"].replace("80 default_server", "81")}
             for file in arguments(answer)["files"]]
    return {**arguments(), "divert": False, "unlink": [], "path": "/etc/nginx/conf.d/websocket_proxy.conf",
            "entry": "/etc/nginx/nginx.conf", "files": files,
            "content": "# of the tests\ninclude /etc/nginx/websocket_proxy/@generation@/*.conf;\n", **more}


class Sandbox(Container):
    """A container in which nothing runs, by default without a network."""

    def __init__(self, image: str, network: str = "none") -> None:
        super().__init__(image, network, *MAY_MOUNT)
        self.shell("mount -t tmpfs -o mode=755,nr_inodes=9999 nginx /etc/nginx")
        self.restore()

    def restore(self) -> None:
        """Restore /etc/nginx and dpkg's diversions as the packages left them."""
        self.shell("find /etc/nginx /run/websocket_proxy -mindepth 1 -delete; rm -f /run/nginx.pid "
                   "&& cp -a /root/nginx/. /etc/nginx && cp -a /root/diversions /var/lib/dpkg/diversions")

    def edit(self) -> None:
        """Replace nginx.conf with another role's file."""
        self.write({"/etc/nginx/nginx.conf": THEIRS})

    def commit(self, what: dict[str, Any], **how: Any) -> str:
        """Run nginx_config, which must succeed; return the generation."""
        result = self.module("nginx_config", what, **how)
        assert not result.get("failed"), result["msg"]
        return str(result["generation"])

    def tree(self) -> str:
        """Return every path below /etc/nginx with its type, mode, owner, content and time, and all diversions."""
        return self.shell("cd /etc/nginx && find . -type d -printf '%p %m %u:%g\\n' "
                          "-o -printf '%p %y %m %u:%g %l %T@\\n' | sort && "
                          "find . -type f -exec sha256sum {} + | sort && cat /var/lib/dpkg/diversions "
                          "&& ls -A /run/websocket_proxy && ls /run | grep nginx || true")

    def dump(self) -> str:
        """Return the whole configuration as nginx reads it."""
        return self.shell(f"nginx -T; code=$?; rm -f /run/nginx.pid {SOCKET}; exit $code")

    def cut(self, arguments: dict[str, Any], futures: dict[str, list[dict[str, Any]]], strike: str,
            step: int) -> dict[str, Any]:
        """Run nginx_config once for one call in each STEP calls that change files, and STRIKE there.

        Return the report of fault_injection.py. It has the state after each strike, and the result of each of the
        FUTURES on that state; a future is a list of runs, one after the other.
        """
        self.write({"/tmp/case": json.dumps(
            {"arguments": arguments, "futures": futures, "strike": strike, "step": step})})
        return dict(json.loads(self.shell("PYTHONHASHSEED=0 python3 -B /inside/fault_injection.py < /tmp/case")))
