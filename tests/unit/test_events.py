"""Events on the wire: what the code makes fits the schemas, and the schemas stay fit for those who read them today."""

import json
from typing import Any
from uuid import uuid4

import jsonschema
import pytest

from chalicelib.crm import events
from chalicelib.crm.model import JobStatus
from infra.aws.package import ROOT
from infra.docs.events import asyncapi, event_schema
from tests.builders import crm as builders
from tests.fakes.clock import START, FakeClock
from tests.fakes.outbox import FakeOutbox

PUBLISHED = ROOT / "tests" / "unit" / "published"
"""The schemas as consumers know them. Changing one needs a new `schema_version` and a word to every consumer."""


def _made() -> list[events.Event]:
    account = builders.account(phone="1")
    contact = builders.contact(email="ada@x.test")
    job = builders.job(scheduled_for=START, amount_cents=5)
    made = []
    for entity in (account, contact, job):
        changed = entity.changed(START, **{"title" if entity is job else "name": "other"})
        made += [
            events.created(entity),
            events.updated(entity, changed),
            events.deleted(changed, START),
        ]
    return [*made, events.status_changed(job, job.moved(JobStatus.SCHEDULED, START), "ada")]


MADE = {event.type: event for event in _made()}


def test_there_is_one_event_of_each_type() -> None:
    assert set(MADE) == {kind.__name__ for kind in events.TYPES}


@pytest.mark.parametrize("name", sorted(MADE))
def test_what_the_code_makes_fits_its_schema(name: str) -> None:
    value = json.loads(MADE[name].to_json())
    jsonschema.validate(
        value, json.loads(event_schema(type(MADE[name]))), jsonschema.Draft202012Validator
    )
    assert {
        "eventId",
        "tenantId",
        "occurredAt",
        "version",
        f"{MADE[name].aggregate}Id",
    } <= set(value)
    assert MADE[name].stream_key == f"{MADE[name].aggregate}:{value[MADE[name].aggregate + 'Id']}"


@pytest.mark.parametrize("name", sorted(MADE))
def test_what_consumers_rely_on_is_still_there(name: str) -> None:
    old = json.loads((PUBLISHED / f"{name}.json").read_text())
    new = json.loads(event_schema(type(MADE[name])))
    for field, before in old["properties"].items():
        assert field in new["properties"], f"{name}.{field} is gone"
        assert _types(before) >= _types(new["properties"][field]), (
            f"{name}.{field} may be what it never was"
        )
    assert set(old["required"]) <= set(new["required"]), "what was always there must stay"
    jsonschema.validate(json.loads(MADE[name].to_json()), old, jsonschema.Draft202012Validator)


def test_an_update_names_the_fields_as_on_the_wire() -> None:
    before = builders.job()
    event = events.updated(before, before.changed(START, account_id=uuid4(), title="x"))
    assert json.loads(event.to_json())["changed"] == ["accountId", "title"]


def test_the_asyncapi_document_has_every_topic_and_header() -> None:
    document = json.loads(asyncapi())
    assert {one["address"] for one in document["channels"].values()} == {
        f"aetherlink.events.{kind.__name__.lower()}" for kind in events.TYPES
    }
    headers = {name for name, _ in FakeOutbox(FakeClock()).append("job:1").record_headers()}
    for message in document["components"]["messages"].values():
        assert set(message["headers"]["required"]) == headers
        assert (ROOT / "docs" / message["payload"]["$ref"]).exists()


def _types(schema: dict[str, Any]) -> set[str]:
    choices = schema.get("anyOf", [schema])
    return {json.dumps([one.get("type"), one.get("format"), one.get("$ref")]) for one in choices}
