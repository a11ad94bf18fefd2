"""The filters that the role's own renderer gives its templates, for ansible.builtin.template, which quotes no words."""

from __future__ import annotations

from collections.abc import Callable


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Callable[..., str]]:
        """Return the filters by name."""
        return {"bare": str, "lines": str, "words": lambda words: " ".join(map(str, words))}
