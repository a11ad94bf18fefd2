# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The controller's half of nginx_config: it sends checksums first, and then the texts of what differs on the host."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from ansible.errors import AnsibleActionFail

from ansible_collections.wsedge.nginx.plugins.module_utils.generations import USERS, checksum
from ansible_collections.wsedge.nginx.plugins.module_utils.masking import masked
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.secrets import hidden, secret_lines

NOT_SHOWN = "# Only values that are not shown differ.\n"


def commit(execute: Callable[[dict[str, Any]], dict[str, Any]], options: Mapping[str, Any], main: str,
           files: Mapping[str, str], secrets: Collection[str]) -> dict[str, Any]:
    """Have nginx_config put texts in force, those of MAIN and of the FILES by name; return its result.

    EXECUTE runs the module with arguments: once where nothing differs, twice otherwise. Neither differences nor errors
    show the SECRETS.
    """
    path = options["path"]
    texts = {**files, path: main}
    lines = {name: found for name, text in texts.items() if (found := _hidden_lines(name, text, secrets))}
    answer: dict[str, Any] = {"missing": []}
    # The second pass sends what the first one found missing; another run in between may ask for a third.
    for _attempt in range(3):
        wanted = {name: {"sha256": checksum(text.encode()), "content": text if name in answer["missing"] else None}
                  for name, text in texts.items()}
        answer = execute({**options, "masked": lines, **wanted.pop(path),
                          "files": [{"name": name, **file} for name, file in wanted.items()]})
        if not answer.get("missing"):
            return _told(answer, texts, lines, secrets)
    raise AnsibleActionFail("another run keeps changing this host; run again when it has ended")


def _hidden_lines(name: str, text: str, secrets: Collection[str]) -> list[int]:
    """Return the lines of a file that are not shown; of one with users, that is all of them."""
    return list(range(text.count("\n"))) if name.startswith(USERS) else secret_lines(text, secrets)


def _told(answer: dict[str, Any], texts: Mapping[str, str], lines: Mapping[str, list[int]],
          secrets: Collection[str]) -> dict[str, Any]:
    """Return what the module told, with the difference, and without the SECRETS."""
    # The arguments once more, which -vvv shows.
    answer.pop("invocation", None)
    # nginx's own lines may be of what came out of a vault. From core 2.19 on, the exception has them as well.
    if "msg" in answer:
        answer["msg"] = hidden(answer["msg"], secrets)
        answer.pop("exception", None)
    told = [hidden(line, secrets) for line in answer.pop("told", [])]
    if told:
        answer["warnings"] = [*answer.get("warnings", []), *told]
    before = answer.pop("before", {})
    if answer.get("changed"):
        after = {name: masked(texts.get(name, ""), lines.get(name, ())) for name in answer["different"]}
        # What a run of an earlier version wrote, and what came into a vault since, the host does not know.
        before = {name: masked(text, _hidden_lines(name, text, secrets)) for name, text in before.items()}
        answer["diff"] = [{"before_header": name, "after_header": name, "before": before.get(name, ""),
                           "after": text + (NOT_SHOWN if text == before.get(name) else "")}
                          for name, text in after.items()]
    return answer
