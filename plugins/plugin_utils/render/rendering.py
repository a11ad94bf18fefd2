# Copyright: wsedge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rendering of nginx's configuration: plain Jinja, in which each value becomes one quoted word."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Undefined

from ansible_collections.wsedge.nginx.plugins.plugin_utils.render.quoting import quote


class _Word(str):
    """Text that is already a word of nginx's configuration."""


def _lines(value: str) -> str:
    """Quote text that may contain line breaks and tabs. Each becomes two characters, which nginx reads as one."""
    return _Word('"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t") + '"')


def _word(value: Any) -> str:
    if isinstance(value, _Word):
        return value
    if isinstance(value, Undefined):
        str(value)  # raises an error that names the undefined value
    return quote(value)


def _words(values: Iterable[Any]) -> str:
    """Return several values as words."""
    return _Word(" ".join(map(_word, values)))


class Renderer:
    """The renderer of the templates in some folders; a template sees only the values that it is given."""

    def __init__(self, folders: Sequence[str]) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(list(folders)), undefined=StrictUndefined, finalize=_word,
            trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True)
        self._environment.filters.update(lines=_lines, words=_words, bare=_Word)

    def render(self, template: str, values: Mapping[str, Any]) -> str:
        """Return the text of a template.

        :raises jinja2.TemplateError: the template is missing or invalid, or names a missing value
        :raises TypeError, ValueError: a value cannot become a word; see quoting.quote
        """
        return self._environment.get_template(template).render(values)
