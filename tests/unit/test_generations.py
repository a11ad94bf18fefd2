"""Generations: which of them are kept, and their modes. On overlayfs, the folder of an image cannot be renamed."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from ansible_collections.wsedge.nginx.plugins.module_utils.generations import INTERIM, Generations


def committed(folder: Path, *texts: bytes) -> Generations:
    """Commit a generation with each of these TEXTS, one after the other."""
    generations = Generations(str(folder / "nginx.conf"), str(folder / "edge"))
    for number, text in enumerate(texts, 1):
        name = f"{number:06}-000000000000"
        main = f"include {folder}/edge/{name}/*.conf;".encode()
        generations.stage(name, {"site.conf": text, "http.conf": b""}, main)
        generations.commit(name)
    return generations


def kept(generations: Generations) -> list[int]:
    """Return the numbers of the generations that exist."""
    return [int(name.partition("-")[0]) for name in generations.all()]


def test_the_newest_texts_are_kept_and_what_runs_or_is_only_a_repetition_takes_no_place(tmp_path: Path) -> None:
    generations = committed(tmp_path, b"1", b"2", b"3", b"4", b"4", b"6")
    running = generations.all()[0]
    generations.prune(3, running)
    assert kept(generations) == [1, 3, 5, 6]
    generations.prune(3, None)
    assert kept(generations) == [3, 5, 6]
    generations.prune(1, None)
    assert kept(generations) == [6]


def test_an_interim_generation_is_removed_unless_it_runs(tmp_path: Path) -> None:
    generations = committed(tmp_path, b"1", b"2", b"3")
    Path(generations.path(generations.all()[1]), INTERIM).touch()
    generations.prune(3, generations.all()[1])
    assert kept(generations) == [1, 2, 3]
    generations.prune(3, None)
    assert kept(generations) == [1, 3]


def test_an_edge_that_is_taken_out_still_has_its_certificates(tmp_path: Path) -> None:
    generations = committed(tmp_path, b"ssl_certificate /old.pem;", b"ssl_certificate /a.pem; ssl_certificate $b;", b"")
    assert generations.certificates() == []
    Path(generations.path(generations.all()[2]), INTERIM).touch()
    assert generations.certificates() == ["/a.pem"]


def test_modes_count_if_other_users_could_read(tmp_path: Path) -> None:
    generations = committed(tmp_path, b"1", b"2")
    earlier, current = (generations.path(name) for name in generations.all())
    assert generations.wrong_modes() == {}
    for folder in (earlier, current):
        os.chmod(f"{folder}/site.conf", 0o644)
    # Only root can enter the folder of the earlier generation.
    assert generations.wrong_modes() == {f"{current}/site.conf": 0o600}
    os.chmod(earlier, 0o755)
    os.chmod(generations.main, 0o600)
    assert generations.wrong_modes() == {
        f"{current}/site.conf": 0o600, earlier: 0o700, f"{earlier}/site.conf": 0o600, generations.main: 0o644}


@pytest.fixture(name="baked")
def baked_(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generations:
    """Return two generations whose folders cannot be renamed."""
    generations = committed(tmp_path, b"1", b"2")
    rename = os.rename

    def refuse(path: str, to: str) -> None:
        if os.path.isdir(path):
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), path)
        rename(path, to)

    monkeypatch.setattr(os, "rename", refuse)
    return generations


def test_a_generation_whose_folder_cannot_be_renamed_is_removed(baked: Generations) -> None:
    first, second = baked.all()
    baked.prune(1, None)
    assert os.listdir(baked.folder) == [second] and first != second
    baked.remove_all()
    assert not os.path.exists(baked.folder)


def test_a_removal_that_is_cut_off_leaves_no_half_generation(
        baked: Generations, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = baked.all()

    class Cut(Exception):
        pass

    def cut(path: str, **_how: object) -> None:
        raise Cut

    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", cut)
        with pytest.raises(Cut):
            baked.prune(1, None)
    assert os.path.isdir(baked.path(first)) and baked.all() == [second]
    baked.clear_leftovers()
    assert os.listdir(baked.folder) == [second]
