"""The inventories of docs/recipes.md, as Ansible reads them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

RECIPES = Path(__file__).parents[2] / "docs/recipes.md"


def recipes() -> dict[str, dict[str, Any]]:
    """Return the recipes by name, each with the proxies' variables, the groups, and the variables of their hosts."""
    found = {}
    for name, text in re.findall(r"```yaml\n# ([a-z-]+)\n(.*?)```", RECIPES.read_text(), re.DOTALL):
        inventory = yaml.safe_load(text)
        hosts = {group: {host: {**content.get("vars", {}), **(told or {})} for host, told in content["hosts"].items()}
                 for group, content in inventory.items()}
        found[name] = {
            "variables": inventory["websocket_proxies"]["vars"],
            "groups": {group: list(names) for group, names in hosts.items()},
            "hostvars": {host: told for names in hosts.values() for host, told in names.items()}}
    return found
