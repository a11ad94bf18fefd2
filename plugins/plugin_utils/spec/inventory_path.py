# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The path of a value in the inventory, and the problems of the value."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TypeVar

from ansible_collections.wsedge.nginx.plugins.plugin_utils.spec.secrets import hidden, vaulted

T = TypeVar("T")


class Refused(ValueError):
    """The refusal of a value by a validator; the text describes the expected value."""


def shown(value: object) -> str:
    """Return VALUE for an error message: as JSON with control characters escaped, cut after 80 characters.

    A private key is never shown, and neither is a vaulted value.
    """
    if vaulted(value):
        return "a vaulted value"
    try:
        text = json.dumps(value, default=str)
    except (TypeError, ValueError):
        text = json.dumps(repr(value))  # YAML allows keys that JSON does not
    if "PRIVATE KEY" in text:
        return "a value with a private key"
    return text if len(text) <= 80 else text[:77] + "..."


# nginx's directives, each with the key for the same purpose.
_DIRECTIVES = {"proxy_pass": "upstream", "proxy_set_header": "request_headers", "add_header": "response_headers",
               "return": "redirect", "rewrite": "rewrite_to", "alias": "root", "ssl": "tls", "ssl_certificate": "tls"}


def _meant(name: object, known: Collection[str]) -> str | None:
    if _DIRECTIVES.get(str(name)) in known:
        return _DIRECTIVES[str(name)]
    found = difflib.get_close_matches(str(name).lower(), {one.lower() for one in known}, n=1)
    return next(one for one in known if one.lower() == found[0]) if found else None


def nearest(name: object, known: Collection[str]) -> str:
    """Return half a sentence with the KNOWN name that NAME probably means, or with the KNOWN names if there is none."""
    meant = _meant(name, known)
    if meant:
        return f"did you mean {shown(meant)}?"
    return f"known: {listed(known)}" if known else "there is none"


def listed(names: Collection[str]) -> str:
    """Return the first NAMES in alphabetical order, and how many more there are."""
    more = "" if len(names) <= 12 else f" and {len(names) - 12} more"
    return ", ".join(sorted(names)[:12]) + more


class InventoryPath:
    """The path of a value in the inventory, such as ``websocket_proxy_sites[2].locations[0].path``.

    Errors and warnings go to the lists PROBLEMS and WARNINGS, which all paths share.
    """

    def __init__(self, path: str, problems: list[str], warnings: list[str]) -> None:
        self.path = path
        self._problems = problems
        self._warnings = warnings

    def __getitem__(self, step: int | str) -> InventoryPath:
        """Return the path one step further in: an index of a list or a key of a mapping."""
        if isinstance(step, int):
            return self.elsewhere(f"{self.path}[{step}]")
        name = step if step.replace("_", "").replace("-", "").isalnum() else shown(step)
        return self.elsewhere(f"{self.path}.{name}")

    def elsewhere(self, path: str) -> InventoryPath:
        """Return another path, with the same lists."""
        return InventoryPath(path, self._problems, self._warnings)

    def refuse(self, text: str) -> None:
        """Add an error about this value."""
        self._problems.append(f"{self.path}: {text}")

    def warn(self, text: str) -> None:
        """Add a warning: the value is allowed but probably not intended."""
        self._warnings.append(f"{self.path}: {text}")

    def read(self, validator: Callable[[object], T], value: object) -> T | None:
        """Return what VALIDATOR makes of VALUE; if it refuses the value, add an error and return None."""
        try:
            return validator(value)
        except Refused as reason:
            secrets = vaulted(value)
            self.refuse(hidden(str(reason), secrets, parts=True) if secrets else str(reason))
            return None

    def once(self, first: dict[str, InventoryPath], what: str, refusal: str) -> bool:
        """Record this path as the FIRST of WHAT; if there already is one, add an error and return False."""
        if what in first:
            self.refuse(f"{refusal} {first[what].path}")
            return False
        first[what] = self
        return True

    def items(self, value: object, of: str) -> Iterator[tuple[InventoryPath, object]]:
        """Go through VALUE, which must be a list OF something; an absent value is an empty list."""
        if value is None:
            return
        if isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
            self.refuse(f"{shown(value)} is not a list of {of}")
            return
        for index, item in enumerate(value):
            yield self[index], item

    def mapping(self, value: object, known: Collection[str], required: Collection[str] = (),
                elsewhere: Mapping[str, str] | None = None) -> dict[str, object] | None:
        """Return VALUE, which must be a mapping with only the KNOWN keys and with all REQUIRED ones.

        A key with a null value counts as absent. ELSEWHERE has the level to which each other key belongs.
        """
        if not isinstance(value, Mapping):
            self.refuse(f"{shown(value)} is not a mapping; {nearest('', known)}")
            return None
        for key in value:
            if key not in known:
                of = (elsewhere or {}).get(key)
                self.refuse(f"{shown(key)} is not a key here; {f'it is a key of {of}' if of else nearest(key, known)}")
        given = {str(key): item for key, item in value.items() if key in known and item is not None}
        meant = self.misspelt(value, known)
        for key in required:
            if key not in given and key not in meant:
                self.refuse(f'"{key}" is missing')
        return given

    @classmethod
    def intended(cls, value: object, known: Collection[str]) -> set[str]:
        """Return the KNOWN keys that the mapping VALUE sets, in any spelling and with any value except null."""
        keys = [key for key in value if value[key] is not None] if isinstance(value, Mapping) else []
        return {key for key in keys if key in known} | cls.misspelt(value, known)

    @staticmethod
    def misspelt(value: object, known: Collection[str]) -> set[str]:
        """Return the KNOWN keys that the unknown keys of the mapping VALUE probably mean."""
        unknown = [key for key in value if key not in known] if isinstance(value, Mapping) else []
        return {meant for meant in (_meant(key, known) for key in unknown) if meant}
