"""Texts that people type: one spelling for the same text, and no characters that cannot be seen.

Unicode writes `é` as one character or as two; both look the same and compare differently. So texts
are normalised to NFC (Unicode Standard Annex 15) before they are stored or searched for. Letters
are compared without case by PostgreSQL alone, with `lower()` on both sides: its folding and
Python's differ, e.g. for `İ`.
"""

import unicodedata
from typing import Final

JOINERS: Final = frozenset("\u200c\u200d")
"""Zero-width joiner and non-joiner: invisible, and part of some scripts and emoji."""
INVISIBLE: Final = frozenset({"Cf", "Cc", "Co", "Cn", "Cs", "Zl", "Zp"})
"""Unicode's categories of characters that show nothing, or that reorder what is around them."""
LAYOUT: Final = frozenset("\t\n\r")
"""Control characters that a longer text may have."""
BLANK: Final = frozenset("\u115f\u1160\u3164\uffa0\u2800\u034f\u17b4\u17b5")
"""Letters and marks that show nothing: Hangul fillers, the blank Braille pattern and the like."""


def normalise(text: str) -> str:
    """Return `text` in the composed form NFC, without white space at its ends."""
    return unicodedata.normalize("NFC", text).strip()


def invisible(text: str, *, multiline: bool = False) -> str:
    """Return the name of the first character in `text` that cannot be seen, or an empty text.

    Joiners may stand between letters. With `multiline`, tabs and line breaks are allowed, too.
    """
    for position, character in enumerate(text):
        if multiline and character in LAYOUT:
            continue
        if character in JOINERS and 0 < position < len(text) - 1:
            continue
        if character in BLANK or unicodedata.category(character) in INVISIBLE:
            return name_of(character)
    return ""


def name_of(character: str) -> str:
    """Return what to call a character that cannot be shown, e.g. `U+200B ZERO WIDTH SPACE`."""
    name = unicodedata.name(character, "")
    return f"U+{ord(character):04X} {name}".rstrip()
