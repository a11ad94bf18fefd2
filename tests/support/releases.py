"""The Debian releases whose nginx the tests use, and its versions."""

from __future__ import annotations

import pytest

from .soak import SOAK

RELEASES = {"bullseye": "1.18", "bookworm": "1.22", "trixie": "1.26"}
# Debian's next release, for tests of what a newer nginx does differently.
COMING = {"forky": "1.30"}
VERSIONS = RELEASES | COMING

# The releases for tests without a mark. nginx changes a behaviour at most once, so versions in between run only in
# `make soak` and in tests with the mark EVERY.
USUAL = [name for name in RELEASES if SOAK or name != "bookworm"]
EVERY = pytest.mark.releases(*VERSIONS)
ONLY_COMING = pytest.mark.releases(*COMING)
# For tests that do not depend on nginx's version.
NEWEST = pytest.mark.releases("trixie")
