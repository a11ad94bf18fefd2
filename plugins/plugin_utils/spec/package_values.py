# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Validators for apt and dpkg: packages, repositories and their keys."""

from __future__ import annotations

import re

from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.address_values import url
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.inventory_path import Refused, shown
from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.text_values import text


def package(value: object) -> str:
    """Accept the name of a Debian package (Debian policy 5.6.7)."""
    checked = text(value)
    # apt removes a package if a minus sign follows its name.
    if not re.fullmatch(r"[a-z0-9][a-z0-9+.-]*[a-z0-9+.]", checked, re.ASCII):
        raise Refused(f"{shown(value)} is not the name of a Debian package")
    return checked


def repository_url(value: object) -> str:
    """Accept the address of an apt repository, http or https (sources.list(5))."""
    return url(value, r"https?", "address of a repository", "https://nginx.org/packages/debian")


def suite(value: object) -> str:
    """Accept the name of a suite or component of an apt repository (sources.list(5))."""
    checked = text(value)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._/-]*", checked, re.ASCII):
        raise Refused(f"{shown(value)} is not the name of a suite or component")
    return checked


def public_key(value: object) -> str:
    """Accept an OpenPGP public key in its text form (RFC 9580 6.2)."""
    marks = "-----BEGIN PGP PUBLIC KEY BLOCK-----", "-----END PGP PUBLIC KEY BLOCK-----"
    lines = value.strip().splitlines() if isinstance(value, str) else [""]
    plain = all(line.isascii() and line.isprintable() for line in lines)
    if (lines[:1], lines[-1:]) != ([marks[0]], [marks[1]]) or not plain:
        raise Refused(f"{shown(value)} is not the text of a public key, from {marks[0]} to {marks[1]}")
    return "\n".join(lines) + "\n"
