# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Writes docs/reference.md, and the defaults of websocket_proxy, from the argument specifications of the roles."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

CHECKOUT = Path(__file__).parents[1]
REFERENCE = CHECKOUT / "docs" / "reference.md"
DEFAULTS = CHECKOUT / "roles/websocket_proxy/defaults/main.yml"
ROLES = ("websocket_proxy", "websocket_echo")


def prose(text: str | list[str]) -> str:
    """Return a description as Markdown: one paragraph for each element, Ansible's C(), M(), V() and O() as code.

    Ansible takes a backslash for an escape in the last two only.
    """
    paragraphs = [text] if isinstance(text, str) else text
    marked = r"\b(?:[CM]\(([^)]*)\)|[VO]\(((?:\\.|[^)\\])*)\))"

    def code(found: re.Match[str]) -> str:
        return "`" + (found[1] or re.sub(r"\\(.)", r"\1", found[2])) + "`"

    return "\n\n".join(re.sub(marked, code, paragraph) for paragraph in paragraphs)


def option(name: str, spec: dict[str, Any]) -> str:
    """Return one variable or key with its type, default, choices and description."""
    kind = spec["type"] + (f" of {spec['elements']}" if "elements" in spec else "")
    facts = [kind]
    if "choices" in spec:
        facts.append("one of " + ", ".join(f"`{choice}`" for choice in spec["choices"]))
    if spec.get("required"):
        facts.append("required")
    elif "default" in spec:
        facts.append(f"default `{json.dumps(spec['default'])}`")
    return f"#### `{name}`\n\n*{'; '.join(facts)}*\n\n{prose(spec['description'])}\n"


def specifications(name: str) -> dict[str, Any]:
    """Return the entry points of a role."""
    path = CHECKOUT / "roles" / name / "meta" / "argument_specs.yml"
    return dict(yaml.safe_load(path.read_text())["argument_specs"])


def defaults() -> str:
    """Return the defaults of the role's variables, which Ansible reads itself."""
    lines = ["---", "# Written by docs/build_reference.py from meta/argument_specs.yml."]
    for name, spec in specifications("websocket_proxy")["main"]["options"].items():
        value = spec["default"]
        plain = isinstance(value, str) and re.fullmatch(r"[a-z0-9_]+", value)
        lines.append(f"{name}: {value if plain else json.dumps(value)}")
    return "\n".join(lines) + "\n"


def role(name: str) -> str:
    """Return the reference of a role: its variables, then what stands inside them."""
    specs = specifications(name)
    parts = [f"## Role `{name}`\n"]
    for entry, spec in specs.items():
        if entry == "main":
            parts.append(f"{prose(spec['description'])}\n\n### Variables\n")
        else:
            parts.append(f"### {spec['short_description']}\n\n{prose(spec['description'])}\n")
        parts += [option(key, value) for key, value in spec["options"].items()]
    return "\n".join(parts)


def reference() -> str:
    """Return the whole reference."""
    return ("# Reference\n\nWritten by `python docs/build_reference.py` from the roles' argument specifications. The "
            "modules have their documentation in `ansible-doc wsedge.nginx.nginx_config` and the like.\n\n"
            + "\n".join(role(name) for name in ROLES))


if __name__ == "__main__":
    REFERENCE.write_text(reference())
    DEFAULTS.write_text(defaults())
