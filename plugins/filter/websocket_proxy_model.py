# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The filter that hands the inventory to the compiler, and its model or its refusal back to the role."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ansible_collections.wsedge.nginx.plugins.plugin_utils.model import forwarded
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.compiler import InventoryError, compile_model
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.host import Host
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.upstreams import Inventory
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.secrets import unmarked

DOCUMENTATION = r"""
name: websocket_proxy_model
short_description: Compile the variables of the role websocket_proxy
version_added: 0.1.0
author: wsedge contributors (@wsedge)
description:
  - Checks every variable of the role C(websocket_proxy), fills in every default and resolves every
    reference.
  - All that is wrong is reported at once; each problem names its full path in the inventory.
positional: _input
options:
  _input:
    description: All variables of the host whose names begin with C(websocket_proxy_), by name.
    type: dict
    required: true
  host:
    description: What M(wsedge.nginx.nginx_info) has found on the host.
    type: dict
    required: true
  groups:
    description: The groups of the inventory with their hosts, for upstreams whose servers are a group.
    type: dict
    default: {}
  hostvars:
    description: The variables of the inventory's hosts. C(websocket_proxy_server) and C(ansible_host) are looked at.
    type: dict
    default: {}
  before:
    description: The names of the sites with which the role was used before in the same run.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: The problems of an inventory are shown
  ansible.builtin.debug:
    msg: "{{ variables | wsedge.nginx.websocket_proxy_model(host={}) }}"
  vars:
    variables:
      websocket_proxy_upstreams:
        - name: chat
          servers: [10.0.0.1:3000]
      websocket_proxy_sites:
        - server_names: [chat.example.com]
          upstream: chta
"""

RETURN = r"""
_value:
  description:
    - With problems, only RV(ignore:problems).
    - Otherwise the model of the edge.
  type: dict
  contains:
    problems:
      description: What is wrong, one line for each problem; empty when nothing is.
      type: list
      elements: str
    warnings:
      description: What can be used and is probably not what was meant, one line for each.
      type: list
      elements: str
    main:
      description: What the template of C(nginx.conf) sees.
      type: dict
    files:
      description: The other files, as O(wsedge.nginx.nginx_config#module:files) takes them.
      type: list
      elements: dict
    sites:
      description: The names of the sites; none where the edge is to be absent.
      type: list
      elements: str
    certificates:
      description: The certificates of the sites, as M(wsedge.nginx.nginx_certificates) takes them.
      type: list
      elements: dict
    references:
      description: The files on the host that nginx reads with its configuration.
      type: list
      elements: str
    packages:
      description: The Debian packages that the host needs beside nginx's.
      type: list
      elements: str
"""


def websocket_proxy_model(variables: Mapping[str, Any], host: Mapping[str, Any],
                          groups: Mapping[str, Sequence[str]] | None = None,
                          hostvars: Mapping[str, Mapping[str, Any]] | None = None,
                          before: Sequence[str] = ()) -> dict[str, Any]:
    """Return the model of the edge as plain data, or what is wrong with the VARIABLES."""
    try:
        model = unmarked(asdict(compile_model(
            variables, Host.of(host), Inventory(groups or {}, hostvars or {}), before)))
    except InventoryError as error:
        return {"problems": error.problems}
    sites = model.pop("sites")
    upstreams = {name: model.pop(name) for name in ("routes", "sources", "upstreams")}
    http = {name: model.pop(name) for name in ("trusted", "hosts", "extra")}
    http["forwarded"] = {"places": forwarded.places(), "schemes": forwarded.schemes()}
    http["tls"] = any(site["tls"] for site in sites)
    refusing = model.pop("refusing")
    beside = {name: model.pop(name) for name in ("warnings", "certificates", "references", "packages")}
    files = [
        {"name": "http.conf", "template": "http.conf.j2", "vars": http},
        {"name": "status.conf", "template": "status.conf.j2", "vars": {}},
        {"name": "upstreams.conf", "template": "upstreams.conf.j2", "vars": upstreams},
    ]
    if refusing:
        files.append({"name": "refuse.conf", "template": "refuse.conf.j2", "vars": {"refusing": refusing}})
    files += [{"name": f"site-{site['name']}.conf", "template": "site.conf.j2", "vars": {"site": site}}
              for site in sites]
    names = [site["name"] for site in sites] if model["state"] == "present" else []
    return {"problems": [], "main": model, "files": files, "sites": names, **beside}


class FilterModule:
    """Entry point for Ansible."""

    @staticmethod
    def filters() -> dict[str, Callable[..., Any]]:
        """Return the filter of this file."""
        return {"websocket_proxy_model": websocket_proxy_model}
