"""The OpenAPI 3.1 document and its readable page, made from the routes and the models. `make fmt` writes both."""

import html
import importlib
import json
import re
from dataclasses import dataclass
from typing import Any

from pydantic.json_schema import models_json_schema

from chalicelib.crm import commands, model
from chalicelib.entrypoints.listing import LONGEST_SEARCH, MOST
from chalicelib.messaging import desk
from chalicelib.schema import Model
from infra import openapi_autoheal

VERSION = "1.0.0"
PROBLEM = {
    "type": "object",
    "title": "Problem",
    "description": "An error, as RFC 9457 has it. `code` is stable; `errors` names the fields.",
    "required": ["type", "title", "status", "detail", "instance", "code", "requestId", "errors"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "code": {"type": "string"},
        "requestId": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
        "allowed": {"type": "array", "items": {"type": "string"}, "description": "For an illegal status change."},
    },
}
TITLES = {
    400: "Not understood: `errors` names each field",
    401: "Nobody, or a proof that does not hold",
    403: "Known, and not allowed",
    404: "Not there, or another tenant's",
    409: "The present state does not allow it",
    412: "The version is stale",
    413: "The body is over the size cap",
    415: "Another media type is needed",
    422: "Understood, and against a rule",
    428: "If-Match is needed",
    502: "Alertmanager does not answer",
    503: "Something needed is down: try again",
}
ETAG = {"ETag": {"description": "The version, for If-Match.", "schema": {"type": "string"}}}
REQUEST_ID = {"X-Request-Id": {"description": "Names this request in the log.", "schema": {"type": "string"}}}
REPLAYED = {
    "Idempotent-Replayed": {"description": "`true` when the answer was given before.", "schema": {"type": "string"}}
}


@dataclass(frozen=True, slots=True)
class Operation:
    """What a view takes and gives, where its code does not say so itself."""

    gives: type[Model] | dict[str, Any] | None = None
    status: int = 200
    takes: type[Model] | None = None
    problems: tuple[int, ...] = ()
    filters: tuple[str, ...] = ()
    listed: bool = False
    public: bool = False
    patch: bool = False
    once: bool = False
    headers: tuple[str, ...] = ()
    parameters: tuple[tuple[str, dict[str, Any]], ...] = ()
    media: str = ""


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(properties), "properties": properties}


TEXT, COUNT, TRUTH = {"type": "string"}, {"type": "integer"}, {"type": "boolean"}
READ, WRITE = (401, 403, 503), (400, 401, 403, 409, 413, 415, 422, 503)
HOME = _object(
    status=TEXT,
    enabled=TRUTH,
    dry_run=TRUTH,
    chaos=_object(enabled=TRUTH, failure_rate_pct={"type": "number"}),
    otel=_object(enabled=TRUTH),
    oidc=_object(enabled=TRUTH),
    actions={"type": "array", "items": TEXT},
)
READY = _object(status=TEXT, dependencies={"type": "object", "additionalProperties": {"type": "object"}})
REPLAY = {"allOf": [{"$ref": "#/components/schemas/Replay"}, _object(count=COUNT)]}
BACKLOG = {
    "allOf": [
        {"$ref": "#/components/schemas/Backlog"},
        _object(parked={"type": "array", "items": {"$ref": "#/components/schemas/ParkedStream"}}),
    ]
}


def _crm(name: str, kind: type[Model], filters: tuple[str, ...]) -> dict[str, Operation]:
    create, change = getattr(commands, f"Create{name}"), getattr(commands, f"Change{name}")
    low = name.lower()
    return {
        f"create_{low}": Operation(kind, 201, create, WRITE, once=True, headers=("Location",)),
        f"list_{low}s": Operation(kind, problems=(400, *READ), filters=filters, listed=True),
        f"read_{low}": Operation(kind, problems=(400, 404, *READ)),
        f"change_{low}": Operation(kind, takes=change, problems=(*WRITE, 404, 412, 428), patch=True, once=True),
        f"delete_{low}": Operation(None, 204, problems=(400, 401, 403, 404, 409, 412, 422, 503), once=True),
    }


