"""A run that is interrupted anywhere leaves the old or the new configuration, and the next run completes it.

The tests strike a run at the calls that change the file system: those of the module, of dpkg-divert, and of nginx -t.
They strike at every STEPth call, and in ``make soak`` at each call. nginx and the module do the same with every
release, but dpkg may not. So the oldest release has only the first commit, and the newest has every case.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.sandbox import Sandbox, arguments, drop_in
from tests.support.soak import broad

KILL = "signal=KILL"
FULL = "error=ENOSPC"
STEP = broad(4, 1)
OURS, OTHER = arguments(), arguments(answer="other")
INSIDE, INSIDE_OTHER = drop_in(), drop_in(answer="other")
# The run that is struck, and the runs that may follow it, by name.
Runs = tuple[dict[str, Any], dict[str, list[dict[str, Any]]]]


def gone(what: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments that undo a run with the arguments WHAT."""
    return {**what, "state": "absent"}


# Each function prepares a host. It returns the run that is struck and the runs that may follow it: by default that run
# again.


def first_commit(box: Sandbox) -> Runs:
    return OURS, {"again": [OURS], "taken back": [gone(OURS)]}


def first_commit_in_the_place_of_an_edited_file(box: Sandbox) -> Runs:
    box.edit()
    # The package's own file is here so that apt-get does not fetch it for each call.
    box.shell("cp /root/nginx/nginx.conf /etc/nginx/nginx.conf.distrib")
    return {**OURS, "replace": True}, {}


def change(box: Sandbox) -> Runs:
    for answer in ("a", "b"):
        box.commit(arguments(answer=answer))
    return OTHER, {"again": [OTHER], "changed back": [arguments(answer="b"), gone(OTHER)]}


def removal(box: Sandbox) -> Runs:
    box.commit(OURS)
    return gone(OURS), {"again": [gone(OURS)], "used again": [OURS, gone(OURS)]}


def removal_that_gives_an_edited_file_back(box: Sandbox) -> Runs:
    box.commit(first_commit_in_the_place_of_an_edited_file(box)[0])
    return gone(OURS), {}


def rollback(box: Sandbox) -> Runs:
    first, _second = box.commit(OURS), box.commit(OTHER)
    return {**OURS, "state": "rolled_back", "generation": first, "keep": 3}, {}


def first_drop_in(box: Sandbox) -> Runs:
    box.edit()
    return INSIDE, {"again": [INSIDE], "taken back": [gone(INSIDE)]}


def change_of_the_drop_in(box: Sandbox) -> Runs:
    box.edit()
    box.commit(INSIDE)
    return INSIDE_OTHER, {}


def removal_of_the_drop_in(box: Sandbox) -> Runs:
    box.edit()
    box.commit(INSIDE)
    return gone(INSIDE), {}


Case = Callable[[Sandbox], Runs]
CASES: list[tuple[str, Case, str]] = [
    *(("trixie", case, KILL) for case in (
        first_commit, first_commit_in_the_place_of_an_edited_file, change, removal,
        removal_that_gives_an_edited_file_back, rollback, first_drop_in, change_of_the_drop_in,
        removal_of_the_drop_in)),
    *(("trixie", case, FULL) for case in (first_commit_in_the_place_of_an_edited_file, change_of_the_drop_in)),
    ("bullseye", first_commit, KILL),
]


@pytest.fixture(scope="module")
def boxes(image_names: dict[str, str]) -> Iterator[Callable[[str], Sandbox]]:
    """Provide containers by release."""
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
    """Strike at every call of one case; return the results."""
    release, make, strike = request.param
    box = boxes(release)
    box.restore()
    struck, futures = make(box)
    return {**box.cut(struck, futures or {"again": [struck]}, strike, STEP), "strike": strike}


def futures(found: dict[str, Any], what: str) -> dict[str, Any]:
    """Return WHAT each strike caused in each future, if it caused anything."""
    return {f"{one['call']}, then {name}": one[name][what] for one in found["strikes"] for name in found["wanted"]
            if one[name][what]}


def test_each_call_of_the_sample_is_struck(found: dict[str, Any]) -> None:
    assert not any(found["errors"]) and found["changes"]
    assert len(found["strikes"]) > 5 // STEP
    assert [one["struck"] for one in found["strikes"]] == [[one["call"]] for one in found["strikes"]]


def test_nginx_reads_the_old_configuration_or_the_new_one(found: dict[str, Any]) -> None:
    assert {one["call"]: one["reads"] for one in found["strikes"] if one["reads"] not in ("old", "new")} == {}


def test_nothing_of_others_is_lost_at_any_time(found: dict[str, Any]) -> None:
    assert {one["call"]: one["lost"] for one in found["strikes"] if one["lost"]} == {}


def test_the_next_run_succeeds(found: dict[str, Any]) -> None:
    assert futures(found, "error") == {}


def test_the_next_run_leaves_what_an_undisturbed_one_leaves(found: dict[str, Any]) -> None:
    assert futures(found, "differs") == {}
    left = [path for paths in found["wanted"].values() for path in paths
            if path.rsplit("/", 1)[1].startswith(".") or path.endswith((".new", ".sock", ".pid"))]
    assert left == []


def test_one_more_run_changes_nothing(found: dict[str, Any]) -> None:
    assert futures(found, "again") == {}


def test_a_call_that_fails_is_told_and_taken_back(found: dict[str, Any]) -> None:
    for one in found["strikes"]:
        # A killed run reports nothing.
        assert (one["told"] is None) == (found["strike"] == KILL)
        if one["told"] and one["told"].get("failed"):
            assert "No space left on device" in one["told"]["msg"]
            # A file that cannot be removed stays.
            touched = [path for path in one["touched"] if f'unlink("{path}")' not in one["call"]]
            assert one["reads"] == "new" or touched == [], one["call"]
        elif one["told"]:
            assert one["reads"] == "new", one["call"]
