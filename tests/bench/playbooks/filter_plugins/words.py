"""The filters of the role's own renderer, for ansible.builtin.template, which does not quote words."""

from __future__ import annotations

from collections.abc import Callable


class FilterModule:
    """The class that Ansible looks up in a filter plugin."""

    def filters(self) -> dict[str, Callable[..., str]]:
        """Return the filters by name."""
        return {"bare": str, "lines": str, "words": lambda words: " ".join(map(str, words))}
