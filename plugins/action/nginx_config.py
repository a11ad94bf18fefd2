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

from ansible_collections.wsedge.nginx.plugins.module_utils.generations import MARKER, checksum
from ansible_collections.wsedge.nginx.plugins.plugin_utils.rendering import Renderer

MODULE = "wsedge.nginx.nginx_config"


class ActionModule(ActionBase):
    """Runs the module once with checksums, and once more with texts where they differ."""

    _requires_connection = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Render, compare, send what the host lacks."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        main, files = self._checked(self._task.args.get("main"), self._task.args.get("files"))
        path = main.get("path", "/etc/nginx/nginx.conf")
        renderer = Renderer([folder for root in self._task.get_search_path()
                             for folder in (os.path.join(root, "templates"), root)])
        pattern = f"{self._task.args.get('folder')}/{MARKER}/*.conf"
        texts = {path: _text(renderer, "main", main, {"generation": pattern})}
        texts.update((file["name"], _text(renderer, file["name"], file, {})) for file in files)

        before: dict[str, str] = {}
        answer: dict[str, Any] = {"missing": []}
        # The second pass sends what the first one found missing; another run in between may ask for a third.
        for _attempt in range(3):
            wanted = {name: {"sha256": checksum(text.encode()), "content": text if name in answer["missing"] else None}
                      for name, text in texts.items()}
            arguments = dict(self._task.args, main={"path": path, **wanted.pop(path)},
                             files=[{"name": name, **file} for name, file in wanted.items()])
            answer = self._execute_module(module_name=MODULE, module_args=arguments, task_vars=task_vars)
            if not answer.get("missing"):
                break
            before = answer["before"]
        else:
            raise AnsibleActionFail("another run keeps changing this host; try again when it has ended")
        result.update(answer)
        if result.get("changed"):
            result["diff"] = [
                {"before_header": name, "after_header": name, "before": before.get(name, ""),
                 "after": texts.get(name, "").replace(MARKER, result["generation"])}
                for name in result["different"]]
        return result

    @staticmethod
    def _checked(main: Any, files: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Return both arguments, or fail where the controller could not go on with them."""
        if not isinstance(main, Mapping) or not isinstance(files, Sequence) \
                or not all(isinstance(file, Mapping) for file in files):
            raise AnsibleActionFail("main has to be a mapping, and files a list of mappings")
        seen: set[str] = set()
        for file in files:
            name = file.get("name")
            if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name) or name in seen:
                raise AnsibleActionFail(f"files: {name!r} is not a plain file name, or is there twice")
            seen.add(name)
        return dict(main), [dict(file) for file in files]


def _text(renderer: Renderer, name: str, file: Mapping[str, Any], values: Mapping[str, Any]) -> str:
    """Return the text of a file, which has a template or a content of its own."""
    if ("template" in file) == ("content" in file):
        raise AnsibleActionFail(f"{name}: give either template or content")
    if "content" in file:
        return str(file["content"])
    try:
        return renderer.render(file["template"], {**file.get("vars", {}), **values})
    except (TemplateError, TypeError, ValueError) as error:
        raise AnsibleActionFail(f"{name}: {file['template']}: {type(error).__name__}: {error}") from error
