"""Commands: what callers may send, and how a bad field is reported."""

import json
import re
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from chalicelib.crm.commands import (
    ChangeContact,
    ChangeJob,
    CreateAccount,
    CreateContact,
    CreateJob,
    MoveJob,
)
from chalicelib.shared.errors import Invalid
from chalicelib.shared.schema import Model, parse
from chalicelib.shared.text import JOINERS_CLASS, SELECTORS_CLASS

ACCOUNT_ID = str(uuid4())


def _wrong_fields(model: type[Model], body: Any) -> list[str]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(Invalid) as refused:
        parse(model, raw)
    return [error.field for error in refused.value.errors]


@pytest.mark.parametrize(
    ("model", "body", "fields"),
    [
        (CreateAccount, {}, ["name"]),
        (CreateAccount, {"name": ""}, ["name"]),
        (CreateAccount, {"name": "   "}, ["name"]),
        (CreateAccount, {"name": 7}, ["name"]),
        (CreateAccount, {"name": None}, ["name"]),
        (CreateAccount, {"name": "a" * 201}, ["name"]),
        (CreateAccount, {"name": "a\x00b"}, ["name"]),
        (CreateAccount, {"name": "ok", "colour": "red"}, ["colour"]),
        (CreateAccount, {"name": "ok", "website": "javascript:alert(1)"}, ["website"]),
        (CreateAccount, [], ["(body)"]),
        (CreateAccount, b'{"name": "\xff"}', ["(body)"]),
        (CreateAccount, b'{"name": "\\ud800"}', ["(body)"]),
        (CreateAccount, b"{", ["(body)"]),
        (CreateAccount, b"", ["(body)"]),
        (CreateContact, {"name": "Ada", "email": "ada"}, ["email"]),
        (CreateContact, {"name": "Ada", "accountId": "7"}, ["accountId"]),
        (
            CreateJob,
            {"accountId": ACCOUNT_ID, "title": "x", "status": "Completed"},
            ["status"],
        ),
        (
            CreateJob,
            {"accountId": ACCOUNT_ID, "title": "x", "amountCents": "5"},
            ["amountCents"],
        ),
        (
            CreateJob,
            {"accountId": ACCOUNT_ID, "title": "x", "amountCents": 5.5},
            ["amountCents"],
        ),
        (
            CreateJob,
            {"accountId": ACCOUNT_ID, "title": "x", "amountCents": True},
            ["amountCents"],
        ),
        (
            CreateJob,
            {"accountId": ACCOUNT_ID, "title": "x", "amountCents": -1},
            ["amountCents"],
        ),
        (
            CreateJob,
            {"accountId": ACCOUNT_ID, "title": "x", "amountCents": 2**53},
            ["amountCents"],
        ),
        (
            CreateJob,
            {"accountId": ACCOUNT_ID, "title": "x", "currency": "usd"},
            ["currency"],
        ),
        (
            CreateJob,
            {"accountId": ACCOUNT_ID, "title": "x", "scheduledFor": 1_700_000_000},
            ["scheduledFor"],
        ),
        (
            CreateJob,
            {"accountId": ACCOUNT_ID, "title": "x", "scheduledFor": "1700000000"},
            ["scheduledFor"],
        ),
        (
            CreateJob,
            {"accountId": ACCOUNT_ID, "title": "x", "scheduledFor": "2030-01-01T00:00:00"},
            ["scheduledFor"],
        ),
        (
            CreateJob,
            {"accountId": ACCOUNT_ID, "title": "x", "scheduledFor": "2030-13-01T00:00:00Z"},
            ["scheduledFor"],
        ),
        (
            CreateJob,
            {
                "accountId": ACCOUNT_ID,
                "title": "x",
                "scheduledFor": "0001-01-01T00:00:00+14:00",
            },
            ["scheduledFor"],
        ),
        (ChangeJob, {"status": "Scheduled"}, ["status"]),
        (ChangeJob, {"title": None, "accountId": None}, ["accountId", "title"]),
        (ChangeContact, {"name": None}, ["name"]),
        (MoveJob, {"status": "Gone"}, ["status"]),
    ],
)
def test_bad_input_is_refused_and_the_field_is_named(
    model: type[Model], body: Any, fields: list[str]
) -> None:
    assert _wrong_fields(model, body) == fields


def test_an_error_never_repeats_the_input() -> None:
    with pytest.raises(Invalid) as refused:
        parse(CreateAccount, b'{"name": "ok", "website": "s3cr3t"}')
    assert "s3cr3t" not in str(refused.value.errors) + refused.value.detail


def test_times_become_utc_whatever_their_offset() -> None:
    body = {
        "accountId": ACCOUNT_ID,
        "title": "x",
        "scheduledFor": "2030-01-01t10:00:00.5+02:00",
    }
    command = parse(CreateJob, json.dumps(body).encode())
    assert command.scheduled_for == datetime(2030, 1, 1, 8, 0, 0, 500_000, tzinfo=UTC)


def test_a_patch_has_only_the_fields_that_were_sent() -> None:
    assert parse(ChangeContact, b'{"email": null, "title": "CTO"}').values() == {
        "email": None,
        "title": "CTO",
    }


def test_white_space_around_text_is_removed() -> None:
    assert parse(CreateAccount, b'{"name": "  Northwind "}').name == "Northwind"


