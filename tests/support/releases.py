"""The Debian releases whose nginx the tests run with, by the version of nginx."""

from __future__ import annotations

import pytest

from .soak import SOAK

RELEASES = {"bullseye": "1.18", "bookworm": "1.22", "trixie": "1.26"}
# Debian's next release, for what a newer nginx does differently.
COMING = {"forky": "1.30"}
VERSIONS = RELEASES | COMING

# Marks of a test or a module; without one a test runs with RELEASES.
EVERY = pytest.mark.releases(*VERSIONS)
ONLY_COMING = pytest.mark.releases(*COMING)
# For what changes between versions once, if it does: those in between run in `make soak`.
OLDEST_AND_NEWEST = pytest.mark.releases(*(name for name in RELEASES if SOAK or name != "bookworm"))
# For what does not depend on nginx's version.
NEWEST = pytest.mark.releases("trixie")
