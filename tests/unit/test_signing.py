from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.security.signing import LONGEST_LINK, Links, bearer_is, seal, unseal
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
def test_a_bearer_of_any_accepted_secret_is_known(header: str) -> None:
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
def test_anyone_else_is_not(header: str, accepted: list[str]) -> None:
    assert not bearer_is({"authorization": header}, accepted)
    assert not bearer_is({}, accepted)


def test_a_link_states_its_claims_until_its_moment() -> None:
    assert LINKS.read(TOKEN, "silence", START) == CLAIMS
    assert LINKS.read(TOKEN, "silence", UNTIL - MOMENT) == CLAIMS
    with pytest.raises(LinkExpired):
        LINKS.read(TOKEN, "silence", UNTIL)
    with pytest.raises(BadLink):
        LINKS.read(TOKEN, "silence", UNTIL + timedelta(days=1))


def test_the_same_moment_in_another_time_zone_is_the_same_link() -> None:
    assert LINKS.sign("silence", CLAIMS, UNTIL.astimezone()) == TOKEN


def test_a_moment_without_a_time_zone_is_no_moment() -> None:
    with pytest.raises(TypeError):
        LINKS.sign("silence", CLAIMS, datetime(2026, 1, 1))


@pytest.mark.parametrize("purpose", ["", "acknowledge", "silence\n", "Silence", 'silence"'])
def test_a_link_for_one_purpose_is_worth_nothing_for_another(purpose: str) -> None:
    with pytest.raises(BadLink) as refused:
        LINKS.read(TOKEN, purpose, START)
    assert not isinstance(refused.value, LinkExpired)


def test_what_is_moved_from_the_purpose_into_the_body_is_noticed() -> None:
    sealed = seal(b"body", "purpose", ["key"])
    assert unseal(sealed, "purpose", ["key"], longest=99) == b"body"
    for purpose, body in [
        ("purpos", b'e"\nbody'),
        ('purpose"\nbody', b""),
        ("", b'purpose"\nbody'),
    ]:
        assert seal(body, purpose, ["key"])[:43] != sealed[:43]


@given(st.integers(0, len(TOKEN) - 1), st.characters(codec="utf-8"))
def test_any_changed_character_is_refused(place: int, instead: str) -> None:
    if TOKEN[place] == instead:
        return
    with pytest.raises(BadLink):
        LINKS.read(TOKEN[:place] + instead + TOKEN[place + 1 :], "silence", START)


@pytest.mark.parametrize("spare", range(1, 4))
def test_no_other_spelling_of_a_token_is_a_token(spare: int) -> None:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    sealed = seal(b"x" * 2, "p", ["key"])  # 34 bytes: the last character has spare bits
    assert len(sealed) % 4 == 2
    other = sealed[:-1] + alphabet[alphabet.index(sealed[-1]) + spare]
    with pytest.raises(ValueError, match="spelling"):
        unseal(other, "p", ["key"], longest=99)


@given(st.text(max_size=200))
def test_what_was_never_signed_is_refused(text: str) -> None:
    with pytest.raises(BadLink):
        LINKS.read(text, "silence", START)


@given(
    claims=st.dictionaries(st.text(max_size=20), st.text(max_size=40), max_size=5),
    purpose=st.text(max_size=30),
    seconds=st.integers(1, 10**9),
)
def test_what_was_signed_is_read_back(claims: dict[str, str], purpose: str, seconds: int) -> None:
    token = LINKS.sign(purpose, claims, START + timedelta(seconds=seconds))
    assert LINKS.read(token, purpose, START) == claims
    assert set(token) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


def test_keys_change_without_a_link_lost() -> None:
    before = Links(["old"])
    during = Links(["new", "old"])
    after = Links(["new"])
    given_out = before.sign("silence", CLAIMS, UNTIL)
    assert during.read(given_out, "silence", START) == CLAIMS
    assert after.read(during.sign("silence", CLAIMS, UNTIL), "silence", START) == CLAIMS
    with pytest.raises(BadLink):
        after.read(given_out, "silence", START)
    with pytest.raises(BadLink):
        before.read(during.sign("silence", CLAIMS, UNTIL), "silence", START)


@pytest.mark.parametrize("keys", [[], [""], ["key", ""]])
def test_nothing_is_signed_without_a_key(keys: list[str]) -> None:
    with pytest.raises(ValueError, match="key"):
        Links(keys)


def test_claims_that_fit_no_link_are_refused_when_it_is_made() -> None:
    with pytest.raises(ValueError, match=str(LONGEST_LINK)):
        LINKS.sign("silence", {"text": "x" * LONGEST_LINK}, UNTIL)


def test_a_token_over_the_cap_is_refused_unread() -> None:
    long = urlsafe_b64encode(b"x" * 3 * LONGEST_LINK).decode()
    with pytest.raises(BadLink):
        LINKS.read(long, "silence", datetime.now(UTC))
