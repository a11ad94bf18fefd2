# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The controller's half of nginx_config: renders every file in one pass and sends only what the host lacks."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from jinja2 import TemplateError

from ansible_collections.wsedge.nginx.plugins.module_utils.generations import MAIN, MARKER, checksum
from ansible_collections.wsedge.nginx.plugins.module_utils.masking import masked
from ansible_collections.wsedge.nginx.plugins.plugin_utils.render.rendering import Renderer
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.secrets import hidden, secret_lines

MODULE = "wsedge.nginx.nginx_config"

NOT_SHOWN = "# Only values that are not shown differ.\n"


class ActionModule(ActionBase):
    """Runs the module once with checksums, and once more with texts where they differ."""

    _requires_connection = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Render, compare, send what the host lacks."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        # Modules write their arguments to the host's journal, which more people read than root.
        task_vars = {**(task_vars or {}), "ansible_no_target_syslog": True}
        secrets = [str(secret) for secret in arguments.pop("secrets", None) or []]
        if arguments.get("state", "present") != "present":
            result.update(self._execute_module(module_name=MODULE, module_args=arguments, task_vars=task_vars))
            return result
        path = arguments.get("path", "/etc/nginx/nginx.conf")
        files = _checked(arguments.get("files", []))
        renderer = Renderer([folder for root in self._task.get_search_path()
                             for folder in (os.path.join(root, "templates"), root)])
        names = {"generation": MARKER, "generation_files": f"{arguments.get('folder')}/{MARKER}/*.conf"}
        texts = {path: _text(renderer, path, arguments, names)}
        texts.update((file["name"], _text(renderer, file["name"], file, names)) for file in files)

        arguments["masked"] = {name: lines for name, text in texts.items() if (lines := secret_lines(text, secrets))}

        answer: dict[str, Any] = {"missing": []}
        # The second pass sends what the first one found missing; another run in between may ask for a third.
        for _attempt in range(3):
            wanted = {name: {"sha256": checksum(text.encode()), "content": text if name in answer["missing"] else None}
                      for name, text in texts.items()}
            arguments.update(wanted.pop(path), template=None, vars={},
                             files=[{"name": name, **file} for name, file in wanted.items()])
            answer = self._execute_module(module_name=MODULE, module_args=arguments, task_vars=task_vars)
            if not answer.get("missing"):
                break
        else:
            raise AnsibleActionFail("another run keeps changing this host; try again when it has ended")
        # The arguments once more, which -vvv shows.
        answer.pop("invocation", None)
        # nginx's own lines may be of what came out of a vault. From core 2.19 on, the exception has them as well.
        if "msg" in answer:
            answer["msg"] = hidden(answer["msg"], secrets)
            answer.pop("exception", None)
        told = answer.pop("told", [])
        result.update(answer)
        if told:
            result["warnings"] = [*result.get("warnings", []), *(hidden(line, secrets) for line in told)]
        before = result.pop("before", {})
        if result.get("changed"):
            after = {name: masked(texts.get(name, ""), arguments["masked"].get(name, ()))
                     for name in result["different"]}
            # What a run of an earlier version wrote, and what came into a vault since, the host does not know.
            before = {name: masked(text, secret_lines(text, secrets)) for name, text in before.items()}
            result["diff"] = [{"before_header": name, "after_header": name, "before": before.get(name, ""),
                               "after": after[name] + (NOT_SHOWN if after[name] == before.get(name) else "")}
                              for name in after]
        return result


def _checked(files: Any) -> list[dict[str, Any]]:
    """Return the files, or fail where the controller could not go on with them."""
    if not isinstance(files, Sequence) or not all(isinstance(file, Mapping) for file in files):
        raise AnsibleActionFail("files has to be a list of mappings")
    seen: set[str] = set()
    for file in files:
        name = file.get("name")
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name) \
                or name in seen or name == MAIN:
            raise AnsibleActionFail(f"files: {name!r} is not a plain file name, or is taken already")
        seen.add(name)
    return [dict(file) for file in files]


def _text(renderer: Renderer, name: str, file: Mapping[str, Any], values: Mapping[str, Any]) -> str:
    """Return the text of a file, which has a template or a content of its own."""
    if (file.get("template") is None) == (file.get("content") is None):
        raise AnsibleActionFail(f"{name}: give either template or content")
    if file.get("content") is not None:
        return str(file["content"])
    try:
        return renderer.render(file["template"], {**(file.get("vars") or {}), **values})
    except (TemplateError, TypeError, ValueError) as error:
        raise AnsibleActionFail(f"{name}: {file['template']}: {type(error).__name__}: {error}") from error
