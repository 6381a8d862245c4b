"""Documents made from the code: `python -m infra.docs` writes them, `--check` tells whether they are current."""

import argparse
import json
import sys
from dataclasses import fields
from typing import Any

from chalicelib import names
from chalicelib.config import Settings
from chalicelib.crm.events import TYPES
from chalicelib.messaging.envelope import topic_of
from infra import access_page, audit, openapi, openapi_page
from infra.aws.package import ROOT

RECORD_HEADERS = (
    *(names.EVENT_ID, names.TENANT_ID, names.EVENT_TYPE, names.OCCURRED_AT, names.STREAM_SEQ, names.SCHEMA_VERSION),
    *(names.CONTENT_TYPE, names.CE_ID, names.CE_TYPE, names.CE_SOURCE, names.CE_SUBJECT, names.CE_TIME),
    names.CE_SPECVERSION,
)

CONFIGURATION = """\
# Configuration

Every setting is an environment variable, read once by `chalicelib/config.py`. This page is generated from it
(`make fmt`). A value that cannot be read stops the function with an error that names the variable.

What is marked **Secret** may be a reference, and on stages other than `local` has to be one: `secretsmanager:<name or
ARN>`, with `#<key>` for one key of a JSON object, or `ssm:<parameter>` for a SecureString.
[deployment.md](deployment.md#secrets) tells how they are read and changed.

| variable | default | meaning |
| --- | --- | --- |
{rows}

The local stack itself has a few more:

| variable | default | meaning |
| --- | --- | --- |
| `AETHERLINK_POSTGRES_PORT` | `54329` | Where the local PostgreSQL listens. |
| `AETHERLINK_KAFKA_PORT` | `19092` | Where the local Kafka listens; its controller takes the next port. |
| `AETHERLINK_EMULATOR_PORT` | `4566` | Where the AWS emulator listens. |
| `AETHERLINK_ISSUER_PORT` | `9400` | Where the local OpenID Connect issuer listens. |
| `AETHERLINK_SERVICES_PORT` | `18081` | Where the first demo service listens; the second takes the next port. |
| `AETHERLINK_SSM_PORT` | `4567` | Where the local Systems Manager listens. |
| `AETHERLINK_ALERTMANAGER_PORT` | `19094` | Where Alertmanager listens. |
| `AETHERLINK_PUSHGATEWAY_PORT` | `19091` | Where the pushgateway listens. |
| `AETHERLINK_BLACKBOX_PORT` | `19115` | Where the blackbox exporter listens. |
| `AETHERLINK_PROMETHEUS_PORT` | `19090` | Where Prometheus listens. |
| `KAFKA_BROKER` | best there is | `external`, `apache` or `embedded`: which broker the local stack and the tests use. |
| `OWNER_DATABASE_URL` | | The database as its owner, for `python -m infra.ops migrate`. |
"""


def configuration() -> str:
    """Return docs/configuration.md."""
    rows = []
    for one in fields(Settings):
        default = str(one.default).lower() if isinstance(one.default, bool) else str(one.default)
        shown = f"`{default}`" if one.default not in ("", (), None) else ""
        meaning = one.metadata["meaning"] + (" **Secret.**" if one.metadata.get("secret") else "")
        rows.append(f"| `{one.metadata['env']}` | {shown} | {meaning} |")
    return CONFIGURATION.format(rows="\n".join(rows))


def event_schema(kind: Any) -> str:
    """Return the JSON Schema of one event type's record value."""
    schema = kind.model_json_schema(by_alias=True, mode="serialization")
    del schema["additionalProperties"]  # consumers must let fields come that they do not know yet
    return json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}, indent=2) + "\n"


def asyncapi() -> str:
    """Return docs/asyncapi.json: the topics and what is on them, as AsyncAPI 3 has it."""
    settings = Settings()
    text = {"type": "string"}
    headers = {
        "type": "object",
        "required": [*RECORD_HEADERS],
        "properties": dict.fromkeys((*RECORD_HEADERS, names.TRACEPARENT, names.REPLAY), text),
    }
    channels, operations, messages = {}, {}, {}
    for kind in TYPES:
        name = kind.__name__
        messages[name] = {
            "name": name,
            "summary": str(kind.__doc__).splitlines()[0],
            "contentType": "application/json",
            "headers": headers,
            "payload": {"$ref": f"./events/{name}.json"},
            "bindings": {"kafka": {"key": {"type": "string", "description": f"the stream, {kind.aggregate}:<id>"}}},
        }
        channels[name] = {
            "address": topic_of(settings.outbox_topic_template, name),
            "messages": {name: {"$ref": f"#/components/messages/{name}"}},
            "bindings": {"kafka": {"partitions": settings.outbox_topic_partitions}},
        }
        operations[f"publish{name}"] = {"action": "send", "channel": {"$ref": f"#/channels/{name}"}}
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


def documents() -> dict[str, str]:
    """Return every generated document by its path."""
    schemas = {f"docs/events/{kind.__name__}.json": event_schema(kind) for kind in TYPES}
    described = openapi.document()
    return {
        "docs/configuration.md": configuration(),
        "docs/access.md": access_page.page(),
        "docs/asyncapi.json": asyncapi(),
        "docs/licences.md": audit.page(audit.run()),
        "chalicelib/static/openapi.json": json.dumps(described, indent=1) + "\n",
        "chalicelib/static/docs.html": openapi_page.page(described),
        **schemas,
    }


def main() -> int:
    """Write the documents, or check them; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m infra.docs", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail where a document is out of date")
    chosen = parser.parse_args()
    stale = []
    for name, text in documents().items():
        path = ROOT / name
        if not path.exists() or path.read_text() != text:
            stale.append(name)
            if not chosen.check:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
    if chosen.check and stale:
        print(f"✗ out of date: {', '.join(stale)}. Run `make fmt`.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
