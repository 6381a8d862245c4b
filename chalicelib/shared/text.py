"""Texts that people type: one spelling for the same text, and no characters that cannot be seen.

Unicode writes `é` as one character or as two; both look the same and compare differently. So texts
are normalised to NFC (Unicode Standard Annex 15) before they are stored or searched for. Letters
are compared without case by PostgreSQL alone, with `lower()` on both sides: its folding and
Python's differ, e.g. for `İ`.

The constants whose names end in `CLASS` are the inside of a regular expression's
character class, for Python and for JSON Schema alike.
"""

import re
import unicodedata
from typing import Final

SPACES: Final = "".join(map(chr, range(0x2000, 0x200B)))
WHITE_SPACE: Final = f"\t\n\r \u00a0\u1680{SPACES}\u202f\u205f\u3000"
"""What may stand at the ends of a text, and is removed there."""
WHITE_SPACE_CLASS: Final = r"\t\n\r \u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"
LAYOUT: Final = frozenset("\t\n\r")
"""Control characters that a longer text may have."""
HIDDEN_CLASS: Final = (
    r"\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f"  # control characters
    r"\u00ad\u034f\u061c\u180e\u200b\u200e\u200f\u2060-\u206f\ufeff\ufff0-\ufff8"  # ignorable
    r"\u2028-\u202e\ufff9-\ufffb"  # separators, directions, annotations
    r"\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"  # letters and symbols without a shape
    r"\ue000-\uf8ff\ufdd0-\ufdef\ufffe\uffff"  # private use, and no characters at all
)
"""Characters up to U+FFFF that show nothing, or reorder what is around them (Unicode's property
`Default_Ignorable_Code_Point` and its categories Cc, Co, Zl and Zp)."""
HIDDEN_BEYOND_CLASS: Final = (
    r"\ud800-\udfff\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    r"\U000e0000-\U000e00ff\U000e01f0-\U000e0fff\U000f0000-\U0010ffff"
)
"""The same beyond U+FFFF, where the patterns of JSON Schema readers differ."""
JOINERS: Final = frozenset("\u200c\u200d")
"""Zero-width joiner and non-joiner: invisible, and part of some scripts and emoji."""
JOINERS_CLASS: Final = r"\u200c\u200d"
SELECTORS_CLASS: Final = r"\u180b-\u180d\u180f\ufe00-\ufe0f"
SELECTORS_BEYOND_CLASS: Final = r"\U000e0100-\U000e01ef"
"""Variation selectors: they choose the shape of the character before, in emoji and Han names."""

_SELECTOR = re.compile(f"[{SELECTORS_CLASS}{SELECTORS_BEYOND_CLASS}]")
_SUSPECT = re.compile(
    rf"[\t\n\r{HIDDEN_CLASS}{HIDDEN_BEYOND_CLASS}{JOINERS_CLASS}"
    rf"{SELECTORS_CLASS}{SELECTORS_BEYOND_CLASS}]"
)
_FLAG = re.compile("\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{2,6}\U000e007f")
"""The flag of a region, such as Wales: a black flag and tags (Unicode Technical Standard 51)."""
_UNJOINED: Final = ("LATIN", "GREEK", "CYRILLIC", "ARMENIAN", "GEORGIAN", "HEBREW", "COMBINING")
_UNJOINED_EAST: Final = ("CJK", "HANGUL", "HIRAGANA", "KATAKANA")
"""How the names of letters begin whose scripts use no joiners."""
_VIRAMA: Final = 9
"""The combining class of the marks that join letters in the scripts of India."""


def normalise(text: str) -> str:
    """Return `text` in the composed form NFC, without white space at its ends."""
    return unicodedata.normalize("NFC", text).strip(WHITE_SPACE)


def invisible(text: str, *, multiline: bool = False, identifier: bool = False) -> str:
    """Return the name of the first character in `text` that cannot be seen, or an empty text.

    Joiners and variation selectors may stand where they change what is seen. Unassigned
    characters pass, because a newer Unicode may show them.

    Args:
        text: in the form NFC.
        multiline: tabs and line breaks are allowed.
        identifier: the text is compared as a whole, e.g. an e-mail address, so that joiners and
            variation selectors are refused everywhere.
    """
    if not identifier:
        text = _FLAG.sub("\U0001f3f4", text)
    for match in _SUSPECT.finditer(text):
        character = match[0]
        if multiline and character in LAYOUT:
            continue
        before = text[max(0, match.start() - 1) : match.start()]
        after = text[match.end() : match.end() + 1]
        if identifier or not _is_in_place(character, before, after):
            return name_of(character)
    return ""


def name_of(character: str) -> str:
    """Return what to call a character that cannot be shown, e.g. `U+200B ZERO WIDTH SPACE`."""
    name = unicodedata.name(character, "")
    return f"U+{ord(character):04X} {name}".rstrip()


def shortened(text: str, length: int) -> str:
    """Return `text` in at most `length` characters, the last of which shows that more follow."""
    return text if len(text) <= length else text[: length - 1] + "…"


def _is_in_place(character: str, before: str, after: str) -> bool:
    """Return whether a joiner or selector between `before` and `after` changes what is seen."""
    if character in JOINERS:
        return _is_joined(character, before, after)
    if _SELECTOR.match(character) is None or not before or _SUSPECT.match(before):
        return False
    if before.isascii():
        return before in "#*0123456789" and after == "\u20e3"  # a keycap
    return not before.isspace() and not _begins(before, _UNJOINED)


def _is_joined(character: str, before: str, after: str) -> bool:
    if not before or before.isascii() or before.isspace() or before in JOINERS:
        return False
    if unicodedata.combining(before) == _VIRAMA:
        return True
    if _begins(before, (*_UNJOINED, *_UNJOINED_EAST)):
        return False
    if unicodedata.category(before)[0] == "L" and character == "\u200d":
        return True  # the letter has the form that it has within a word
    return bool(after) and not after.isascii() and not after.isspace() and after not in JOINERS


def _begins(character: str, names: tuple[str, ...]) -> bool:
    return unicodedata.name(character, "").startswith(names)
