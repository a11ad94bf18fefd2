"""The files that become of typical inventories, kept as a person would read them.

After a change that is meant to show there, GOLDEN=write pytest tests/unit/test_golden.py writes them anew; read the
diff then.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.wsedge.nginx.plugins.filter.websocket_proxy_model import websocket_proxy_model
from ansible_collections.wsedge.nginx.plugins.plugin_utils.render.rendering import Renderer
from tests.support.recipes import recipes

GOLDEN = Path(__file__).parent / "golden"
TEMPLATES = Path(__file__).parents[2] / "roles/websocket_proxy/templates"
# The same for every inventory but for what a recipe adds to it.
COMMON = ("status.conf",)


@pytest.mark.parametrize("name", recipes())
def test_a_recipe_becomes_the_files_that_are_kept(name: str) -> None:
    recipe = recipes()[name]
    model = websocket_proxy_model(recipe["variables"], {"version": "1.26.3", "ipv6": True}, recipe["groups"],
                                  recipe["hostvars"])
    assert model["problems"] == []
    renderer = Renderer([str(TEMPLATES)])
    generation = "000001-000000000000"
    names = {"generation": generation, "generation_files": f"/etc/nginx/websocket_proxy/{generation}/*.conf"}
    texts = {file["name"]: renderer.render(file["template"], {**file["vars"], **names}) for file in model["files"]
             if file["name"] not in COMMON}
    texts["nginx.conf"] = renderer.render("nginx.conf.j2", {**model["main"], **names})
    folder = GOLDEN / name
    if os.environ.get("GOLDEN") == "write":
        folder.mkdir(parents=True, exist_ok=True)
        for file in folder.iterdir():
            file.unlink()
        for file_name, text in texts.items():
            (folder / file_name).write_text(text)
    assert {file.name: file.read_text() for file in folder.iterdir()} == texts
