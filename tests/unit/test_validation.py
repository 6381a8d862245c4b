"""Validation errors are plain English, and show nothing of the code or the input."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.autoheal.acknowledge import Acknowledgement
from chalicelib.autoheal.admin import ConfigChange
from chalicelib.crm.commands import (
    ChangeAccount,
    ChangeContact,
    ChangeJob,
    CreateAccount,
    CreateContact,
    CreateJob,
    MoveJob,
)
from chalicelib.outbox.admin import ReplayRequest
from chalicelib.shared.errors import Invalid
from chalicelib.shared.schema import Model, parse
from chalicelib.shared.validation import MAX_ERRORS, MAX_NAME_LENGTH

JOB = b'"accountId": "0197a3c0-5f3e-7cc4-9d0a-2b8b6f0f1e11", "title": "Replace the meter"'
CASES = [
    (CreateAccount, b"{}", "name", "is required"),
    (CreateAccount, b'{"name": 1}', "name", "must be a text"),
    (CreateAccount, b'{"name": " "}', "name", "must not be empty"),
    (CreateAccount, b'{"name": "a", "owner": "b"}', "owner", "is not a field of this resource"),
    (CreateAccount, b"[]", "(body)", "must be an object"),
    (
        CreateAccount,
        b'{"name": "a", "website": "ftp://x"}',
        "website",
        "must be an http or https address",
    ),
    (
        CreateContact,
        b'{"name": "a", "email": "secret"}',
        "email",
        "must be an address such as ada@example.com, without name or angle brackets",
    ),
    (CreateContact, b'{"name": "a", "accountId": "x"}', "accountId", "must be a UUID"),
    (CreateJob, b"{" + JOB + b', "status": "Completed"}', "status", "must be Open"),
    (CreateJob, b"{" + JOB + b', "amountCents": -1}', "amountCents", "must be at least 0"),
    (CreateJob, b"{" + JOB + b', "amountCents": 1.5}', "amountCents", "must be an integer"),
    (
        CreateJob,
        b"{" + JOB + b', "currency": "chf"}',
        "currency",
        "must be three capital letters such as CHF",
    ),
    (ConfigChange, b'{"mode": "on"}', "mode", "must be one of: off, dry_run, live"),
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


def test_a_body_of_many_unknown_keys_gets_a_short_list_and_their_number() -> None:
    keys = {f"{number}{'k' * 500}": 1 for number in range(10_000)}
    with pytest.raises(Invalid) as caught:
        parse(CreateAccount, json.dumps({"name": "a", **keys}).encode())
    errors = caught.value.errors
    assert len(errors) == MAX_ERRORS
    assert {len(error.field) for error in errors} == {MAX_NAME_LENGTH}
    assert caught.value.detail.endswith(
        "and 9990 more are not valid. See errors, which lists the first 50."
    )
    assert len(caught.value.detail) < 600


def test_a_detail_names_ten_fields_and_counts_the_others() -> None:
    keys = {f"k{number}": 1 for number in range(12)}
    with pytest.raises(Invalid, match=r"k8, k9 and 2 more are not valid\. See errors\.$") as caught:
        parse(CreateAccount, json.dumps({"name": "a", **keys}).encode())
    assert len(caught.value.errors) == 12


HOSTILE: list[Any] = [
    *(None, True, -1, 1.5, 1e300, 2**70, [], {}, [[]], {"a": {"b": []}}, {"k" * 300: "v" * 3_000}),
    *("", " ", "\u3000", "\u200b", "a\x00b", "a\nb", "\u202eabc", "\u2800", "\u3164", "\ue000"),
    *("x" * 20_000, "\ufb2c" * 100, "\u0301" * 300, "\U0001d160" * 90, "👩\u200d", "\U000e0041"),
    *("<a@b.example>", "mailto:a@b.example", "a@b@c.example", "a@b..example", "a" * 90 + "@"),
    *("2030-02-30T00:00:00Z", "2030-01-01T00:00:00+99:99", "２０３０-01-01T00:00:00Z", "9" * 300),
    *("{0197a3c0}", "urn:uuid:0", "javascript:alert(1)", "' OR 1=1 --", "^[a-z]+$", "\\d"),
]
"""Values that are wrong for most fields."""
MODELS: list[type[Model]] = [
    *(CreateAccount, ChangeAccount, CreateContact, ChangeContact, CreateJob, ChangeJob, MoveJob),
    *(Acknowledgement, ConfigChange, ReplayRequest),
]
WORDS_OF_THE_CODE = re.compile(
    r"\^|\\|pattern|pydantic|[Ii]nput should|NoneType|isoformat|month must|\bstr\b|Traceback|"
    r"function-|constrained|JobStatus|ModeName|" + "|".join(model.__name__ for model in MODELS),
)


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for pair in value.items() for part in pair for text in _texts(part)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: ascii(value)[:20])
def test_no_error_shows_code_or_the_input_at_length(model: type[Model], value: Any) -> None:
    for field in [str(info.alias) for info in model.model_fields.values()] + ["unknown" * 60]:
        for body in ({field: value}, {field: {"percent": value, "alertname": value}}):
            try:
                parse(model, json.dumps(body).encode())
            except Invalid as refused:
                shown = [refused.detail, *(error.message for error in refused.errors)]
                names = [error.field for error in refused.errors]
                assert not WORDS_OF_THE_CODE.search(" ".join(shown)), shown
                assert max(map(len, shown + names)) < 300
                for text in _texts(body):
                    assert len(text) <= 80 or text[:81] not in " ".join(shown + names)


@given(st.text(max_size=60), st.sampled_from(MODELS), st.data())
def test_a_text_is_kept_normalised_or_refused_in_plain_words(
    text: str, model: type[Model], data: st.DataObject
) -> None:
    field = data.draw(st.sampled_from([str(info.alias) for info in model.model_fields.values()]))
    try:
        parse(model, json.dumps({field: text}).encode())
    except Invalid as refused:
        assert not WORDS_OF_THE_CODE.search(" ".join(e.message for e in refused.errors))
