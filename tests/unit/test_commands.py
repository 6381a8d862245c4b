"""Commands: what callers may send, and how a bad field is reported."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

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
