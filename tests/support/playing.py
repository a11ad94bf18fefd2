"""Plays that need no host: they show how Ansible itself treats variables and results."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]


def play(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the ansible-playbook beside this Python in a FOLDER, with this checkout's collection."""
    command = [str(Path(sys.executable).with_name("ansible-playbook")), *arguments]
    environment = {"ANSIBLE_LOCALHOST_WARNING": "0", "ANSIBLE_NOCOLOR": "1", "ANSIBLE_HOME": str(folder),
                   "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".ansible/collections")}
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300,
                          env={**os.environ, **environment})
