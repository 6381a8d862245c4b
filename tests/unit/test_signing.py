"""Bearer secrets, seals and signed links."""

from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.security.signing import MAX_LINK_LENGTH, Links, bearer_is, seal, unseal
from chalicelib.shared.errors import BadLink, LinkExpired
from tests.fakes.clock import START

LINKS = Links(["key"])
CLAIMS = {"alert": "4711", "who": "Zoë"}
UNTIL = START + timedelta(minutes=15)
TOKEN = LINKS.sign("silence", CLAIMS, UNTIL)
MOMENT = timedelta(microseconds=1)


@pytest.mark.parametrize(
    "header", ["Bearer new", "bearer new", "BEARER  new ", "Bearer old", "Bearer schlüssel"]
)
def test_every_accepted_secret_matches(header: str) -> None:
    assert bearer_is({"authorization": header}, ["new", "old", "schlüssel"])


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer ne",
        "Bearer newer",
        "Basic new",
        "new",
        "Bearer \ud800",
    ],
)
@pytest.mark.parametrize("accepted", [["new"], ["", "new"], [""], []])
def test_every_other_header_is_refused(header: str, accepted: list[str]) -> None:
    assert not bearer_is({"authorization": header}, accepted)
    assert not bearer_is({}, accepted)


def test_a_link_is_valid_until_the_microsecond_it_expires() -> None:
    assert LINKS.read(TOKEN, "silence", START) == CLAIMS
    assert LINKS.read(TOKEN, "silence", UNTIL - MOMENT) == CLAIMS
    with pytest.raises(LinkExpired):
        LINKS.read(TOKEN, "silence", UNTIL)
    with pytest.raises(BadLink):
        LINKS.read(TOKEN, "silence", UNTIL + timedelta(days=1))


def test_the_same_expiry_in_another_time_zone_makes_the_same_link() -> None:
    assert LINKS.sign("silence", CLAIMS, UNTIL.astimezone()) == TOKEN


def test_an_expiry_without_a_time_zone_is_refused() -> None:
    with pytest.raises(TypeError):
        LINKS.sign("silence", CLAIMS, datetime(2026, 1, 1))


@pytest.mark.parametrize("purpose", ["", "acknowledge", "silence\n", "Silence", 'silence"'])
def test_a_link_for_one_purpose_is_refused_for_another(purpose: str) -> None:
    with pytest.raises(BadLink) as refused:
        LINKS.read(TOKEN, purpose, START)
    assert not isinstance(refused.value, LinkExpired)


def test_purpose_and_body_cannot_be_shifted_into_each_other() -> None:
    sealed = seal(b"body", "purpose", ["key"])
    assert unseal(sealed, "purpose", ["key"], max_length=99) == b"body"
    for purpose, body in [
        ("purpos", b'e"\nbody'),
        ('purpose"\nbody', b""),
        ("", b'purpose"\nbody'),
    ]:
        assert seal(body, purpose, ["key"])[:43] != sealed[:43]


@given(st.integers(0, len(TOKEN) - 1), st.characters(codec="utf-8"))
def test_any_changed_character_is_refused(position: int, character: str) -> None:
    if TOKEN[position] == character:
        return
    with pytest.raises(BadLink):
        LINKS.read(TOKEN[:position] + character + TOKEN[position + 1 :], "silence", START)


@pytest.mark.parametrize("spare", range(1, 4))
def test_no_other_spelling_of_a_token_is_a_token(spare: int) -> None:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    sealed = seal(b"x" * 2, "p", ["key"])  # 34 bytes: the last character has spare bits
    assert len(sealed) % 4 == 2
    other = sealed[:-1] + alphabet[alphabet.index(sealed[-1]) + spare]
    with pytest.raises(ValueError, match="spelling"):
        unseal(other, "p", ["key"], max_length=99)


@given(st.text(max_size=200))
def test_a_text_that_was_never_signed_is_refused(text: str) -> None:
    with pytest.raises(BadLink):
        LINKS.read(text, "silence", START)


@given(
    claims=st.dictionaries(st.text(max_size=20), st.text(max_size=40), max_size=5),
    purpose=st.text(max_size=30),
    seconds=st.integers(1, 10**9),
)
def test_signed_claims_are_read_back(claims: dict[str, str], purpose: str, seconds: int) -> None:
    token = LINKS.sign(purpose, claims, START + timedelta(seconds=seconds))
    assert LINKS.read(token, purpose, START) == claims
    assert set(token) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


def test_keys_rotate_without_losing_a_link() -> None:
    before = Links(["old"])
    during = Links(["new", "old"])
    after = Links(["new"])
    link = before.sign("silence", CLAIMS, UNTIL)
    assert during.read(link, "silence", START) == CLAIMS
    assert after.read(during.sign("silence", CLAIMS, UNTIL), "silence", START) == CLAIMS
    with pytest.raises(BadLink):
        after.read(link, "silence", START)
    with pytest.raises(BadLink):
        before.read(during.sign("silence", CLAIMS, UNTIL), "silence", START)


@pytest.mark.parametrize("keys", [[], [""], ["key", ""]])
def test_nothing_is_signed_without_a_key(keys: list[str]) -> None:
    with pytest.raises(ValueError, match="key"):
        Links(keys)


def test_claims_too_long_for_a_link_are_refused_when_signing() -> None:
    with pytest.raises(ValueError, match=str(MAX_LINK_LENGTH)):
        LINKS.sign("silence", {"text": "x" * MAX_LINK_LENGTH}, UNTIL)


def test_a_token_over_the_maximum_length_is_refused() -> None:
    long = urlsafe_b64encode(b"x" * 3 * MAX_LINK_LENGTH).decode()
    with pytest.raises(BadLink):
        LINKS.read(long, "silence", datetime.now(UTC))
