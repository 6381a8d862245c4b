"""The documents about events: a JSON Schema for each type, and AsyncAPI."""

import json
from typing import Any

from chalicelib.config import Settings
from chalicelib.crm.events import TYPES
from chalicelib.outbox import headers as header_names
from chalicelib.outbox.envelope import topic_of

RECORD_HEADERS = (
    *(
        header_names.EVENT_ID,
        header_names.TENANT_ID,
        header_names.EVENT_TYPE,
        header_names.OCCURRED_AT,
        header_names.STREAM_SEQ,
        header_names.SCHEMA_VERSION,
    ),
    *(
        header_names.CONTENT_TYPE,
        header_names.CE_ID,
        header_names.CE_TYPE,
        header_names.CE_SOURCE,
        header_names.CE_SUBJECT,
        header_names.CE_TIME,
    ),
    header_names.CE_SPECVERSION,
)


def event_schema(kind: Any) -> str:
    """Return the JSON Schema of one event type's record value."""
    schema = kind.model_json_schema(by_alias=True, mode="serialization")
    del schema["additionalProperties"]  # consumers must let fields come that they do not know yet
    return (
        json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}, indent=2)
        + "\n"
    )


def asyncapi() -> str:
    """Return docs/asyncapi.json: the topics and what is on them, as AsyncAPI 3 has it."""
    settings = Settings()
    text = {"type": "string"}
    headers = {
        "type": "object",
        "required": [*RECORD_HEADERS],
        "properties": dict.fromkeys(
            (*RECORD_HEADERS, header_names.TRACEPARENT, header_names.REPLAY), text
        ),
    }
    channels = {}
    operations = {}
    messages = {}
    for kind in TYPES:
        name = kind.__name__
        messages[name] = {
            "name": name,
            "summary": str(kind.__doc__).splitlines()[0],
            "contentType": "application/json",
            "headers": headers,
            "payload": {"$ref": f"./events/{name}.json"},
            "bindings": {
                "kafka": {
                    "key": {
                        "type": "string",
                        "description": f"the stream, {kind.aggregate}:<id>",
                    }
                }
            },
        }
        channels[name] = {
            "address": topic_of(settings.outbox.topic_template, name),
            "messages": {name: {"$ref": f"#/components/messages/{name}"}},
            "bindings": {"kafka": {"partitions": settings.outbox.topic_partitions}},
        }
        operations[f"publish{name}"] = {
            "action": "send",
            "channel": {"$ref": f"#/channels/{name}"},
        }
    document = {
        "asyncapi": "3.0.0",
        "info": {
            "title": "AetherLink events",
            "version": "1.0.0",
            "description": "At least once, in order within a stream (the record's key). See docs/consuming.md.",
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages},
    }
    return json.dumps(document, indent=2) + "\n"
