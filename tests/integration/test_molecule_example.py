"""The Molecule scenario of the documentation as a user runs it: a copy elsewhere, with the built collection."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tests.support.container import CHECKOUT

BASES = ["debian:trixie", "wsedge-base:trixie"]


def run(folder: Path, *command: object, **environment: str) -> str:
    """Run a command, which must succeed; return its output."""
    ours = {name: value for name, value in os.environ.items()
            if not name.startswith(("ANSIBLE_", "MOLECULE_", "PYTHONPATH"))}
    done = subprocess.run([str(word) for word in command], cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, env={**ours, **environment}, check=False)
    assert done.returncode == 0, done.stdout[-8000:]
    return done.stdout


def test_it_works_as_it_stands(tmp_path: Path, image_names: dict[str, str]) -> None:
    assert image_names["trixie"]
    shutil.copytree(CHECKOUT / "docs/molecule", tmp_path / "edge")
    home = {"ANSIBLE_HOME": str(tmp_path / "home"), "ANSIBLE_COLLECTIONS_PATH": str(tmp_path / "home/collections")}
    run(CHECKOUT, "ansible-galaxy", "collection", "build", "--output-path", tmp_path, **home)
    (archive,) = tmp_path.glob("wsedge-nginx-*.tar.gz")
    run(tmp_path, "ansible-galaxy", "collection", "install", "--offline", archive, "-p", tmp_path / "home/collections",
        **home)
    here = run(tmp_path, "docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}").split()
    base = next(name for name in BASES if name in here)
    folder = tmp_path / "edge"
    run(folder, "docker", "build", "--build-arg", f"BASE={base}", "--tag", "edge-host:trixie", "molecule/default")
    told = run(folder, "molecule", "test", **home)
    assert "Send a message through the edge and get it back" in told
