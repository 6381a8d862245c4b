"""Events on the wire: they fit their schemas, and the schemas stay fit for today's consumers."""

import json
from typing import Any
from uuid import uuid4

import jsonschema
import pytest

from chalicelib.crm import changes, events
from chalicelib.crm.model import JobStatus
from infra.docs.events import asyncapi, event_schema
from infra.paths import ROOT
from tests.builders import crm as builders
from tests.fakes.clock import START, FakeClock
from tests.fakes.outbox import FakeOutbox

PUBLISHED = ROOT / "tests" / "unit" / "published"
"""The schemas as consumers know them.

Changing one needs a new `schema_version` and a notice to every consumer.
"""


def _examples() -> list[events.Event]:
    account = builders.account(phone="1")
    contact = builders.contact(email="ada@x.test")
    job = builders.job(scheduled_for=START, amount_cents=5)
    examples: list[events.Event] = []
    for entity in (account, contact, job):
        changed = entity.changed(START, **{"title" if entity is job else "name": "other"})
        examples.append(changes.created(entity))
        examples.append(changes.updated(entity, changed))
        examples.append(changes.deleted(changed, START))
    moved = job.moved(JobStatus.SCHEDULED, START)
    examples.append(events.JobStatusChanged.of(job, moved, "ada"))
    return examples


EXAMPLES = {event.type: event for event in _examples()}


def test_there_is_one_example_of_each_type() -> None:
    assert set(EXAMPLES) == {event_type.__name__ for event_type in events.TYPES}


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_an_event_fits_its_schema(name: str) -> None:
    event = EXAMPLES[name]
    value = json.loads(event.to_json())
    schema = json.loads(event_schema(type(event)))
    jsonschema.validate(value, schema, jsonschema.Draft202012Validator)
    id_field = f"{event.aggregate}Id"
    assert {"eventId", "tenantId", "occurredAt", "version", id_field} <= set(value)
    assert event.stream_key == f"{event.aggregate}:{value[id_field]}"


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_a_schema_keeps_what_consumers_rely_on(name: str) -> None:
    old = json.loads((PUBLISHED / f"{name}.json").read_text())
    new = json.loads(event_schema(type(EXAMPLES[name])))
    for field, before in old["properties"].items():
        assert field in new["properties"], f"{name}.{field} is gone"
        assert _types(before) >= _types(new["properties"][field]), (
            f"{name}.{field} has a type that it did not have before"
        )
    assert set(old["required"]) <= set(new["required"]), "a required field must stay required"
    value = json.loads(EXAMPLES[name].to_json())
    jsonschema.validate(value, old, jsonschema.Draft202012Validator)


def test_an_update_names_its_fields_as_in_json() -> None:
    before = builders.job()
    event = changes.updated(before, before.changed(START, account_id=uuid4(), title="x"))
    assert json.loads(event.to_json())["changed"] == ["accountId", "title"]


def test_the_asyncapi_document_has_every_topic_and_header() -> None:
    document = json.loads(asyncapi())
    assert {channel["address"] for channel in document["channels"].values()} == {
        f"aetherlink.events.{event_type.__name__.lower()}" for event_type in events.TYPES
    }
    headers = {name for name, _ in FakeOutbox(FakeClock()).append("job:1").record_headers()}
    for message in document["components"]["messages"].values():
        assert set(message["headers"]["required"]) == headers
        assert (ROOT / "docs" / message["payload"]["$ref"]).exists()


def _types(schema: dict[str, Any]) -> set[str]:
    choices = schema.get("anyOf", [schema])
    return {
        json.dumps([choice.get("type"), choice.get("format"), choice.get("$ref")])
        for choice in choices
    }
