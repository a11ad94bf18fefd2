# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Options of several modules; the documentation fragment ``configuration`` describes them."""

from __future__ import annotations

from typing import Any

from ansible_collections.wsedge.nginx.plugins.module_utils.config_test import COMMAND

# The paths of a configuration.
FILES: dict[str, Any] = {
    "path": {"type": "str", "default": "/etc/nginx/nginx.conf"},
    "folder": {"type": "str", "required": True},
}

# The options for its changes and tests.
CONFIGURATION: dict[str, Any] = {
    **FILES,
    "entry": {"type": "str"},
    "divert": {"type": "bool", "default": False},
    "validate": {"type": "str", "default": COMMAND},
    "pid_file": {"type": "str", "default": "/run/nginx.pid"},
    "called": {"type": "dict", "default": {}},
}


def called(params: dict[str, Any], option: str, value: str = "true") -> str:
    """Return an option with a value, as messages name it."""
    return str(params["called"].get(option, f"{option}: {value}"))