OPERATIONS: dict[str, Operation] = {
    "home": Operation(HOME, public=True),
    "live": Operation(_object(status=TEXT), public=True),
    "ready": Operation(READY, public=True),
    "openapi": Operation({"type": "object"}, public=True),
    "docs": Operation(TEXT, public=True),
    **_crm("Account", model.Account, ()),
    **_crm("Contact", model.Contact, ("accountId", "email")),
    **_crm("Job", model.Job, ("status", "accountId", "contactId")),
    "move_job": Operation(model.Job, takes=commands.MoveJob, problems=(*WRITE, 404, 412), once=True),
    "read_outbox": Operation(BACKLOG, problems=READ),
    "list_parked_streams": Operation(desk.ParkedStream, problems=(400, *READ), filters=("state",), listed=True),
    "requeue_stream": Operation(_object(streamKey=TEXT, requeued=COUNT), problems=(400, 404, *READ)),
    "discard_event": Operation(_object(streamKey=TEXT, discarded=TEXT), problems=(400, 404, *READ)),
    "request_replay": Operation(REPLAY, 202, desk.ReplayRequest, (400, 413, 415, *READ), headers=("Location",)),
    "read_replay": Operation(desk.Replay, problems=(400, 404, *READ)),
    **openapi_autoheal.operations(Operation),
}


def document() -> dict[str, Any]:
    """Return the document."""
    app = importlib.import_module("app").app
    models = {one for op in OPERATIONS.values() for one in (op.gives, op.takes) if isinstance(one, type)}
    models |= {desk.Backlog}
    ordered = sorted(models, key=lambda one: one.__name__)
    modes: Any = [(one, "validation" if _is_input(one) else "serialization") for one in ordered]
    _, defined = models_json_schema(modes, by_alias=True, ref_template="#/components/schemas/{model}")
    paths: dict[str, Any] = {}
    for path, methods in sorted(app.routes.items()):
        for method, entry in sorted(methods.items()):
            paths.setdefault(path, {})[method.lower()] = _operation(path, entry)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "AetherLink Command Center",
            "version": VERSION,
            "description": "A CRM whose events are never lost. Errors are problem documents; writes may be repeated.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/api", "description": "behind API Gateway, stage `api`"}],
        "paths": paths,
        "components": {
            "schemas": {**_without_null_defaults(defined["$defs"]), "Problem": PROBLEM},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "developmentTenant": {"type": "apiKey", "in": "header", "name": "X-Tenant-Id"},
                "developmentRoles": {"type": "apiKey", "in": "header", "name": "X-Roles"},
            },
        },
    }


def page(document: dict[str, Any]) -> str:
    """Return the document as a page that needs nothing from elsewhere."""
    rows = []
    for path, methods in document["paths"].items():
        for method, one in methods.items():
            takes = one.get("requestBody", {}).get("content", {})
            schema = next((body["schema"]["$ref"].rpartition("/")[2] for body in takes.values()), "")
            answers = ", ".join(one["responses"])
            named = f'<a href="#{schema}">{schema}</a>' if schema else ""
            cells = (
                f"<b>{method.upper()}</b> <code>{html.escape(path)}</code>",
                html.escape(one["summary"]),
                named,
                answers,
            )
            rows.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    schemas = []
    for name, schema in document["components"]["schemas"].items():
        text = html.escape(json.dumps(schema, indent=2))
        about = html.escape(schema.get("description", ""))
        schemas.append(f'<details id="{name}"><summary><b>{name}</b> {about}</summary><pre>{text}</pre></details>')
    return PAGE.format(
        title=html.escape(document["info"]["title"]),
        about=html.escape(document["info"]["description"]),
        rows="\n".join(rows),
        schemas="\n".join(schemas),
    )


PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; color: #1c2430; max-width: 70rem; margin: 2rem auto; padding: 0 1rem }}
table {{ border-collapse: collapse; width: 100% }}
td, th {{ text-align: left; padding: .4rem .8rem .4rem 0; border-bottom: 1px solid #dfe3ea; vertical-align: top }}
code, pre {{ font: 13px/1.45 ui-monospace, monospace }} pre {{ background: #f5f7fa; padding: 1rem; overflow: auto }}
summary {{ cursor: pointer; padding: .3rem 0 }} a {{ color: #2f6fed }}
</style></head><body>
<h1>{title}</h1><p>{about}</p>
<p>Writes take an <code>Idempotency-Key</code>; changes need <code>If-Match</code> with the ETag that was read; lists
take <code>limit</code>, <code>cursor</code>, <code>sort</code> and <code>q</code>. The machine-readable document is
<a href="openapi.json">openapi.json</a>.</p>
<h2>Operations</h2>
<table><thead><tr><th>Operation</th><th>What it does</th><th>Takes</th><th>Answers</th></tr></thead><tbody>
{rows}
</tbody></table>
<h2>Schemas</h2>
{schemas}
</body></html>
"""


def _operation(path: str, entry: Any) -> dict[str, Any]:
    name = entry.view_function.__name__
    known, summary = OPERATIONS[name], str(entry.view_function.__doc__).strip().splitlines()[0]
    made: dict[str, Any] = {
        "operationId": name,
        "summary": summary,
        "tags": [_tag(path)],
        "parameters": _parameters(path, known),
        "responses": _responses(known),
        "security": [] if known.public else [{"bearer": []}, {"developmentTenant": [], "developmentRoles": []}],
    }
    if known.takes:
        schema = {"schema": {"$ref": f"#/components/schemas/{known.takes.__name__}"}}
        types = ("application/merge-patch+json", "application/json") if known.patch else ("application/json",)
        made["requestBody"] = {"required": True, "content": dict.fromkeys(types, schema)}
    return made


def _parameters(path: str, known: Operation) -> list[dict[str, Any]]:
    found = []
    for name in re.findall(r"{(\w+)}", path):
        schema = {"type": "string", "format": "uuid"} if name == "id" else TEXT
        found.append({"name": name, "in": "path", "required": True, "schema": schema})
    if known.once:
        about = "Makes the request safe to repeat: 1 to 255 visible ASCII characters."
        key: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^[\x21\x23-\x7e]+$"}
        found.append({"name": "Idempotency-Key", "in": "header", "description": about, "schema": key})
    if known.patch or (known.once and known.status == 204):
        etag = {"type": "string", "pattern": r'^("\d{1,9}"|\*)$'}
        found.append({"name": "If-Match", "in": "header", "required": known.patch, "schema": etag})
    found += [{"name": name, "in": "query", "schema": schema} for name, schema in known.parameters]
    if known.listed:
        found += [{"name": name, "in": "query", "schema": _filter(name)} for name in known.filters]
        found.append({"name": "cursor", "in": "query", "schema": TEXT})
        if known.gives is not desk.ParkedStream:
            limit = {"type": "integer", "minimum": 1, "maximum": MOST, "default": 50}
            search = {"type": "string", "minLength": 1, "maxLength": LONGEST_SEARCH}
            sort = {"type": "string", "enum": ["createdAt", "-createdAt"], "default": "createdAt"}
            found += [
                {"name": name, "in": "query", "schema": schema}
                for name, schema in (("limit", limit), ("q", search), ("sort", sort))
            ]
    return found


def _filter(name: str) -> dict[str, Any]:
    if name.endswith("Id"):
        return {"type": "string", "format": "uuid"}
    if name == "status":
        return {"type": "string", "enum": list(model.JobStatus)}
    return (
        {"type": "string", "enum": ["parked"]} if name == "state" else {"type": "string", "maxLength": LONGEST_SEARCH}
    )


def _responses(known: Operation) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": "Done.", "headers": dict(REQUEST_ID)}
    if isinstance(known.gives, type) and issubclass(known.gives, model.Entity) and not known.listed:
        answer["headers"] |= ETAG
    if known.once:
        answer["headers"] |= REPLAYED
    answer["headers"] |= {name: {"schema": TEXT} for name in known.headers}
    if known.gives is not None:
        schema = (
            {"$ref": f"#/components/schemas/{known.gives.__name__}"} if isinstance(known.gives, type) else known.gives
        )
        if known.listed:
            schema = _object(items={"type": "array", "items": schema}, nextCursor={"type": ["string", "null"]})
        media = known.media or ("text/html" if known.gives is TEXT else "application/json")
        answer["content"] = {media: {"schema": schema}}
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    problems = {
        str(status): {"description": TITLES[status], "headers": dict(REQUEST_ID), "content": problem}
        for status in sorted(set(known.problems))
    }
    if known.gives is READY:
        problems["503"] = {**answer, "description": "A dependency is down: it is named."}
    return {str(known.status): answer, **problems}


def _without_null_defaults(value: Any) -> Any:
    """Drop `default: null`: in a patch it stands for absent, and says nothing true of the value."""
    if isinstance(value, dict):
        return {k: _without_null_defaults(v) for k, v in value.items() if not (k == "default" and v is None)}
    return [_without_null_defaults(one) for one in value] if isinstance(value, list) else value


def _tag(path: str) -> str:
    parts = path.strip("/").split("/")
    return parts[2] if parts[:2] == ["api", "crm"] else parts[1] if parts[0] == "api" else "about"


def _is_input(one: type[Model]) -> bool:
    return issubclass(one, commands.Command | commands.Patch | desk.ReplayRequest | openapi_autoheal.INPUTS)
