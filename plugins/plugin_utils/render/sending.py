# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The controller's half of nginx_config: it sends checksums first, and then the texts of the files that differ."""

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
    """Commit the text of MAIN and the texts of FILES by name with nginx_config, and return its result.

    EXECUTE runs the module with arguments: once if nothing differs, and twice otherwise. Neither differences nor errors
    show the SECRETS.
    """
    path = options["path"]
    texts = {**files, path: main}
    lines = {name: found for name, text in texts.items() if (found := _hidden_lines(name, text, secrets))}
    answer: dict[str, Any] = {"missing": []}
    # The second pass sends the texts that the first pass reports as missing. Another run in between may make a third
    # pass necessary.
    for _attempt in range(3):
        wanted = {name: {"sha256": checksum(text.encode()), "content": text if name in answer["missing"] else None}
                  for name, text in texts.items()}
        answer = execute({**options, "masked": lines, **wanted.pop(path),
                          "files": [{"name": name, **file} for name, file in wanted.items()]})
        if not answer.get("missing"):
            return _told(answer, texts, lines, secrets)
    raise AnsibleActionFail("another run keeps changing this host; run again when it has ended")


def _hidden_lines(name: str, text: str, secrets: Collection[str]) -> list[int]:
    """Return the numbers of the lines that are not shown; for a file of users, those of all lines."""
    return list(range(text.count("\n"))) if name.startswith(USERS) else secret_lines(text, secrets)


def _told(answer: dict[str, Any], texts: Mapping[str, str], lines: Mapping[str, list[int]],
          secrets: Collection[str]) -> dict[str, Any]:
    """Return the result of the module, with the difference and without the SECRETS."""
    # The result repeats the arguments, and -vvv would show them.
    answer.pop("invocation", None)
    # nginx's error messages may quote text from a vault. From ansible-core 2.19 on, the exception contains them as
    # well.
    if "msg" in answer:
        answer["msg"] = hidden(answer["msg"], secrets)
        answer.pop("exception", None)
    told = [hidden(line, secrets) for line in answer.pop("told", [])]
    if told:
        answer["warnings"] = [*answer.get("warnings", []), *told]
    before = answer.pop("before", {})
    if answer.get("changed"):
        after = {name: masked(texts.get(name, ""), lines.get(name, ())) for name in answer["different"]}
        # The host does not know which lines to hide if a previous version of the role wrote the file, or if a value has
        # been moved to a vault since.
        before = {name: masked(text, _hidden_lines(name, text, secrets)) for name, text in before.items()}
        answer["diff"] = [{"before_header": name, "after_header": name, "before": before.get(name, ""),
                           "after": text + (NOT_SHOWN if text == before.get(name) else "")}
                          for name, text in after.items()]
    return answer
