"""A callback that writes each task's name, start time and number of results to $TASK_TIMES, as JSON."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: task_times
type: aggregate
short_description: The duration and the number of results of each task
description: Only for the benchmarks.
"""


class CallbackModule(CallbackBase):
    """The callback; it records only times and counts, so that it takes hardly any time itself."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "task_times"

    def __init__(self) -> None:
        super().__init__()
        self.tasks: list[dict[str, Any]] = []

    def _began(self, task: Any) -> None:
        self.tasks.append({"name": task.get_name().rsplit(" : ", 1)[-1], "began": time.time(), "results": 0})

    def _result(self, result: Any) -> None:
        task = self.tasks[-1]
        task["results"] += 1
        task["ended"] = time.time()

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        self._began(task)

    def v2_playbook_on_handler_task_start(self, task: Any) -> None:
        self._began(task)

    def v2_runner_on_ok(self, result: Any) -> None:
        self._result(result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._result(result)

    def v2_runner_on_skipped(self, result: Any) -> None:
        self._result(result)

    def v2_runner_item_on_ok(self, result: Any) -> None:
        self._result(result)

    def v2_runner_item_on_failed(self, result: Any) -> None:
        self._result(result)

    def v2_runner_item_on_skipped(self, result: Any) -> None:
        self._result(result)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        changed = sum(stats.changed.values())
        Path(os.environ["TASK_TIMES"]).write_text(json.dumps({"changed": changed, "tasks": self.tasks}))
