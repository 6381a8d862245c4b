"""Texts that people type have one spelling and no invisible characters."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.shared.text import invisible, normalise


@given(st.text())
def test_normalising_twice_changes_nothing_more(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)


@given(st.text(alphabet=st.characters(categories=["L", "M", "N"])))
def test_both_spellings_of_a_text_become_the_same(text: str) -> None:
    assert normalise(unicodedata.normalize("NFD", text)) == normalise(text)


@pytest.mark.parametrize(
    "text", ["Ada", "Zoë", "O’Neil", "山田太郎", "می‌خواهم", "👩‍🚀", "a\u00a0b", "محمد"]
)
def test_names_of_the_world_are_visible(text: str) -> None:
    assert invisible(text) == ""


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("a\u200bb", "U+200B ZERO WIDTH SPACE"),
        ("a\u202eb", "U+202E RIGHT-TO-LEFT OVERRIDE"),
        ("\u2066a", "U+2066 LEFT-TO-RIGHT ISOLATE"),
        ("a\ufeff", "U+FEFF ZERO WIDTH NO-BREAK SPACE"),
        ("a\u00adb", "U+00AD SOFT HYPHEN"),
        ("\u3164", "U+3164 HANGUL FILLER"),
        ("a\u2028b", "U+2028 LINE SEPARATOR"),
        ("a\x07", "U+0007"),
        ("\u200da", "U+200D ZERO WIDTH JOINER"),
        ("a\U000e0041", "U+E0041 TAG LATIN CAPITAL LETTER A"),
        ("a\ue000", "U+E000"),
    ],
)
def test_what_cannot_be_seen_is_named(text: str, name: str) -> None:
    assert invisible(text) == name


def test_a_longer_text_may_have_lines() -> None:
    assert invisible("first\n\tsecond\r\n", multiline=True) == ""
    assert invisible("first\nsecond") == "U+000A"
