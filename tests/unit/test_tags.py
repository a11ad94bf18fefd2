"""The parts of the roles that each combination of --tags and --skip-tags runs: the chosen ones, and what they need."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

ROLES = Path(__file__).parents[2] / "roles"
PARTS = ("install", "configure", "service")
SUBSETS = [subset for size in range(4) for subset in itertools.combinations(PARTS, size)]


def runs(tags: list[str], only: tuple[str, ...], skip: tuple[str, ...]) -> bool:
    """Return whether Ansible runs a task with these TAGS."""
    return not set(tags) & {*skip} and bool({"all", "tagged"} & {*only} or set(tags) & {*only, "always"})


def files(entries: list[dict[str, Any]], only: tuple[str, ...], skip: tuple[str, ...],
          variables: dict[str, Any]) -> Iterator[str]:
    """Yield the task files that run, in their order."""
    for entry in entries:
        conditions = entry.get("when", [])
        for condition in [conditions] if isinstance(conditions, str) else conditions:
            # All other conditions depend on the host and its model, not on tags.
            if re.search(r"_parts|\.state", condition) and not Templar(
                    DataLoader(), variables=variables).template(trust_as_template("{{ " + condition + " }}")):
                break
        else:
            if "block" in entry:
                yield from files(entry["block"], only, skip, variables)
                continue
            called = entry.get("ansible.builtin.import_tasks") or entry.get("ansible.builtin.include_tasks")
            if called and runs(entry["tags"], only, skip):
                yield called["file"] if isinstance(called, dict) else called


def ran(role: str, state: str, only: tuple[str, ...], skip: tuple[str, ...]) -> list[str]:
    """Return the task files of a role that run."""
    entries, constants = (DataLoader().load_from_file(str(ROLES / role / name), trusted_as_template=True)
                          for name in ("tasks/main.yml", "vars/main.yml"))
    return list(files(entries, only, skip, {
        **constants, "__websocket_proxy_model": {"state": state, "program": True}, "ansible_run_tags": list(only),
        "ansible_skip_tags": list(skip)}))


@pytest.mark.parametrize(("role", "state"), [("websocket_proxy", "present"), ("websocket_proxy", "absent"),
                                             ("websocket_echo", "present")])
@pytest.mark.parametrize("only", [("all",), ("tagged",), ("other",), ("always",), *SUBSETS[1:]], ids=",".join)
def test_each_part_that_is_asked_for_runs_after_one_preflight(role: str, state: str, only: tuple[str, ...]) -> None:
    for skip in [*SUBSETS, *((*subset, "always") for subset in SUBSETS)]:
        found = ran(role, state, only, skip)
        wanted = [part for part in PARTS if (part in only or only in [("all",), ("tagged",)]) and part not in skip]
        assert found[:1] == ["preflight.yml"] if wanted else found == [], skip
        assert found.count("preflight.yml") == bool(wanted), skip
        assert found.count("remove.yml") == (1 if wanted and state == "absent" else 0), skip
        if role == "websocket_proxy" and state == "present":
            assert found.count("program.yml") == bool({"configure", "service"}.intersection(wanted)), skip
        if state == "present":
            assert [name for name in found if name.removesuffix(".yml") in PARTS] == [f"{one}.yml" for one in wanted]


@pytest.mark.parametrize("role", ["websocket_proxy", "websocket_echo"])
def test_a_run_for_another_tag_does_nothing_of_the_role(role: str) -> None:
    assert ran(role, "absent", ("other",), ()) == []
