# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The host program, ``files/host_program.py`` of the role, as one file: a zip file that Python runs (PEP 441)."""

from __future__ import annotations

import ast
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.layout import LAYOUTS
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.model import Settings

PROGRAM = "/usr/local/sbin/websocket_proxy_reload"

_PACKAGE = "ansible_collections.wsedge.nginx.plugins.module_utils"
_PLUGINS = Path(__file__).parents[2]
_MAIN = _PLUGINS.parent / "roles/websocket_proxy/files/host_program.py"
# The date of every file in the zip file. With the current time, the zip file would differ from run to run.
_DATE = (1980, 1, 1, 0, 0, 0)


def program(settings: Settings) -> bytes:
    """Return the program: the same bytes from every controller."""
    options = {**LAYOUTS[settings.nginx_conf].options(), "max_draining": settings.max_draining_generations,
               "warn_days": settings.certificate_warn_days}
    parts = _PACKAGE.split(".")
    members = {f"{'/'.join(parts[:depth])}/__init__.py": b"" for depth in range(1, len(parts) + 1)}
    members.update((f"{'/'.join(parts)}/{path.name}", path.read_bytes()) for path in _imported(_MAIN))
    members["__main__.py"] = _MAIN.read_bytes()
    members["settings.json"] = json.dumps(options, sort_keys=True).encode()
    made = io.BytesIO()
    # With -I, neither the folder from which it is called nor the user's environment matters.
    made.write(b"#!/usr/bin/python3 -BI\n")
    with zipfile.ZipFile(made, "a", zipfile.ZIP_STORED) as archive:
        for name, content in sorted(members.items()):
            entry = zipfile.ZipInfo(name, _DATE)
            entry.create_system = 3  # Unix, wherever it was made
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)
    return made.getvalue()


def _imported(path: Path) -> set[Path]:
    """Return the files of the library that a program imports, directly or indirectly."""
    found: set[Path] = set()
    waiting = [path]
    while waiting:
        new = set(_imports(waiting.pop())) - found
        found |= new
        waiting += new
    return found


def _imports(path: Path) -> Iterator[Path]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (f"{node.module}.").startswith(f"{_PACKAGE}."):
            name = str(node.module).removeprefix(_PACKAGE).removeprefix(".")
            yield from (_PLUGINS / "module_utils" / f"{one}.py" for one in ([name] if name else [
                alias.name for alias in node.names]))
