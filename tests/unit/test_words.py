"""The language of the documentation: short sentences, without the words that CONTRIBUTING.md lists to avoid."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

CHECKOUT = Path(__file__).parents[2]
PAGES = [*CHECKOUT.glob("*.md"), *CHECKOUT.glob("docs/**/*.md"), *CHECKOUT.glob("roles/*/README.md"),
         CHECKOUT / "tests/README.md"]
SPECS = [*CHECKOUT.glob("roles/*/meta/argument_specs.yml")]
MODULES = [*CHECKOUT.glob("plugins/modules/*.py"), *CHECKOUT.glob("plugins/doc_fragments/*.py")]
CODE = [*CHECKOUT.glob("plugins/**/*.py"), *CHECKOUT.glob("roles/*/files/*.py")]
LONGEST = 30
# CONTRIBUTING.md has a plain word for each of these.
AVOIDED = re.compile(r"\b(believed?|alone|(is|are) over|of before|somebody( else)?('s)?|in the place of|lives? on|"
                     r"says? (that|so|otherwise)|left out|nobody|thing of)\b", re.IGNORECASE)


def code_blocks(text: str) -> list[str]:
    """Return the code blocks on a page, both fenced and indented, in their order."""
    return re.findall(r"^```(?:.*\n)+?```|(?:^    .*\n)+", text, re.MULTILINE)


def prose(text: str) -> Iterator[str]:
    """Yield the paragraphs, items and cells of a page without its code blocks; inline code becomes one word."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", re.sub(r"`[^`\n]+`", "code", text))
    for paragraph in re.split(r"\n\s*\n|\n(?=\s*(?:[-*] |[0-9]+\. |#|\|))", text):
        if paragraph.startswith("    ") and not re.match(r"\s*(- |[0-9]\.)", paragraph):
            continue
        yield from re.split(r"\s\|\s", paragraph.strip("| \n")) if paragraph.lstrip().startswith("|") else [paragraph]


def described(value: Any) -> Iterator[str]:
    """Yield each description in an Ansible documentation, at any depth."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key in ("description", "short_description", "details", "notes"):
                yield from [item] if isinstance(item, str) else [one for one in item if isinstance(one, str)]
            yield from described(item)
    elif isinstance(value, list):
        for item in value:
            yield from described(item)


def documented(path: Path) -> Iterator[str]:
    """Yield the texts of a page, of a role's specification or of a module."""
    if path.suffix == ".md":
        yield from prose(path.read_text())
    elif path.suffix == ".yml":
        yield from described(yaml.safe_load(path.read_text()))
    else:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and "\n" in str(node.value.value):
                yield from described(yaml.safe_load(node.value.value))


def messages(path: Path) -> Iterator[str]:
    """Yield the messages of a program: its texts of several words that are not documentation."""
    tree = ast.parse(path.read_text())
    others = {id(node.value) for node in ast.walk(tree) if isinstance(node, (ast.Expr, ast.Assign))}
    for node in ast.walk(tree):
        if id(node) not in others and isinstance(node, ast.JoinedStr):
            text = "".join(str(one.value) if isinstance(one, ast.Constant) else "value" for one in node.values)
        elif id(node) not in others and isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
        else:
            continue
        if text.count(" ") >= 3 and not re.search(r"[\\^]|\n    ", text):
            yield text


def sentences(texts: Iterator[str]) -> Iterator[str]:
    """Yield each sentence."""
    for text in texts:
        marked = re.sub(r"\b[CMVOIL]\(((?:\\.|[^)\\])*)\)", "code", " ".join(text.split()))
        yield from re.split(r"(?<=[.!?])[)*]*\s+|(?<=[^0-9]:)\s+|;\s+", marked)


@pytest.mark.parametrize("path", [*PAGES, *SPECS, *MODULES], ids=lambda path: str(path.relative_to(CHECKOUT)))
def test_sentences_are_short_and_in_plain_words(path: Path) -> None:
    found = list(sentences(documented(path)))
    assert found
    assert [one for one in found if len(one.split()) > LONGEST] == []
    if path.name not in ("CONTRIBUTING.md", "reference.md"):
        assert [one for one in found if AVOIDED.search(one)] == []


def test_messages_are_short_and_in_plain_words() -> None:
    found = [one for path in CODE for one in sentences(messages(path))]
    assert len(found) > 300
    assert [one for one in found if len(one.split()) > LONGEST or AVOIDED.search(one)] == []


def test_the_chinese_page_has_the_examples_of_the_english_one() -> None:
    english, chinese = ((CHECKOUT / name).read_text() for name in ("README.md", "README.zh.md"))
    assert code_blocks(english) == code_blocks(chinese)
    assert len(code_blocks(english)) > 8
    variables = [re.findall(r"^\| `(\w+)` \| `([^`]*)` \|", text, re.MULTILINE) for text in (english, chinese)]
    assert variables[0] == variables[1] != []
    links = [re.findall(r"\]\((docs/[^)]+)\)", text) for text in (english, chinese)]
    assert links[0] == links[1]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(CHECKOUT)))
def test_links_between_pages_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", path.read_text()):
        assert (path.parent / target).exists(), target
