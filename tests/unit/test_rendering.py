"""The output of the templates for a model."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.wsedge.nginx.plugins.plugin_utils.render.files import rendered
from tests.support.compiling import RENDERER, compiled


@pytest.mark.parametrize(("keys", "refused"), [
    ({"upstream": "a"}, False), ({"locations": [{"path": "/socket", "upstream": "a"}]}, True)])
def test_paths_that_no_location_has_get_404_and_not_nginxs_own_files(keys: dict[str, Any], refused: bool) -> None:
    model = compiled({"upstreams": [{"name": "a", "servers": ["127.0.0.1:3000"]}],
                      "sites": [{"server_names": ["a.example"], **keys}]})
    text = rendered(model, RENDERER, "/etc/nginx/websocket_proxy", "1")[1]["site-a.example.conf"]
    assert ("        return 404;\n" in text) is refused
