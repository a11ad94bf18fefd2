"""Generations on a file system where a folder cannot be renamed, as one of a container's image on overlayfs."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from ansible_collections.wsedge.nginx.plugins.module_utils.generations import Generations


@pytest.fixture(name="baked")
def baked_(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generations:
    """Give two generations whose folders cannot be renamed."""
    generations = Generations(str(tmp_path / "nginx.conf"), str(tmp_path / "edge"))
    for number in (1, 2):
        name = f"00000{number}-000000000000"
        main = f"include {tmp_path}/edge/{name}/*.conf;".encode()
        generations.stage(name, {"site.conf": b"# %d" % number, "http.conf": b""}, main)
        generations.commit(name)
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
