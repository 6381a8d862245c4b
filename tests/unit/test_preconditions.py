"""If-Match and If-None-Match as RFC 9110 has them, for versions as entity tags."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.shared.preconditions import EntityTags, Precondition


@pytest.mark.parametrize(
    ("header", "strong", "weak"),
    [
        ('"1"', {"1"}, set()),
        ('W/"1"', set(), {"1"}),
        ('"1","2"', {"1", "2"}, set()),
        ('"1", W/"2" ,"3"', {"1", "3"}, {"2"}),
        (' , "1",, "2", ', {"1", "2"}, set()),
        ('"a,b", "c d"'.replace(" d", "d"), {"a,b", "cd"}, set()),
        ('""', {""}, set()),
        ('"é"', {"é"}, set()),
    ],
)
def test_a_list_of_tags_is_read(header: str, strong: set[str], weak: set[str]) -> None:
    tags = EntityTags.parse(header)
    assert (set(tags.strong), set(tags.weak), tags.any) == (strong, weak, False)


def test_a_star_stands_for_any_version() -> None:
    assert EntityTags.parse(" * ").any


@pytest.mark.parametrize(
    "header",
    [
        "",
        " ",
        ",",
        "1",
        '"1',
        '1"',
        "'1'",
        '"1" "2"',
        '"1";"2"',
        'w/"1"',
        'W/ "1"',
        '*, "1"',
        '"a b"',
        '"\x7f"',
    ],
)
def test_a_malformed_list_is_refused(header: str) -> None:
    with pytest.raises(ValueError, match="entity tags"):
        EntityTags.parse(header)


@given(st.text(max_size=40))
def test_whatever_is_sent_is_read_or_refused(header: str) -> None:
    try:
        tags = EntityTags.parse(header)
    except ValueError:
        return
    assert tags.any or tags.strong or tags.weak


def _if_match(header: str) -> Precondition:
    return Precondition(if_match=EntityTags.parse(header))


def _if_none_match(header: str) -> Precondition:
    return Precondition(if_none_match=EntityTags.parse(header))


@pytest.mark.parametrize(
    ("header", "allowed"),
    [
        ("*", True),
        ('"3"', True),
        ('"1", "3"', True),
        ('"2"', False),
        ('W/"3"', False),
        ('"03"', False),
        ('"abc"', False),
        ('"3.0"', False),
        ('"+3"', False),
        ('"٣"', False),
    ],
)
def test_if_match_compares_strongly(header: str, allowed: bool) -> None:
    assert _if_match(header).allows(3) is allowed


@pytest.mark.parametrize(
    ("header", "unchanged"), [("*", True), ('"3"', True), ('W/"3"', True), ('"2", "4"', False)]
)
def test_if_none_match_compares_weakly_and_forbids_a_change(header: str, unchanged: bool) -> None:
    assert _if_none_match(header).unchanged(3) is unchanged
    assert _if_none_match(header).allows(3) is not unchanged


def test_without_headers_any_version_will_do() -> None:
    assert Precondition().allows(1)
    assert not Precondition().unchanged(1)
