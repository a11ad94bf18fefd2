"""What nginx_info tells of the files of a host."""

from __future__ import annotations

import hashlib

from tests.support.container import Container
from tests.support.releases import NEWEST

PROGRAM, TEXT = "/tmp/a-program", "/tmp/a-text"


def told(container: Container) -> list[str]:
    """Return what is told of the two files."""
    return list(container.module("nginx_info", {"files": [PROGRAM, TEXT]})["files"].values())


@NEWEST
def test_a_file_with_another_mode_or_owner_counts_as_none(sealed: Container) -> None:
    texts = {PROGRAM: "#!/bin/sh\n", TEXT: "text\n"}
    sealed.write(texts)
    sealed.shell(f"chmod 755 {PROGRAM}; chmod 644 {TEXT}")
    assert told(sealed) == [hashlib.sha256(text.encode()).hexdigest() for text in texts.values()]
    # A program that cannot be run, and a text that could be.
    sealed.shell(f"chmod 644 {PROGRAM}; chmod 755 {TEXT}")
    assert told(sealed) == ["", ""]
    sealed.shell(f"chmod 755 {PROGRAM}; chmod 644 {TEXT}; chown nobody {PROGRAM} {TEXT}")
    assert told(sealed) == ["", ""]
    sealed.shell(f"rm {PROGRAM} {TEXT}")
