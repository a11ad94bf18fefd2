"""gixy finds nothing in the files for typical inventories; each check that is skipped here has its reason."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parent / "golden"
GENERATION = "/etc/nginx/websocket_proxy/000001-000000000000"
# These checks are not about security, or are wrong for these files.
LEFT_OUT = {
    "if_is_evil": "each if in a location ends with return, which is what nginx documents as safe",
    "default_server_flag": "the first server on a socket, that of unknown names, is its default",
    "hsts_header": "browsers keep it for years, so it is for the inventory to say",
    "missing_resolver": "names are looked up when nginx loads its configuration, unless resolve is set",
    "proxy_pass_normalized": "rewrite_to gives the backend one path, whatever the client wrote",
    "return_bypasses_allow_deny": "only refusals are returned beside them: respond and redirect cannot have them",
    "try_files_is_evil_too": "about speed",
}


@pytest.mark.parametrize("name", sorted(path.name for path in GOLDEN.iterdir()))
def test_nothing_is_said_against_a_recipe(tmp_path: Path, name: str) -> None:
    for file in (GOLDEN / name).iterdir():
        text = file.read_text().replace(f"{GENERATION}/*.conf", f"{tmp_path}/generation/*.conf")
        folder = tmp_path if file.name == "nginx.conf" else tmp_path / "generation"
        folder.mkdir(exist_ok=True)
        (folder / file.name).write_text(text.replace(GENERATION, f"{tmp_path}/generation"))
    done = subprocess.run(
        [str(Path(sys.executable).with_name("gixy")), "--format", "json", "--skips", ",".join(LEFT_OUT),
         str(tmp_path / "nginx.conf")], capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    assert [(one["plugin"], one["reason"], one["config"]) for one in json.loads(done.stdout)] == []
