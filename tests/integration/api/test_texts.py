"""Texts over HTTP: one spelling, one folding, and errors that show neither code nor long input."""

import json
import unicodedata
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.local.postgres import Postgres
from tests.integration.api.client import Api, problem

LETTERS = "aAkKiIıİßẞςσΣéÉǰŉǅøØжЖԱաꭰᎠკᲙ0ſµμΩÅåﬁ"
LOCAL_PARTS = st.text(st.sampled_from(LETTERS + ".+'\u0301\u0307"), min_size=1, max_size=8)
DOMAINS = st.text(st.sampled_from(LETTERS), min_size=1, max_size=4)
VARIANTS = (
    str,
    str.lower,
    str.upper,
    str.casefold,
    str.swapcase,
    lambda text: unicodedata.normalize("NFD", text),
    lambda text: unicodedata.normalize("NFD", text.upper()),
)


def _found(api: Api, email: str) -> list[str]:
    answer = api("GET", f"/api/crm/contacts?email={quote(email)}")
    assert answer.status_code == 200, answer.body
    return [item["id"] for item in answer.json_body["items"]]


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(local=LOCAL_PARTS, domain=DOMAINS)
def test_a_second_contact_conflicts_exactly_when_the_filter_finds_the_first(
    api: Api, local: str, domain: str
) -> None:
    tenant = Api(api.client, uuid4())
    email = f"{local}@{domain}.example"
    first = tenant.create("contacts", name="Ada", email=email)["id"]
    assert _found(tenant, email) == [first]
    for variant in {change(email) for change in VARIANTS}:
        before = _found(tenant, variant)
        answer = tenant("POST", "/api/crm/contacts", {"name": "Eve", "email": variant})
        assert answer.status_code == (409 if before else 201), (email, variant)
        assert len(_found(tenant, variant)) == 1


def test_the_longest_address_is_found(api: Api) -> None:
    email = "x" * 242 + "@example.com"
    contact = api.create("contacts", name="Ada", email=email)["id"]
    assert _found(api, email.upper()) == [contact]
    problem(api("GET", f"/api/crm/contacts?email=x{email}"), 400, "bad-parameter", "email")


def test_a_search_in_the_decomposed_form_finds_the_composed_one(api: Api) -> None:
    account = api.create("accounts", name="Cafe\u0301 Zürich")
    assert account["name"] == "Café Zürich"
    for text in ("cafe\u0301", "CAFÉ", " zu\u0308rich "):
        items = api("GET", f"/api/crm/accounts?q={quote(text)}").json_body["items"]
        assert [item["id"] for item in items] == [account["id"]], text


@pytest.mark.parametrize("text", ["", " ", "\u3000", "\x00", "a\x00", "a" * 201, "\ufb2c" * 101])
def test_a_search_for_nothing_or_too_much_is_refused(api: Api, text: str) -> None:
    problem(api("GET", f"/api/crm/accounts?q={quote(text)}"), 400, "bad-parameter", "q")


def test_an_old_contact_with_an_odd_address_is_read_found_and_changed(
    api: Api, postgres: Postgres
) -> None:
    contact = api.create("contacts", name="Ada", email="ada@example.com")
    odd = "<Ad\u200ba@example.com>"
    with postgres.connect() as connection:
        connection.execute_unnamed("UPDATE contact SET email = $1, name = $2", (odd, "Zoe\u0308"))
    path = f"/api/crm/contacts/{contact['id']}"
    assert api("GET", path).json_body["email"] == odd
    assert _found(api, odd.lower()) == [contact["id"]]
    changed = api("PATCH", path, {"phone": "1"}, headers={"If-Match": "*"})
    assert (changed.status_code, changed.json_body["email"]) == (200, odd)
    assert changed.json_body["name"] == "Zoe\u0308"
    refused = api("PATCH", path, {"email": odd}, headers={"If-Match": "*"})
    problem(refused, 400, "validation-failed", "email")


NAUGHTY = [
    *(
        "\ufeff",
        "Ω≈ç√∫˜µ≤",
        "田中さんにあげて下さい",
        "<img src=x onerror=alert(1)>",
        "ثم نفس سقطت",
        "0️⃣ 1️⃣",
    ),
    *("👨\u200d👩\u200d👧\u200d👦", "Z̮̞̠͙͔ͅḀ̗̞͈̻̗Ḷ͙͎̯̹̞͓G̻O̭̗̮", "Robert'); DROP TABLE contact;--", "%s%d%n", "NULL"),
    *(
        "\u202etest\u202c",
        "a" + "\u0301" * 150,
        "\u2028",
        "\x7f",
        "\x85",
        "𝕿𝖍𝖊",
        "🏳\ufe0f\u200d🌈",
        "\udbff",
    ),
    *(
        "\u061c",
        "ﬁ",
        "\u1680",
        "../../etc/passwd",
        "{{7*7}}",
        "\u00ad",
        "\U000e0041",
        "\ue000",
        "١٢٣",
    ),
]


@pytest.mark.parametrize("text", NAUGHTY, ids=ascii)
def test_a_naughty_text_is_stored_normalised_or_refused_in_words(api: Api, text: str) -> None:
    answer = api("POST", "/api/crm/contacts", {"name": text, "title": text})
    if answer.status_code == 201:
        stored = unicodedata.normalize("NFC", text).strip()
        assert (answer.json_body["name"], answer.json_body["title"]) == (stored, stored)
        items = api("GET", f"/api/crm/contacts?q={quote(text)}").json_body["items"]
        assert [item["id"] for item in items] == [answer.json_body["id"]]
        return
    members: dict[str, Any] = json.loads(answer.body)
    assert answer.status_code == 400
    assert members["code"] in ("validation-failed", "invalid-json")
    assert all(error["message"].startswith(("must ", "is ")) for error in members["errors"])


def test_a_long_parameter_name_is_shortened_and_many_are_counted(api: Api) -> None:
    query = "&".join(f"{number}{'n' * 100}=1" for number in range(60))
    members = problem(api("GET", f"/api/crm/accounts?{query}"), 400, "bad-parameter")
    assert len(members["errors"]) == 50
    assert {len(error["field"]) for error in members["errors"]} == {40}
    assert members["detail"].endswith(
        "and 50 more are not valid. See errors, which lists the first 50."
    )