def _email_errors(text: str) -> list[str]:
    try:
        parse(ChangeContact, json.dumps({"email": text}).encode())
    except Invalid as refused:
        return [error.message for error in refused.errors]
    return []


@pytest.mark.parametrize(
    "text",
    [
        *("ada@example.com", "o'brien@example.com", "a.b+c_d~e!#$%&*/=?^`{|}@example.co.uk"),
        *(
            "Zoë@bücher.example",
            "用户@例子.公司",
            "a@b-c.d_e.example",
            " ada@example.com\n",
            "a@1.2",
        ),
        *(
            "x" * 242 + "@example.com",
            "محمد@مثال.مصر",
            "a..b@example.com",
            "-a@xn--bcher-kva.example",
        ),
    ],
)
def test_an_email_address_of_any_script_is_accepted(text: str) -> None:
    assert _email_errors(text) == []


@pytest.mark.parametrize(
    "text",
    [
        *("<a@b.example>", "Ada <a@b.example>", "mailto:a@b.example", "MAILTO:a@b.example"),
        *('"a"@b.example', '"a b"@c.example', "a@b@c.example", "@b.example", "a@", "a", "a@b"),
        *("a@.b.example", "a@b.example.", "a@b..example", "a@.", "a b@c.example", "a@b c.example"),
        *(
            "a\u00a0b@c.example",
            "a\u3000@c.example",
            "a@b.ex\tample",
            "a\n@b.example",
            "a;b@c.example",
        ),
        *("a@b.example,c@d.example", "a(x)@b.example", "a@[127.0.0.1]", "a@b.example?subject=x"),
        *("a@b.example/x", "a@'b'.example", "a@-b.example", "a@b-.example", "a@b。example"),
        *(
            "a＠b@c.example",
            "a\u037eb@c.example",
            "a\\@b.example",
            "a@b.example>",
            "a@b:25.example",
        ),
    ],
)
def test_what_is_not_a_plain_email_address_is_refused_in_words(text: str) -> None:
    [message] = _email_errors(text)
    assert message.startswith("must be ")
    assert "\\" not in message and "^" not in message


@pytest.mark.parametrize("code", [0x200B, 0x200D, 0xFE0F, 0xAD, 0x202E, 0xFEFF, 0x2060, 0xE0100])
@pytest.mark.parametrize("form", ["a{}b@c.example", "ab@c{}d.example", "{}ab@c.example"])
def test_an_invisible_character_of_an_email_address_is_named(code: int, form: str) -> None:
    [message] = _email_errors(form.format(chr(code)))
    assert message.startswith(f"must not contain the invisible character U+{code:04X} ")


def test_a_text_is_kept_in_the_composed_form() -> None:
    body = {"name": "Zoe\u0308", "email": "zoe\u0308@example.com", "title": "Che\u0301f"}
    contact = parse(CreateContact, json.dumps(body).encode())
    assert (contact.name, contact.email, contact.title) == ("Zoë", "zoë@example.com", "Chéf")


def test_a_text_must_fit_before_and_after_it_is_normalised() -> None:
    assert _wrong_fields(CreateAccount, {"name": "e\u0301" * 101}) == ["name"]
    assert _wrong_fields(CreateAccount, {"name": "\ufb2c" * 100}) == ["name"]
    assert len(parse(CreateAccount, json.dumps({"name": "e\u0301" * 100}).encode()).name) == 100


@pytest.mark.parametrize(
    "text", ["\u2003", "\u00a0", "\u3000 ", "\u1680", "\t\r\n", "\u200b", "\u2800"]
)
def test_a_name_of_white_space_of_any_kind_is_refused(text: str) -> None:
    assert _wrong_fields(CreateAccount, {"name": text}) == ["name"]


def test_a_name_is_one_line_and_a_description_may_have_several() -> None:
    with pytest.raises(Invalid) as refused:
        parse(CreateAccount, b'{"name": "a\\nb"}')
    assert refused.value.errors[0].message == "must be one line, without tabs"
    assert parse(ChangeJob, b'{"description": "a\\n\\tb"}').description == "a\n\tb"


@pytest.mark.parametrize("field", ["name", "phone", "title"])
@given(data=st.data())
def test_what_the_schema_allows_in_the_bmp_is_accepted(field: str, data: st.DataObject) -> None:
    schema = ChangeContact.model_json_schema()["properties"][field]
    schema = schema.get("anyOf", [schema])[0]
    text = data.draw(st.from_regex(schema["pattern"], fullmatch=True))
    contextual = re.compile(f"[{SELECTORS_CLASS}{JOINERS_CLASS}\U00010000-\U0010ffff]")
    assume(len(text) <= 13 and not contextual.search(text))
    parse(ChangeContact, json.dumps({field: text}).encode())


@given(st.text(max_size=30), st.sampled_from(["name", "email", "title"]))
def test_what_is_accepted_matches_the_schema(text: str, field: str) -> None:
    schema = ChangeContact.model_json_schema()["properties"][field]
    schema = schema.get("anyOf", [schema])[0]
    try:
        parse(ChangeContact, json.dumps({field: text}).encode())
    except Invalid:
        return
    assert re.search(schema["pattern"], text)
