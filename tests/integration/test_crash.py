"""A run that is cut off anywhere leaves the old configuration or the new one, and the next run finishes its work.

Every call with which a run changes the file system is struck in its turn, none is left out: those of the module, of
dpkg-divert and of nginx -t. What nginx reads and what the module does is the same with every release, what dpkg does
may not be: so the oldest release has the first commit, and the newest everything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from .sandbox import Sandbox, arguments, drop_in

KILL = "signal=KILL"
FULL = "error=ENOSPC"
FOUND: dict[str, dict[str, Any]] = {}
OURS, OTHER = arguments(), arguments(answer="other")
INSIDE, INSIDE_OTHER = drop_in(), drop_in(answer="other")


def gone(what: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments that take back what others put there."""
    return {**what, "state": "absent"}


def back(box: Sandbox, what: dict[str, Any]) -> dict[str, Any]:
    """Commit twice; return the arguments that go back to the first of the two."""
    first = box.commit(what)
    box.commit({**what, "files": OTHER["files"]})
    return {**what, "state": "rolled_back", "generation": first}


def pristine(box: Sandbox) -> list[dict[str, Any]]:
    return [OURS]


def taken_back(box: Sandbox) -> list[dict[str, Any]]:
    return [OURS, gone(OURS)]


def edited(box: Sandbox) -> list[dict[str, Any]]:
    box.edit()
    # The package's own file: apt-get is not to be waited for at each call.
    box.shell("cp /root/nginx/nginx.conf /etc/nginx/nginx.conf.distrib")
    return [{**OURS, "replace": True}]


def changed(box: Sandbox) -> list[dict[str, Any]]:
    for answer in ("a", "b"):
        box.commit(arguments(answer=answer))
    return [OTHER]


def changed_and_back(box: Sandbox) -> list[dict[str, Any]]:
    box.commit(OURS)
    return [OTHER, OURS, gone(OURS)]


def absent(box: Sandbox) -> list[dict[str, Any]]:
    box.commit(OURS)
    return [gone(OURS)]


def absent_and_back(box: Sandbox) -> list[dict[str, Any]]:
    box.commit(OURS)
    return [gone(OURS), OURS, gone(OURS)]


def absent_of_an_edited_file(box: Sandbox) -> list[dict[str, Any]]:
    box.commit(edited(box)[0])
    return [gone(OURS)]


def rolled_back(box: Sandbox) -> list[dict[str, Any]]:
    return [back(box, OURS)]


def included(box: Sandbox) -> list[dict[str, Any]]:
    box.edit()
    return [INSIDE]


def included_and_changed(box: Sandbox) -> list[dict[str, Any]]:
    box.edit()
    box.commit(INSIDE)
    return [INSIDE_OTHER]


def included_and_absent(box: Sandbox) -> list[dict[str, Any]]:
    box.edit()
    box.commit(INSIDE)
    return [gone(INSIDE)]


# What is made ready, then the run that is struck, and those that follow it if they are not that run once more.
Case = Callable[[Sandbox], list[dict[str, Any]]]
CASES: list[tuple[str, Case, str]] = [
    *(("trixie", case, KILL) for case in (
        pristine, taken_back, edited, changed, changed_and_back, absent, absent_and_back, absent_of_an_edited_file,
        rolled_back, included, included_and_changed, included_and_absent)),
    *(("trixie", case, FULL) for case in (pristine, edited, changed, included_and_changed)),
    ("bullseye", pristine, KILL),
]


@pytest.fixture(scope="module")
def boxes(image_names: dict[str, str]) -> Iterator[Callable[[str], Sandbox]]:
    """Give containers by release."""
    made: dict[str, Sandbox] = {}

    def box(release: str) -> Sandbox:
        if release not in made:
            made[release] = Sandbox(image_names[release])
        return made[release]

    yield box
    for one in made.values():
        one.remove()


@pytest.fixture(scope="module", params=CASES, ids=lambda case: f"{case[0]}-{case[1].__name__}-{case[2].split('=')[1]}")
def found(request: pytest.FixtureRequest, boxes: Callable[[str], Sandbox]) -> dict[str, Any]:
    """Strike at every call of one case; return what was found."""
    release, make, strike = request.param
    box = boxes(release)
    box.restore()
    struck, *following = make(box)
    return {**box.cut(struck, following or [struck], strike), "strike": strike}


def test_every_call_is_struck(found: dict[str, Any]) -> None:
    assert found["undisturbed"] == [None, None] and found["changes"]
    assert len(found["strikes"]) > 10
    assert [one["call"] for one in found["strikes"] if not one["struck"]] == []


def test_nginx_reads_the_old_configuration_or_the_new_one(found: dict[str, Any]) -> None:
    assert {one["call"]: one["reads"] for one in found["strikes"] if one["reads"] not in ("old", "new")} == {}


def test_nothing_of_others_is_lost_at_any_time(found: dict[str, Any]) -> None:
    assert {one["call"]: one["lost"] for one in found["strikes"] if one["lost"]} == {}


def test_the_next_run_succeeds(found: dict[str, Any]) -> None:
    assert {one["call"]: one["error"] for one in found["strikes"] if one["error"]} == {}


def test_the_next_run_leaves_what_an_undisturbed_one_leaves(found: dict[str, Any]) -> None:
    assert {one["call"]: one["differs"] for one in found["strikes"] if one["differs"]} == {}
    assert [path for path in found["wanted"] if path.rsplit("/", 1)[1].startswith(".")
            or path.startswith("/run/") and path != "/run/websocket_proxy" or path.endswith(".new")] == []


def test_one_more_run_changes_nothing(found: dict[str, Any]) -> None:
    assert {one["call"]: one["again"] for one in found["strikes"] if one["again"]} == {}


def test_a_call_that_fails_is_told_and_taken_back(found: dict[str, Any]) -> None:
    if found["strike"] != FULL:
        pytest.skip("a run that is killed tells nothing")
    for one in found["strikes"]:
        if one["told"].get("failed"):
            assert "No space left on device" in one["told"]["msg"]
            assert one["reads"] == "new" or one["touched"] == [], one["call"]
        else:
            assert one["reads"] == "new", one["call"]
