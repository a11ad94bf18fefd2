"""The compiler, defaults/main.yml and the reference agree with argument_specs."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec import schema
from tests.support.compiling import compiled
from tests.support.playing import play

CHECKOUT = Path(__file__).parents[2]
ROLE = CHECKOUT / "roles" / "websocket_proxy"
APPLICATIONS: list[dict[str, Any]] = yaml.safe_load((CHECKOUT / "docs/applications.yml").read_text())
SPECS: dict[str, Any] = yaml.safe_load((ROLE / "meta/argument_specs.yml").read_text())["argument_specs"]
SCHEMAS = {"main": schema.ROLE, "apt_repository": schema.APT_REPOSITORY, "upstream": schema.UPSTREAM,
           "server": schema.SERVER, **{name: method.keys for name, method in schema.METHODS.items() if method.keys},
           "probe": schema.PROBE, "site": schema.SITE, "location": schema.LOCATION, "redirect": schema.REDIRECT,
           "respond": schema.RESPOND, "fastcgi": schema.FASTCGI,
           "limits": schema.LIMITS,
           "auth": schema.AUTH, "auth_basic": schema.AUTH_BASIC, "auth_request": schema.AUTH_REQUEST,
           "tls": schema.TLS, "acme": schema.ACME, "hsts": schema.HSTS, "upstream_tls": schema.UPSTREAM_TLS,
           "client_certificate": schema.CLIENT_CERTIFICATE, "listen": schema.LISTEN, "server_name": schema.SERVER_NAME}


def test_each_entry_point_is_one_level_of_the_inventory() -> None:
    assert set(SPECS) == {*SCHEMAS, "inherited"}


@pytest.mark.parametrize("level", SCHEMAS)
def test_each_default_is_of_its_own_kind(level: str) -> None:
    for key in SCHEMAS[level].values():
        if key.validator and key.default is not None:
            key.validator(key.default)


@pytest.mark.parametrize("level", SCHEMAS)
def test_each_choice_is_accepted_and_nothing_else(level: str) -> None:
    for key in SCHEMAS[level].values():
        if key.choices and key.validator:
            of_list = key.type == "list"
            for choice in key.choices:
                assert key.validator([choice] if of_list else choice) == ([choice] if of_list else choice)
            with pytest.raises(ValueError, match="is not one of"):
                key.validator(["another"] if of_list else "another")


def test_the_reference_and_the_defaults_are_written_from_the_specifications() -> None:
    builder = runpy.run_path(str(CHECKOUT / "docs/build_reference.py"))
    assert builder["REFERENCE"].read_text() == builder["reference"](), "run docs/build_reference.py"
    assert builder["DEFAULTS"].read_text() == builder["defaults"](), "run docs/build_reference.py"
    assert builder["APPLICATIONS"].read_text() == builder["applications"](), "run docs/build_reference.py"


@pytest.mark.parametrize("application", APPLICATIONS, ids=[one["name"] for one in APPLICATIONS])
@pytest.mark.parametrize("below", [False, True], ids=["root", "prefix"])
def test_an_application_is_served_with_the_keys_of_its_row(application: dict[str, Any], below: bool) -> None:
    location = {"path": "/", **application["location"], **((application.get("below_prefix") or {}) if below else {})}
    path = f"{'/tools' if below else ''}{location.pop('path')}"
    (site,) = compiled({
        "upstreams": [{"name": "app", "servers": ["127.0.0.1:1"], **application.get("upstream", {})}],
        "sites": [{"server_names": ["a"], "locations": [{"path": path, "upstream": "app", **location}]}]}).sites
    assert site.locations[0].match == [path] and {"name", "source", "application"} <= application.keys()


def test_documentation_escapes_only_where_ansible_unescapes() -> None:
    for path in [ROLE / "meta/argument_specs.yml", *(CHECKOUT / "plugins").glob("*/*.py")]:
        assert not re.findall(r"\b[CM]\([^)]*\\", path.read_text()), path
    assert "\\)" not in (CHECKOUT / "docs/reference.md").read_text()


def test_the_linters_of_a_commit_are_those_of_make_lint() -> None:
    (hooks,) = (one["hooks"] for one in yaml.safe_load((CHECKOUT / ".pre-commit-config.yaml").read_text())["repos"])
    listed = re.findall(r"set -- (.*) \$", (CHECKOUT / "tests/lint").read_text())[0].split()
    assert [hook["id"] for hook in hooks] == listed
    assert {hook["entry"] for hook in hooks} == {f"make lint LINTER={name}" for name in listed}


def test_defaults_of_the_action_group_hold_for_each_of_its_modules(tmp_path: Path) -> None:
    names = yaml.safe_load((CHECKOUT / "meta/runtime.yml").read_text())["action_groups"]["nginx"]
    assert names == [one.stem for one in sorted((CHECKOUT / "plugins/modules").glob("*.py"))
                     if "wsedge.nginx.configuration.files" in one.read_text()]
    (tmp_path / "play.yml").write_text(yaml.safe_dump([{
        "hosts": "localhost", "connection": "local", "gather_facts": False,
        "module_defaults": {"group/wsedge.nginx.nginx": {"path": f"{tmp_path}/main", "folder": f"{tmp_path}/kept"}},
        "tasks": [{"wsedge.nginx.nginx_generations_info": {}, "register": "found"},
                  {"ansible.builtin.assert": {"that": "found.generations == []"}}]}]))
    done = play(tmp_path, "play.yml")
    assert done.returncode == 0, done.stdout
