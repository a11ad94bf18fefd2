# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Generator of docs/reference.md, of the role's defaults, and of docs/applications.md.

The sources are the argument specifications of the roles for the first two, and docs/applications.yml for the third.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

CHECKOUT = Path(__file__).parents[1]
REFERENCE = CHECKOUT / "docs" / "reference.md"
DEFAULTS = CHECKOUT / "roles/websocket_proxy/defaults/main.yml"
APPLICATIONS = CHECKOUT / "docs" / "applications.md"
ROLES = ("websocket_proxy", "websocket_echo")


def prose(text: str | list[str]) -> str:
    """Return a description as Markdown, with a paragraph for each element.

    C(), M(), V() and O() become code, and L() becomes a link. Only in V() and O(), Ansible treats a backslash as an
    escape.
    """
    paragraphs = [text] if isinstance(text, str) else text
    marked = r"\b(?:[CM]\(([^)]*)\)|[VO]\(((?:\\.|[^)\\])*)\))"

    def code(found: re.Match[str]) -> str:
        return "`" + (found[1] or re.sub(r"\\(.)", r"\1", found[2])) + "`"

    return "\n\n".join(re.sub(r"\bL\(([^,]+),([^)]+)\)", r"[\1](\2)", re.sub(marked, code, paragraph))
                       for paragraph in paragraphs)


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
    """Return the text of the role's file of defaults, which Ansible itself reads."""
    lines = ["---", "# Written by docs/build_reference.py from meta/argument_specs.yml."]
    for name, spec in specifications("websocket_proxy")["main"]["options"].items():
        value = spec["default"]
        plain = isinstance(value, str) and re.fullmatch(r"[a-z0-9_]+", value)
        lines.append(f"{name}: {value if plain else json.dumps(value)}")
    return "\n".join(lines) + "\n"


def role(name: str) -> str:
    """Return the reference of a role: its variables, then the keys inside them."""
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
    return """# Reference

    ansible-doc -t role wsedge.nginx.websocket_proxy     # this page on the terminal
    ansible-doc wsedge.nginx.websocket_probe             # a module

Every variable and key of the roles. `python docs/build_reference.py` writes this page from their argument
specifications.

""" + "\n".join(role(name) for name in ROLES)


def _flow(keys: dict[str, Any]) -> str:
    return f"`{yaml.safe_dump(keys, default_flow_style=True, sort_keys=False, width=1000).strip()}`"


def _row(application: dict[str, Any]) -> str:
    inventory = [f"{what} {_flow(application[what])}" for what in ("upstream", "location") if application.get(what)]
    below = application.get("below_prefix")
    cells = [f"[{application['name']}]({application['source']})", application.get("tested", "no"),
             "<br>".join(inventory) or "nothing",
             "needs a site of its own" if below is None else _flow(below) if below else "its own option",
             "<br>".join(application["application"]) or "nothing"]
    return f"| {' | '.join(cells)} |"


def applications() -> str:
    """Return the page of applications, from docs/applications.yml."""
    rows = [_row(one) for one in yaml.safe_load((CHECKOUT / "docs/applications.yml").read_text())]
    return """# Applications

```yaml
websocket_proxy_upstreams:
  - {name: app, servers: ["127.0.0.1:8888"]}
websocket_proxy_sites:
  - server_names: [app.example.com]
    locations:
      - {path: /, upstream: app}
```

Most applications need no more than this. The table lists keys that some need, what to set to serve one below a prefix
(here `/tools/`), and what to set in the application itself. Symptoms of missing settings are in
[troubleshooting.md](troubleshooting.md).

"Tested" names the version that the tests serve with these keys, over TLS, and below a prefix if possible. "its own
option" means that the application has a setting for the prefix, and the location only needs `path: /tools/`.

`python docs/build_reference.py` writes this page from [applications.yml](applications.yml).

| application | tested | keys in the inventory | below a prefix | settings of the application |
|---|---|---|---|---|
""" + "\n".join(rows) + "\n"


if __name__ == "__main__":
    REFERENCE.write_text(reference())
    DEFAULTS.write_text(defaults())
    APPLICATIONS.write_text(applications())
