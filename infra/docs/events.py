"""The documents about events: a JSON Schema for each type, and an AsyncAPI document."""

import json
from typing import Any

from chalicelib.config import Settings
from chalicelib.crm.events import TYPES
from chalicelib.outbox import headers
from chalicelib.outbox.envelope import topic_of

RECORD_HEADERS = (
    headers.EVENT_ID,
    headers.TENANT_ID,
    headers.EVENT_TYPE,
    headers.OCCURRED_AT,
    headers.STREAM_SEQ,
    headers.SCHEMA_VERSION,
    headers.CONTENT_TYPE,
    headers.CE_ID,
    headers.CE_TYPE,
    headers.CE_SOURCE,
    headers.CE_SUBJECT,
    headers.CE_TIME,
    headers.CE_SPECVERSION,
)
OPTIONAL_HEADERS = (headers.TRACEPARENT, headers.REPLAY)
JSON_SCHEMA = "https://json-schema.org/draft/2020-12/schema"
INFO = {
    "title": "AetherLink events",
    "version": "1.0.0",
    "description": (
        "Delivered at least once, and in order within a stream (the record's key). "
        "See docs/consuming.md."
    ),
}


def event_schema(event_type: Any) -> str:
    """Return the JSON Schema of the record value of one event type."""
    schema = event_type.model_json_schema(by_alias=True, mode="serialization")
    del schema["additionalProperties"]  # consumers must accept fields that they do not know yet
    return json.dumps({"$schema": JSON_SCHEMA, **schema}, indent=2) + "\n"


def asyncapi() -> str:
    """Return docs/asyncapi.json: the topics and their messages, as AsyncAPI 3."""
    names = [event_type.__name__ for event_type in TYPES]
    document = {
        "asyncapi": "3.0.0",
        "info": INFO,
        "defaultContentType": "application/json",
        "channels": {name: _channel(name) for name in names},
        "operations": {
            f"publish{name}": {"action": "send", "channel": {"$ref": f"#/channels/{name}"}}
            for name in names
        },
        "components": {"messages": {event.__name__: _message(event) for event in TYPES}},
    }
    return json.dumps(document, indent=2) + "\n"


def _channel(name: str) -> dict[str, Any]:
    settings = Settings().outbox
    return {
        "address": topic_of(settings.topic_template, name),
        "messages": {name: {"$ref": f"#/components/messages/{name}"}},
        "bindings": {"kafka": {"partitions": settings.topic_partitions}},
    }


def _message(event_type: Any) -> dict[str, Any]:
    name = event_type.__name__
    key = {"type": "string", "description": f"The stream: {event_type.aggregate}:<id>."}
    return {
        "name": name,
        "summary": str(event_type.__doc__).splitlines()[0],
        "contentType": "application/json",
        "headers": _headers(),
        "payload": {"$ref": f"./events/{name}.json"},
        "bindings": {"kafka": {"key": key}},
    }


def _headers() -> dict[str, Any]:
    names = (*RECORD_HEADERS, *OPTIONAL_HEADERS)
    return {
        "type": "object",
        "required": list(RECORD_HEADERS),
        "properties": {name: {"type": "string"} for name in names},
    }
