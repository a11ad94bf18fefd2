# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The controller's half of nginx_config: it renders every file in one pass and sends only what the host lacks."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from jinja2 import TemplateError

from ansible_collections.wsedge.nginx.plugins.module_utils.generations import MAIN, MARKER
from ansible_collections.wsedge.nginx.plugins.plugin_utils.render.rendering import Renderer
from ansible_collections.wsedge.nginx.plugins.plugin_utils.render.sending import commit

MODULE = "wsedge.nginx.nginx_config"


class ActionModule(ActionBase):
    """The action that runs the module with checksums, and again with the texts that the host lacks."""

    _requires_connection = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Render the files, and send the texts that the host lacks."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        # Modules write their arguments to the host's journal, which not only root can read.
        task_vars = {**(task_vars or {}), "ansible_no_target_syslog": True}
        secrets = [str(secret) for secret in arguments.pop("secrets", None) or []]
        if arguments.get("state", "present") != "present":
            result.update(self._execute_module(module_name=MODULE, module_args=arguments, task_vars=task_vars))
            return result
        files = _checked(arguments.pop("files", []))
        renderer = Renderer([folder for root in self._task.get_search_path()
                             for folder in (os.path.join(root, "templates"), root)])
        names = {"generation": MARKER, "generation_files": f"{arguments.get('folder')}/{MARKER}/*.conf"}
        options = {"path": "/etc/nginx/nginx.conf", **arguments, "template": None, "vars": {}}
        result.update(commit(
            lambda given: self._execute_module(module_name=MODULE, module_args=given, task_vars=task_vars), options,
            _text(renderer, options["path"], arguments, names),
            {file["name"]: _text(renderer, file["name"], file, names) for file in files}, secrets))
        return result


def _checked(files: Any) -> list[dict[str, Any]]:
    """Return the files, or fail if the controller cannot work with them."""
    if not isinstance(files, Sequence) or not all(isinstance(file, Mapping) for file in files):
        raise AnsibleActionFail("files has to be a list of mappings")
    seen: set[str] = set()
    for file in files:
        name = file.get("name")
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name) \
                or name in seen or name == MAIN:
            raise AnsibleActionFail(f"files: {name!r} is not a plain file name such as site.conf, or is used twice")
        seen.add(name)
    return [dict(file) for file in files]


def _text(renderer: Renderer, name: str, file: Mapping[str, Any], values: Mapping[str, Any]) -> str:
    """Return the text of a file, from its template or its content."""
    if (file.get("template") is None) == (file.get("content") is None):
        raise AnsibleActionFail(f"{name}: give either template or content")
    if file.get("content") is not None:
        return str(file["content"])
    try:
        return renderer.render(file["template"], {**(file.get("vars") or {}), **values})
    except (TemplateError, TypeError, ValueError) as error:
        raise AnsibleActionFail(f"{name}: {file['template']}: {type(error).__name__}: {error}") from error
