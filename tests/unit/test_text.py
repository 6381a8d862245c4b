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
    "text",
    [
        *("Ada", "Zoë", "O’Neil", "山田太郎", "می‌خواهم", "👩‍🚀", "a\u00a0b", "محمد", "❤\ufe0f"),
        *(
            "葛\U000e0100城市",
            "1\ufe0f\u20e3",
            "🏳\ufe0f\u200d🌈",
            "മോഹന\u0d4d\u200d",
            "ק\u05b8",
            "ﷺ",
        ),
        *(
            "\U0001f3f4\U000e0067\U000e0062\U000e0077\U000e006c\U000e0073\U000e007f",
            "۱۴۰۰ ه\u200d.ش",
        ),
        *(
            "\u0601١٢",
            "e\u0301\u0302\u0303\u0304",
            "נ\u0592",
            "\U0001fae9",
            "क\u094d\u200dष",
            "한국",
        ),
    ],
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
        ("a\u200db", "U+200D ZERO WIDTH JOINER"),
        ("é\u200cb", "U+200C ZERO WIDTH NON-JOINER"),
        ("👩\u200d", "U+200D ZERO WIDTH JOINER"),
        ("می\u200c", "U+200C ZERO WIDTH NON-JOINER"),
        ("a\ufe0f", "U+FE0F VARIATION SELECTOR-16"),
        ("1\ufe0fa", "U+FE0F VARIATION SELECTOR-16"),
        ("\ufe0f", "U+FE0F VARIATION SELECTOR-16"),
        ("a\u2800", "U+2800 BRAILLE PATTERN BLANK"),
        ("a\ufdd0", "U+FDD0"),
        ("a\U0010ffff", "U+10FFFF"),
        ("a\ud800", "U+D800"),
    ],
)
def test_what_cannot_be_seen_is_named(text: str, name: str) -> None:
    assert invisible(text) == name


def test_a_longer_text_may_have_lines() -> None:
    assert invisible("first\n\tsecond\r\n", multiline=True) == ""
    assert invisible("first\nsecond") == "U+000A"


def test_an_identifier_has_no_joiners_and_no_variation_selectors() -> None:
    assert invisible("می‌خواهم", identifier=True) == "U+200C ZERO WIDTH NON-JOINER"
    assert invisible("葛\U000e0100", identifier=True) == "U+E0100 VARIATION SELECTOR-17"
    assert invisible("ada", identifier=True) == ""


def test_a_long_text_of_joiners_is_checked_in_time() -> None:
    assert invisible("ه\u200d" * 100_000 + "\u200b") == "U+200B ZERO WIDTH SPACE"
