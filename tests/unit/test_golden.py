"""The files for typical inventories, kept as a person would read them.

After an intended change, GOLDEN=write pytest tests/unit/test_golden.py writes them again. Then read the diff.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.wsedge.nginx.plugins.plugin_utils.render.files import rendered
from tests.support.compiling import RENDERER, compiled
from tests.support.recipes import recipes

GOLDEN = Path(__file__).parent / "golden"
# Not kept, because it is the same for every inventory except for the additions of a recipe.
COMMON = ("status.conf",)


@pytest.mark.parametrize("name", recipes())
def test_a_recipe_becomes_the_files_that_are_kept(name: str) -> None:
    recipe = recipes()[name]
    model = compiled({key.removeprefix("websocket_proxy_"): value for key, value in recipe["variables"].items()},
                     {"version": "1.26.3", "ipv6": True}, recipe["groups"], recipe["hostvars"])
    main, texts = rendered(model, RENDERER, "/etc/nginx/websocket_proxy", "000001-000000000000")
    texts = {"nginx.conf": main, **{name: text for name, text in texts.items() if name not in COMMON}}
    folder = GOLDEN / name
    if os.environ.get("GOLDEN") == "write":
        folder.mkdir(parents=True, exist_ok=True)
        for file in folder.iterdir():
            file.unlink()
        for file_name, text in texts.items():
            (folder / file_name).write_text(text)
    assert {file.name: file.read_text() for file in folder.iterdir()} == texts
