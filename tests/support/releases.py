"""The Debian releases whose nginx the tests run with, by the version of nginx."""

from __future__ import annotations

import pytest

from .soak import SOAK

RELEASES = {"bullseye": "1.18", "bookworm": "1.22", "trixie": "1.26"}
# Debian's next release, for what a newer nginx does differently.
COMING = {"forky": "1.30"}
VERSIONS = RELEASES | COMING

# What a test runs with that has no mark. nginx changes a behaviour once, if it does: the versions in between run in
# `make soak`, and wherever EVERY says so.
USUAL = [name for name in RELEASES if SOAK or name != "bookworm"]
EVERY = pytest.mark.releases(*VERSIONS)
ONLY_COMING = pytest.mark.releases(*COMING)
# For what does not depend on nginx's version.
NEWEST = pytest.mark.releases("trixie")
