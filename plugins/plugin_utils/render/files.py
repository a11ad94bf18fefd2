# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The files of a generation, each rendered from the model with its template."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.layout import LAYOUTS
from ansible_collections.wsedge.nginx.plugins.plugin_utils.model.model import Model
from ansible_collections.wsedge.nginx.plugins.plugin_utils.render.rendering import Renderer


def _files(model: Model) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Give each file of a generation: its name, its template, and the values for the template besides the model."""
    for name in ("http.conf", "status.conf", "upstreams.conf"):
        yield name, f"{name}.j2", {}
    for params in model.proxy_params:
        yield params.file, "proxy_params.j2", {"params": params}
    for live in model.live_params:
        yield live.file, "live_params.j2", {"live": live}
    if model.fastcgi_params:
        yield "fastcgi_params", "fastcgi_params.j2", {}
    if model.default_servers:
        yield "refuse.conf", "refuse.conf.j2", {}
    for site in model.sites:
        yield f"site-{site.name}.conf", "site.conf.j2", {"site": site}


def rendered(model: Model, renderer: Renderer, folder: str, generation: str) -> tuple[str, dict[str, str]]:
    """Return the text of the main file, and the texts of the files of the GENERATION in FOLDER by name."""
    seen = {**vars(model), "generation": generation, "generation_folder": f"{folder}/{generation}"}
    main = renderer.render(LAYOUTS[model.nginx_conf].template, seen)
    files = {name: renderer.render(template, {**seen, **more}) for name, template, more in _files(model)}
    return main, {**files, **model.user_files}
