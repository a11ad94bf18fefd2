"""What the templates make of the model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.wsedge.nginx.plugins.filter.websocket_proxy_model import websocket_proxy_model
from ansible_collections.wsedge.nginx.plugins.plugin_utils.render.rendering import Renderer

TEMPLATES = str(Path(__file__).parents[2] / "roles/websocket_proxy/templates")


@pytest.mark.parametrize(("keys", "refused"), [
    ({"upstream": "a"}, False), ({"locations": [{"path": "/socket", "upstream": "a"}]}, True)])
def test_paths_that_no_location_has_get_404_and_not_nginxs_own_files(keys: dict[str, Any], refused: bool) -> None:
    model = websocket_proxy_model({"websocket_proxy_upstreams": [{"name": "a", "servers": ["127.0.0.1:3000"]}],
                                   "websocket_proxy_sites": [{"server_names": ["a.example"], **keys}]}, host={})
    site = next(file for file in model["files"] if file["template"] == "site.conf.j2")
    text = Renderer([TEMPLATES]).render(site["template"], site["vars"])
    assert ("        return 404;\n" in text) is refused
