"""Validation errors are plain English, and show nothing of the code or the input."""

import pytest

from chalicelib.autoheal.admin import ConfigChange
from chalicelib.crm.commands import CreateAccount, CreateContact, CreateJob
from chalicelib.shared.errors import Invalid
from chalicelib.shared.schema import Model, parse

JOB = b'"accountId": "0197a3c0-5f3e-7cc4-9d0a-2b8b6f0f1e11", "title": "Replace the meter"'
CASES = [
    (CreateAccount, b"{}", "name", "is required"),
    (CreateAccount, b'{"name": 1}', "name", "must be a string"),
    (CreateAccount, b'{"name": " "}', "name", "must not be empty"),
    (CreateAccount, b'{"name": "a", "owner": "b"}', "owner", "is not a known field"),
    (CreateAccount, b"[]", "(body)", "must be an object"),
    (
        CreateAccount,
        b'{"name": "a", "website": "ftp://x"}',
        "website",
        "must be an http or https address",
    ),
    (CreateContact, b'{"name": "a", "email": "secret"}', "email", "must be an email address"),
    (CreateContact, b'{"name": "a", "accountId": "x"}', "accountId", "must be a UUID"),
    (CreateJob, b"{" + JOB + b', "status": "Completed"}', "status", "must be 'Open'"),
    (CreateJob, b"{" + JOB + b', "amountCents": -1}', "amountCents", "must be at least 0"),
    (CreateJob, b"{" + JOB + b', "amountCents": 1.5}', "amountCents", "must be an integer"),
    (
        CreateJob,
        b"{" + JOB + b', "currency": "chf"}',
        "currency",
        "must be three capital letters such as CHF",
    ),
    (ConfigChange, b'{"mode": "on"}', "mode", "must be 'off', 'dry_run' or 'live'"),
]


@pytest.mark.parametrize(("model", "body", "field", "message"), CASES)
def test_an_invalid_field_is_described_in_plain_english(
    model: type[Model], body: bytes, field: str, message: str
) -> None:
    with pytest.raises(Invalid) as caught:
        parse(model, body)
    assert [(error.field, error.message) for error in caught.value.errors] == [(field, message)]
    assert caught.value.code == "validation-failed"


def test_the_detail_names_every_invalid_field() -> None:
    with pytest.raises(Invalid, match=r"^The fields owner, name are not valid\. See errors\.$"):
        parse(CreateAccount, b'{"name": null, "owner": "b"}')
    with pytest.raises(Invalid, match=r"^The field name is not valid\. See errors\.$"):
        parse(CreateAccount, b"{}")


def test_a_body_that_is_not_json_is_refused_with_the_position() -> None:
    with pytest.raises(
        Invalid, match=r"^The body is not valid JSON: .* line 1 column \d+\.$"
    ) as caught:
        parse(CreateAccount, b"not json")
    assert caught.value.code == "invalid-json"
