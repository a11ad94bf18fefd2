"""The Debian releases whose nginx the tests run with, by the version of nginx."""

from __future__ import annotations

import pytest

RELEASES = {"bullseye": "1.18", "bookworm": "1.22", "trixie": "1.26"}
# Debian's next release, for what a newer nginx does differently: tests ask for it with EVERY.
COMING = {"forky": "1.30"}


def with_images(releases: dict[str, str]) -> pytest.MarkDecorator:
    """Run a test with the images of some releases instead of those of RELEASES."""
    images = [pytest.param(release, id=f"nginx-{version}") for release, version in releases.items()]
    return pytest.mark.parametrize("image", images, indirect=True)


EVERY = with_images(RELEASES | COMING)
# For what does not depend on nginx's version.
NEWEST = with_images({"trixie": RELEASES["trixie"]})
# For what nginx's own code decides and Debian's does not change: the first and the last version.
FIRST_AND_LAST = with_images({release: RELEASES[release] for release in ("bullseye", "trixie")})
