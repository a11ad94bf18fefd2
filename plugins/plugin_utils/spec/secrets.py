# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Vaulted values, and texts that do not show them.

Ansible marks single values with ``!vault``, and from ansible-core 2.19 on also a value that is only ``{{ name }}``. It
marks neither the values of a file that is encrypted as a whole, nor text that contains a vaulted value.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from ansible.parsing import vault

from ansible_collections.wsedge.nginx.plugins.module_utils.masking import MASK


class Vaulted(str):
    """Vaulted text."""


def _came_out_of_a_vault(value: object) -> bool:
    if hasattr(vault, "VaultHelper"):
        return vault.VaultHelper.get_ciphertext(value, with_tags=False) is not None
    # In ansible-core 2.18, its class is not a str.
    return hasattr(value, "_ciphertext") and vault.is_encrypted(value._ciphertext)


def marked(value: Any) -> Any:
    """Return a value of the inventory in which all text from a vault is Vaulted."""
    if _came_out_of_a_vault(value):
        return Vaulted(str(value))
    if isinstance(value, Mapping):
        return {key: marked(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return [marked(item) for item in value]
    return value


def unmarked(value: Any) -> Any:
    """Return plain data in which nothing is Vaulted, because Ansible does not know that class."""
    if isinstance(value, Vaulted):
        return str(value)
    if isinstance(value, dict):
        return {unmarked(key): unmarked(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [unmarked(item) for item in value]
    return value


def vaulted(value: object) -> set[str]:
    """Return all text from a vault in a marked value."""
    if isinstance(value, Vaulted):
        return {str(value)}
    if isinstance(value, Mapping):
        return set().union(*map(vaulted, value.values()))
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return set().union(*map(vaulted, value))
    return set()


def _forms(secret: str) -> Iterator[str]:
    """Give the forms of SECRET in texts, the longest first: unchanged, quoted, and each of its lines."""
    texts = [secret, *(line.strip() for line in secret.split("\n"))]
    escaped = [text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
               for text in texts]
    forms = {*texts, *escaped}
    yield from sorted((form for form in forms if form), key=len, reverse=True)


def _pattern(form: str) -> re.Pattern[str]:
    # A short secret, such as a port, must not match inside a word.
    edges = (r"(?<!\w)", r"(?!\w)") if len(form) < 4 else ("", "")
    return re.compile(re.escape(form).join(edges), re.IGNORECASE)


def secret_lines(text: str, secrets: Collection[str]) -> list[int]:
    """Return the numbers, from 0, of the lines of a file that contain one of the SECRETS, or a line of one."""
    found = set()
    for secret in secrets:
        whole = {line.strip() for line in secret.split("\n") if line.strip()} if "\n" in secret else set()
        patterns = [] if whole else [_pattern(form) for form in _forms(secret)]
        found |= {number for number, line in enumerate(text.split("\n"))
                  if line.strip() in whole or any(pattern.search(line) for pattern in patterns)}
    return sorted(found)


def hidden(text: str, secrets: Collection[str], parts: bool = False) -> str:
    """Return a message without the SECRETS.

    Parts of a secret are hidden too if the message contains the whole secret, and always with PARTS.
    """
    for secret in sorted(secrets, key=len, reverse=True):
        count = 0
        for form in _forms(secret):
            # A brace on a line of its own reveals nothing.
            if re.search(r"\w", form):
                text, more = _pattern(form).subn(MASK, text)
                count += more
        if count or parts:
            text = _without_parts(text, secret.lower())
    return text


def _without_parts(text: str, secret: str) -> str:
    words = set(re.findall(r"\w+", secret))
    text = re.sub(r'"((?:\\.|[^"\\])+)"', lambda found: f'"{MASK}"' if found[1].lower() in secret else found[0], text)
    return re.sub(r"\w+", lambda found: MASK if found[0].lower() in words and (
        len(found[0]) > 3 or not found[0].isalpha()) else found[0], text)
