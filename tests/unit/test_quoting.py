"""Quoting: a value is one word of nginx's language, whatever it contains."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.wsedge.nginx.plugins.plugin_utils.render.quoting import quote

PRINTABLE = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=900)
HOSTILE = st.text(st.sampled_from(" ;{}#\"'\\$/=~*a0.-[]@"), max_size=60)


def words(text: str) -> list[str]:
    """Read TEXT as ngx_conf_read_token in nginx's ngx_conf_file.c does, up to the end of one directive."""
    found: list[str] = []
    position = 0
    while position < len(text):
        if text[position] in " \t\r\n":
            position += 1
            continue
        if text[position] in ";{}#":
            raise AssertionError(f"a special character begins a word: {text[position:]!r}")
        closing = text[position] if text[position] in "\"'" else None
        position += 1 if closing else 0
        word = ""
        while True:
            if position == len(text):
                if closing:
                    raise AssertionError("the quotation never ends")
                break
            character = text[position]
            if character == "\\":
                following = text[position + 1]
                word += {"t": "\t", "r": "\r", "n": "\n"}.get(following, following if following in "\"'\\" else
                                                              character + following)
                position += 2
                continue
            if closing and character == closing:
                position += 1
                if position < len(text) and text[position] not in " \t\r\n;{)":
                    raise AssertionError(f"something follows a quotation: {text[position:]!r}")
                break
            if not closing and character in " \t\r\n;{":
                break
            word += character
            position += 1
        found.append(word)
    return found


@given(PRINTABLE | HOSTILE)
def test_a_quoted_value_is_read_back_as_exactly_that_value(value: str) -> None:
    assert words(quote(value)) == [value]


@given(st.lists(PRINTABLE | HOSTILE, max_size=5))
def test_quoted_values_beside_each_other_stay_apart(values: list[str]) -> None:
    assert words(" ".join(quote(value) for value in values)) == values


@pytest.mark.parametrize("value", [
    "example.com", "/chat/", "127.0.0.1:3000", "[::]:80", "*.example.com", "$host", "90s"])
def test_plain_words_stay_readable(value: str) -> None:
    assert quote(value) == value


def test_nothing_at_all_is_still_a_word() -> None:
    assert quote("") == '""'


def test_numbers_are_words() -> None:
    assert quote(32) == "32"


@given(PRINTABLE, st.characters(categories=["Cc"], max_codepoint=0x7F).filter(lambda c: ord(c) < 0x20 or c == "\x7f"),
       PRINTABLE)
def test_a_control_character_never_passes(before: str, control: str, after: str) -> None:
    with pytest.raises(ValueError, match="control character"):
        quote(before + control + after)


@pytest.mark.parametrize("value", [True, None, 1.5, ["a"], {"a": 1}])
def test_only_text_and_whole_numbers_become_words(value: object) -> None:
    with pytest.raises(TypeError):
        quote(value)  # type: ignore[arg-type]


def test_a_value_longer_than_a_word_of_nginx_is_refused() -> None:
    with pytest.raises(ValueError, match="longer"):
        quote("\\" * 2001)
