"""Inventories compiled as the role's steps compile them, without Ansible."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.compiler import compile_model
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.host import Host
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.model import Model, Proxy
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.upstreams import Inventory
from ansible_collections.wsedge.nginx.plugins.plugin_utils.render.rendering import Renderer
from ansible_collections.wsedge.nginx.plugins.plugin_utils.role_action import TEMPLATES
from ansible_collections.wsedge.nginx.plugins.plugin_utils.steps import TIMER, TIMERS, asked

RENDERER = Renderer([str(TEMPLATES)])

# A host as nginx_info describes it: nginx is installed, and all but the role's unit is as the role leaves it.
FACTS: dict[str, Any] = {
    "installed": True, "version": "1.26.3-3", "openssl_version": "3.5.4", "enabled": True, "active": True,
    "stale": False, "lists": True, "root": True, "systemd": True, "ipv6": False, "underscores_in_headers": False,
    "local_ports": 28232, "addresses": {}, "files": dict.fromkeys(asked({})["files"], ""),
    "folders": {folder: [TIMER] if folder == TIMERS else [] for folder in asked({})["folders"]},
    "packages": dict.fromkeys(asked({})["packages"], True)}


def compiled(variables: Mapping[str, Any], host: Mapping[str, Any] | None = None,
             groups: Mapping[str, Any] | None = None, hostvars: Mapping[str, Any] | None = None) -> Model:
    """Return the model of VARIABLES, which have no prefix, for a host as nginx_info describes it."""
    return compile_model({f"websocket_proxy_{name}": value for name, value in variables.items()}, Host.of(host or {}),
                         Inventory(groups or {}, hostvars or {}))


def whole(model: Model, proxy: Proxy) -> Proxy:
    """Return a location's PROXY with the headers and directives of the files that it includes."""
    live = [one for one in model.live_params if one.file == proxy.params]
    (params,) = [one.proxy_params for one in live] or [one for one in model.proxy_params if one.file == proxy.params]
    directives = [words for one in (params, *live, proxy) for words in one.directives]
    return replace(proxy, request_headers=params.request_headers + proxy.request_headers,
                   hidden_headers=params.hidden_headers + proxy.hidden_headers, directives=directives)


def values(model: Model, proxy: Proxy | None) -> dict[str, str]:
    """Return the values of the directives of a location's PROXY, by the directive's name."""
    return {name: " ".join(words) for name, *words in whole(model, proxy).directives} if proxy else {}
