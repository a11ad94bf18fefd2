# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The keys of the inventory: what may stand where, of which kind, and what holds when it is left out.

``meta/argument_specs.yml`` documents the same keys and ``defaults/main.yml`` sets the same defaults; a unit test
proves that the three agree.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ansible_collections.wsedge.nginx.plugins.plugin_utils import kinds


@dataclass(frozen=True)
class Key:
    """One key.

    ``kind`` is None where the value is a list or mapping that the compiler goes through itself.
    ``type``, ``elements`` and ``choices`` are those of Ansible's argument specification.
    """

    type: str
    kind: Callable[[object], Any] | None = None
    default: Any = None
    elements: str | None = None
    choices: tuple[str, ...] | None = None
    required: bool = False


OTHER_UPGRADES = ("ignore", "reject")

STATES = ("present", "absent")
PLACES = ("own", "drop_in")

ROLE = {
    "websocket_proxy_state": Key("str", kinds.one_of(*STATES), "present", choices=STATES),
    "websocket_proxy_nginx_conf": Key("str", kinds.one_of(*PLACES), "own", choices=PLACES),
    "websocket_proxy_replace_nginx_conf": Key("bool", kinds.boolean, False),
    "websocket_proxy_package": Key("str", kinds.package, "nginx"),
    "websocket_proxy_worker_processes": Key("str", kinds.worker_processes, "auto"),
    # Two connections for each proxied socket, some 0.4 KiB each whether used or not: 8,192 sockets for 7 MB a worker.
    "websocket_proxy_worker_connections": Key("int", kinds.whole(16, 1048576), 16384),
    "websocket_proxy_worker_rlimit_nofile": Key("int", kinds.whole(64, 1073741816), 32768),
    "websocket_proxy_worker_shutdown_timeout": Key("str", kinds.duration_or_never, "1d"),
    "websocket_proxy_keep_generations": Key("int", kinds.whole(1, 1000), 5),
    "websocket_proxy_max_draining_generations": Key("int", kinds.whole(1, 1000), 24),
    "websocket_proxy_allow_restart": Key("bool", kinds.boolean, False),
    "websocket_proxy_other_upgrades": Key("str", kinds.one_of(*OTHER_UPGRADES), "ignore", choices=OTHER_UPGRADES),
    "websocket_proxy_upstreams": Key("list", default=[], elements="dict"),
    "websocket_proxy_sites": Key("list", default=[], elements="dict"),
}

# These belong to the main or events context, where a file included by somebody else's nginx.conf has no say.
MAIN_CONTEXT = ("websocket_proxy_worker_processes", "websocket_proxy_worker_connections",
                "websocket_proxy_worker_rlimit_nofile", "websocket_proxy_worker_shutdown_timeout")

UPSTREAM = {
    "name": Key("str", kinds.name, required=True),
    "servers": Key("list", required=True, elements="str"),
    "keepalive": Key("int", kinds.whole(0, 100000), 0),
}

TIMES = ("read_timeout", "send_timeout", "connect_timeout")

# What a site may say for all its locations; a location's own word wins.
_INHERITED = {
    "read_timeout": Key("str", kinds.duration, "86400"),
    "send_timeout": Key("str", kinds.duration, "60"),
    "connect_timeout": Key("str", kinds.duration, "60"),
    "request_headers": Key("dict", default={}),
}

LOCATION = {
    "path": Key("str", kinds.path, required=True),
    "upstream": Key("str", required=True),
    **_INHERITED,
}

SITE = {
    "name": Key("str", kinds.name),
    "server_names": Key("list", required=True, elements="str"),
    "listen": Key("list", default=["80"], elements="str"),
    "upstream": Key("str"),
    "locations": Key("list", default=[], elements="dict"),
    "other_upgrades": Key("str", kinds.one_of(*OTHER_UPGRADES), choices=OTHER_UPGRADES),
    **_INHERITED,
}
