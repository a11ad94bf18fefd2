"""The reader of nginx's language, which finds the same words, blocks, and errors as nginx."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hypothesis import strategies as st

from ansible_collections.wsedge.nginx.plugins.module_utils.language import Directive, Unreadable, directives
from tests.support.container import Container
from tests.support.examples import examples
from tests.support.releases import EVERY
from tests.support.soak import broad

EXAMPLES = broad(300, 5000)
PARTS = [
    "a", "b", "Z", "9", " ", "  ", "\t", "\r\n", "\n", ";", "{", "}", "#", '"', "'", "\\", "\\\\", '\\"', "\\'", "\\;",
    "\\ ", "\\n", "\\t", "\\r", "\\x", "$", "${", "$$", "${{", "$a", "${a}", ")", "(", '")', '"a b"', "'a;b'", "# c\n",
    "#;\n", "}\n", ";\n", '""', "''", "\u00fc", "\ufeff", "\u00a0", "\x0b", "\x0c"]
ANYTHING = st.lists(st.sampled_from(PARTS), min_size=1, max_size=12).map("".join)
WORD = st.lists(st.sampled_from([part for part in PARTS if not set(part) & set(" \t\r\n;{}#")]), min_size=1,
                max_size=5).map("".join)
LISTED = st.lists(st.lists(WORD, min_size=2, max_size=4).map(" ".join), min_size=1, max_size=3).map(
    lambda lines: "".join(f"{line};" for line in lines))
# One directive takes any words, and one can be nested any number of times.
STATEMENTS = [
    "location ~ x {", "location ~ x{", "}", "gzip_types a;", "gzip_types a${;", "gzip_types a$;\n", "gzip_types a{b;",
    "gzip_types 'a}' b;", 'gzip_types "a;\n" b;', "gzip_types a#b;", "# }\n", "#{\n", "gzip_types a\\;b;",
    "gzip_types a\\{b;", "gzip_types ${a}b;", "gzip_types $${a;", "gzip_types a}b;", "gzip_types a;}", "\\", ";",
    "gzip_types", '"', "'", "gzip_types a # b;\n;", 'gzip_types "a"b;', 'gzip_types "a");', "gzip_types \\"]
BLOCKS = st.lists(st.sampled_from(STATEMENTS), min_size=1, max_size=8).map(" ".join)


def said(container: Container, texts: Sequence[str]) -> list[str]:
    """Return the output of nginx -t for each main file."""
    container.shell("rm -rf /tmp/many")
    container.write({f"/tmp/many/{number}": text for number, text in enumerate(texts)})
    output = container.shell(f"for number in $(seq 0 {len(texts) - 1}); do printf '<<<'; "
                             "nginx -t -c /tmp/many/$number 2>&1; done; rm -f /run/nginx.pid")
    return output.split("<<<")[1:]


def refusal(text: str) -> str:
    """Return why the reader refuses a text; empty if it does not."""
    try:
        list(directives(text))
    except Unreadable as reason:
        return str(reason)
    return ""


def read(text: str) -> list[Directive]:
    """Return the directives of a text; none if the reader refuses it."""
    return [] if refusal(text) else list(directives(text))


def in_types(*texts: str) -> str:
    """Return a main file with TEXTS in a block of types, which nginx reads as lists of words."""
    return f"events {{}}\nhttp {{ types {{\n{chr(10).join(texts)}\n}} }}\n"


def warned(text: str) -> Iterator[str]:
    """Yield nginx's warnings for a TEXT that is twice in a block of types.

    nginx names an extension that occurs again, with both types.
    """
    types: dict[str, str] = {}
    for one in read(text) * 2:
        for word in one.words[1:]:
            extension = "".join(letter.lower() if letter.isascii() else letter for letter in word)
            if extension in types:
                yield (f'duplicate extension "{extension}", content type: "{one.words[0]}", previous content type: '
                       f'"{types[extension]}"')
            types[extension] = one.words[0]


@EVERY
def test_words_are_what_nginx_takes_them_for(sealed: Container) -> None:
    texts = [text for text in [*examples(ANYTHING, EXAMPLES), *examples(LISTED, EXAMPLES)]
             if not any(one.block or one.words[0] == "include" for one in read(text))]
    accepted = 0
    answers = said(sealed, [in_types(text) if refusal(text) else in_types(text, text) for text in texts])
    for text, answer in zip(texts, answers, strict=True):
        assert ("test is successful" in answer) == (not refusal(text)), (text, refusal(text), answer)
        rest = answer
        for warning in warned(text):
            accepted += 1
            assert warning in rest, (text, warning, rest)
            rest = rest.partition(warning)[2]
    assert accepted > len(texts) / 10


@EVERY
def test_blocks_end_where_nginx_has_them_end(sealed: Container) -> None:
    texts = [text for text in examples(BLOCKS, EXAMPLES)
             if all((one.words[0] == "location") == one.block for one in read(text))]
    # After the text, the main context must continue, because this directive is valid only there.
    answers = said(sealed, [f"events {{}}\nhttp {{ server {{\n{text}\n}} }}\nworker_processes 1;\n" for text in texts])
    for text, answer in zip(texts, answers, strict=True):
        assert ("test is successful" in answer) == (not refusal(text)), (text, refusal(text), answer)
    assert sum(any(one.block for one in read(text)) for text in texts) > 3


@EVERY
def test_a_word_and_a_comment_are_as_long_as_nginx_takes_them(sealed: Container) -> None:
    texts = [f"{beginning}{'a' * (length - taken)}{end}" for length in (4094, 4095, 4096, 5000)
             for beginning, taken, end in (("x ", 0, ";"), ('x "', 0, '";'), ("#", 1, "\n"), ("x \u00fc", 2, ";"))]
    texts.append("x" + " " * 9000 + "a;")
    for text, answer in zip(texts, said(sealed, list(map(in_types, texts))), strict=True):
        assert ("test is successful" in answer) == (not refusal(text)), (text[:20], len(text), refusal(text), answer)
