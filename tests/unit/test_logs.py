"""The logs of an inventory for which the role writes a rule of logrotate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.wsedge.nginx.plugins.module_utils.inspection import rotated_logs
from tests.support.compiling import compiled

SITE: dict[str, Any] = {"server_names": ["a"], "upstream": "u"}


def rotated(found: dict[str, str] | None = None, role: dict[str, Any] | None = None, **site: Any) -> list[str]:
    """Return the logs for which the role writes a rule."""
    return compiled({"upstreams": [{"name": "u", "servers": ["127.0.0.1:1"]}], "sites": [{**SITE, **site}],
                     **(role or {})}, {"rotated_logs": found or {}}).rotated_logs


@pytest.mark.parametrize("site", [
    {}, {"access_log": "/var/log/nginx/shop.log"}, {"access_log": "off"}, {"live_access_log": "/dev/stdout"},
    {"extra_config": "error_log stderr; access_log /srv/logs/$host.log; "
                     "error_log \"/srv/a\\\"b.log\"; access_log /srv/*.log; error_log syslog:server=10.0.0.1;"}])
def test_what_a_rule_has_and_what_is_no_single_file_needs_none(site: dict[str, Any]) -> None:
    assert rotated(**site) == []


@pytest.mark.parametrize("site", [
    {"access_log": "/srv/a.log"}, {"live_access_log": "/srv/a.log"},
    {"upstream": None, "locations": [{"path": "/x", "upstream": "u", "access_log": "/srv/a.log"}]},
    {"extra_config": "error_log /srv/a.log warn;"}, {"extra_config": "location /x { access_log /srv/a.log; }"}])
def test_what_no_rule_has_gets_one(site: dict[str, Any]) -> None:
    assert rotated(**site) == ["/srv/a.log"]
    assert rotated({"/srv/*.log": "/etc/logrotate.d/shop"}, **site) == []
    # The role's own rule does not count. Otherwise the next run would remove this rule.
    assert rotated({"/srv/a.log": "/etc/logrotate.d/websocket_proxy"}, **site) == ["/srv/a.log"]


def test_a_pattern_goes_no_deeper_than_it_says() -> None:
    assert rotated(access_log="/var/log/nginx/shop/a.log") == ["/var/log/nginx/shop/a.log"]
    assert rotated(role={"extra_config": "error_log /var/log/edge.txt;"}) == ["/var/log/edge.txt"]


def test_patterns_are_read_from_files_of_logrotate(tmp_path: Path) -> None:
    (tmp_path / "shop").write_text('"/srv/with space/*.log" /srv/b.log\n/srv/c.log {\n  daily\n  postrotate\n'
                                   "    test -e /srv/no && { echo /srv/none; }\n  endscript\n}\n# /srv/comment.log {\n")
    for name in ("shop.disabled", "shop.dpkg-old", "shop~", ".shop.swp"):
        (tmp_path / name).write_text("/srv/passed_over.log {\n}\n")
    (tmp_path / "quoted").write_text("'/srv/e f.log' {\n}\n")
    (tmp_path / "other").write_text("weekly\n/srv/d*.log{\n  su root adm\n}\n")
    assert rotated_logs(str(tmp_path)) == {
        "/srv/with space/*.log": f"{tmp_path}/shop", "/srv/b.log": f"{tmp_path}/shop",
        "/srv/c.log": f"{tmp_path}/shop", "/srv/e f.log": f"{tmp_path}/quoted", "/srv/d*.log": f"{tmp_path}/other"}
    assert rotated_logs(f"{tmp_path}/none") == {}
