"""The host program: one file, the same from every controller, that contains everything that it imports."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from ansible_collections.wsedge.nginx.plugins.plugin_utils.render.program import program
from tests.support.compiling import compiled

VARIABLES = {"upstreams": [{"name": "a", "servers": ["127.0.0.1:3000"]}],
             "sites": [{"server_names": ["a.example"], "upstream": "a"}]}
# Imports everything, deletes the program's file, and then prints the origin of each module of the collection.
IMPORTED = """
import os, runpy, sys
path = sys.argv[1]
sys.path.insert(0, path)
runpy.run_path(path, run_name="imported")
os.unlink(path)
for name, module in sorted(sys.modules.items()):
    if name.startswith("ansible") and getattr(module, "__file__", ""):
        print(module.__file__)
"""


def made() -> bytes:
    """Return the program for a host."""
    return program(compiled(VARIABLES))


def test_it_is_the_same_whenever_and_wherever_it_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    first = made()
    old = os.umask(0o077)
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    monkeypatch.setattr("time.time", lambda: 2e9)
    try:
        assert made() == first
    finally:
        os.umask(old)
    entries = zipfile.ZipFile(io.BytesIO(first)).infolist()
    assert [one.filename for one in entries] == sorted(one.filename for one in entries)
    assert {(one.date_time, one.compress_type) for one in entries} == {((1980, 1, 1, 0, 0, 0), zipfile.ZIP_STORED)}


def test_another_setting_is_another_program() -> None:
    assert program(compiled({**VARIABLES, "nginx_conf": "drop_in"})) != made()
    assert program(compiled({**VARIABLES, "max_draining_generations": 2})) != made()
    assert program(compiled({**VARIABLES, "keep_generations": 2})) == made()


def test_it_holds_what_it_imports_and_has_imported_all_before_it_does_anything(tmp_path: Path) -> None:
    path = tmp_path / "program"
    path.write_bytes(made())
    done = subprocess.run([sys.executable, "-BI", "-c", IMPORTED, str(path)], capture_output=True, text=True,
                          check=True)
    files = done.stdout.split()
    assert len(files) > 8
    assert all(file.startswith(f"{path}/") for file in files)


def test_it_names_its_commands(tmp_path: Path) -> None:
    path = tmp_path / "program"
    path.write_bytes(made())
    done = subprocess.run([sys.executable, "-BI", str(path), "--help"], capture_output=True, text=True, check=True)
    assert "reload" in done.stdout and "clear-sockets" in done.stdout
    assert subprocess.run([sys.executable, "-BI", str(path), "other"], capture_output=True, check=False).returncode == 2
