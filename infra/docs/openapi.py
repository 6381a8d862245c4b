"""The OpenAPI 3.1 document, made from the routes and the models. `make fmt` writes it."""

import importlib
import re
from dataclasses import dataclass
from typing import Any

from pydantic.json_schema import models_json_schema

from chalicelib.crm import commands, model
from chalicelib.entrypoints.access import OWN_PROOF, PUBLIC, RULES
from chalicelib.entrypoints.listing import MAX_LIMIT, MAX_SEARCH_LENGTH
from chalicelib.entrypoints.methods import FILLED_IN
from chalicelib.entrypoints.outbox import STREAM_KEY
from chalicelib.outbox import admin
from chalicelib.shared.schema import NO_NUL, Model
from infra.docs import openapi_autoheal

VERSION = "1.0.0"
PROBLEM = {
    "type": "object",
    "title": "Problem",
    "description": "An error, as RFC 9457 has it. `code` is stable; `errors` names the fields.",
    "required": [
        "type",
        "title",
        "status",
        "detail",
        "instance",
        "code",
        "requestId",
        "errors",
    ],
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
        "allowed": {
            "type": "array",
            "items": {"type": "string"},
            "description": "For an illegal status change.",
        },
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
    410: "The link has ended",
    429: "Too much at once: come back after `Retry-After`",
    502: "Alertmanager does not answer",
    503: "Something needed is down: try again",
}
ETAG = {"ETag": {"description": "The version, for If-Match.", "schema": {"type": "string"}}}
REQUEST_ID = {
    "X-Request-Id": {
        "description": "Names this request in the log.",
        "schema": {"type": "string"},
    }
}
REPLAYED = {
    "Idempotent-Replayed": {
        "description": "`true` when the answer was given before.",
        "schema": {"type": "string"},
    }
}


ACCOUNT = "0197a3c0-5f3e-7cc4-9d0a-2b8b6f0f1e11"
JOB = {"title": "Replace the meter", "amountCents": 12_500}
EXAMPLES: dict[str, dict[str, Any]] = {
    "CreateAccount": {"name": "Northwind Energy", "website": "https://northwind.example"},
    "ChangeAccount": {"phone": "+41 44 668 18 00", "industry": None},
    "CreateContact": {
        "name": "Ada Lovelace",
        "email": "ada@northwind.example",
        "title": "Head of Metering",
    },
    "ChangeContact": {"email": "ada.lovelace@northwind.example"},
    "CreateJob": {
        **JOB,
        "accountId": ACCOUNT,
        "currency": "CHF",
        "scheduledFor": "2030-01-31T09:00:00Z",
    },
    "ChangeJob": JOB,
    "MoveJob": {"status": "Scheduled"},
    "ReplayRequest": {
        "eventType": "JobCreated",
        "since": "2030-01-30T00:00:00Z",
        "until": "2030-01-31T00:00:00Z",
    },
    **openapi_autoheal.EXAMPLES,
}
OWN_PROOFS: dict[str, list[dict[str, list[str]]]] = {
    "receive_alerts": [{"webhook": []}],
    "confirm_acknowledgement": [{"link": []}],
    "acknowledge": [{"bearer": []}, {"link": []}],
    "read_metrics": [{"bearer": []}, {"scraper": []}],
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
    patch: bool = False
    once: bool = False
    headers: tuple[str, ...] = ()
    leads_to: tuple[str, ...] = ()
    parameters: tuple[tuple[str, dict[str, Any]], ...] = ()
    media: str = ""
    also: str = ""
    """Another media type that the answer may have; its text is described no further."""


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(properties), "properties": properties}


STREAM = {"type": "string", "pattern": f"^{STREAM_KEY.pattern}$"}
TEXT = {"type": "string"}
COUNT = {"type": "integer"}
TRUTH = {"type": "boolean"}
READ = (401, 403, 429, 503)
WRITE = (400, 401, 403, 409, 413, 415, 422, 429, 503)
HOME = _object(
    status=TEXT,
    enabled=TRUTH,
    dry_run=TRUTH,
    chaos=_object(enabled=TRUTH, failure_rate_pct={"type": "number"}),
    otel=_object(enabled=TRUTH),
    oidc=_object(enabled=TRUTH),
    actions={"type": "array", "items": TEXT},
)
READY = _object(
    status=TEXT, dependencies={"type": "object", "additionalProperties": {"type": "object"}}
)
REPLAY = {"allOf": [{"$ref": "#/components/schemas/Replay"}, _object(count=COUNT)]}
BACKLOG = {
    "allOf": [
        {"$ref": "#/components/schemas/Backlog"},
        _object(parked={"type": "array", "items": {"$ref": "#/components/schemas/ParkedStream"}}),
    ]
}


def _crm(name: str, kind: type[Model], filters: tuple[str, ...]) -> dict[str, Operation]:
    create = getattr(commands, f"Create{name}")
    change = getattr(commands, f"Change{name}")
    low = name.lower()
    then = (
        f"read_{low}",
        f"change_{low}",
        f"delete_{low}",
        *(("move_job",) if low == "job" else ()),
    )
    return {
        f"create_{low}": Operation(
            kind, 201, create, WRITE, once=True, headers=("Location",), leads_to=then
        ),
        f"list_{low}s": Operation(kind, problems=(400, *READ), filters=filters, listed=True),
        f"read_{low}": Operation(kind, problems=(400, 404, *READ)),
        f"change_{low}": Operation(
            kind, takes=change, problems=(*WRITE, 404, 412, 428), patch=True, once=True
        ),
        f"delete_{low}": Operation(None, 204, problems=(400, 404, 409, 412, 422, *READ), once=True),
    }


OPERATIONS: dict[str, Operation] = {
    "home": Operation(HOME),
    "live": Operation(_object(status=TEXT)),
    "ready": Operation(READY),
    "openapi": Operation({"type": "object"}),
    "docs": Operation(TEXT),
    **_crm("Account", model.Account, ()),
    **_crm("Contact", model.Contact, ("accountId", "email")),
    **_crm("Job", model.Job, ("status", "accountId", "contactId")),
    "move_job": Operation(
        model.Job, takes=commands.MoveJob, problems=(*WRITE, 404, 412), once=True
    ),
    "read_outbox": Operation(BACKLOG, problems=READ),
    "list_parked_streams": Operation(
        admin.ParkedStream, problems=(400, *READ), filters=("state",), listed=True
    ),
    "requeue_stream": Operation(
        _object(streamKey=TEXT, requeued=COUNT), problems=(400, 404, *READ)
    ),
    "discard_event": Operation(_object(streamKey=TEXT, discarded=TEXT), problems=(400, 404, *READ)),
    "request_replay": Operation(
        REPLAY,
        202,
        admin.ReplayRequest,
        (400, 413, 415, 422, *READ),
        headers=("Location",),
        leads_to=("read_replay",),
    ),
    "read_replay": Operation(admin.Replay, problems=(400, 404, *READ)),
    **openapi_autoheal.operations(Operation),
}


def document() -> dict[str, Any]:
    """Return the document."""
    app = importlib.import_module("app").app
    models = {
        one for op in OPERATIONS.values() for one in (op.gives, op.takes) if isinstance(one, type)
    }
    models |= {admin.Backlog}
    ordered = sorted(models, key=lambda one: one.__name__)
    modes: Any = [(one, "validation" if _is_input(one) else "serialization") for one in ordered]
    _, defined = models_json_schema(
        modes, by_alias=True, ref_template="#/components/schemas/{model}"
    )
    inputs = {one.__name__ for one in models if _is_input(one)}
    paths: dict[str, Any] = {}
    for path, methods in sorted(app.routes.items()):
        for method, entry in sorted(methods.items()):
            if entry.view_function.__name__ not in FILLED_IN:
                paths.setdefault(path, {})[method.lower()] = _operation(path, method, entry)
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
            "schemas": {**_schemas(defined["$defs"], inputs), "Problem": PROBLEM},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "webhook": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "AUTOHEAL_WEBHOOK_TOKENS",
                },
                "scraper": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "METRICS_SCRAPE_TOKENS",
                },
                "link": {
                    "type": "apiKey",
                    "in": "query",
                    "name": "token",
                    "description": "a signed link",
                },
            },
        },
    }


def _operation(path: str, method: str, entry: Any) -> dict[str, Any]:
    name = entry.view_function.__name__
    known = OPERATIONS[name]
    rule = RULES[method, path]
    summary = str(entry.view_function.__doc__).strip().splitlines()[0]
    made: dict[str, Any] = {
        "operationId": name,
        "summary": summary,
        "tags": [_tag(path)],
        "parameters": _parameters(path, known),
        "responses": _responses(known),
        "security": []
        if rule == PUBLIC
        else OWN_PROOFS[name]
        if rule == OWN_PROOF
        else [{"bearer": []}],
        **({} if isinstance(rule, str) else {"x-roles": sorted(rule)}),
    }
    if known.takes:
        named = known.takes.__name__
        schema = {
            "schema": {"$ref": f"#/components/schemas/{named}"},
            "example": EXAMPLES[named],
        }
        types = (
            ("application/merge-patch+json", "application/json")
            if known.patch
            else ("application/json",)
        )
        made["requestBody"] = {"required": True, "content": dict.fromkeys(types, schema)}
    return made


def _parameters(path: str, known: Operation) -> list[dict[str, Any]]:
    found = []
    for name in re.findall(r"{(\w+)}", path):
        schema = {"type": "string", "format": "uuid"} if name == "id" else STREAM
        found.append({"name": name, "in": "path", "required": True, "schema": schema})
    if known.once:
        about = "Makes the request safe to repeat: 1 to 255 visible ASCII characters."
        key: dict[str, Any] = {
            "type": "string",
            "minLength": 1,
            "maxLength": 255,
            "pattern": r"^[\x21\x23-\x7e]+$",
        }
        found.append(
            {"name": "Idempotency-Key", "in": "header", "description": about, "schema": key}
        )
    if known.patch or (known.once and known.status == 204):
        etag = {"type": "string", "pattern": r'^("\d{1,9}"|\*)$'}
        about = "The ETag that was read, or `*` for any version."
        found.append(
            {
                "name": "If-Match",
                "in": "header",
                "required": known.patch,
                "description": about,
                "schema": etag,
            }
        )
    found += [{"name": name, "in": "query", "schema": schema} for name, schema in known.parameters]
    if known.listed:
        found += [{"name": name, "in": "query", "schema": _filter(name)} for name in known.filters]
        parked = known.gives is admin.ParkedStream
        about = "`nextCursor` of the answer before; all other parameters stay as they were."
        found.append(
            {
                "name": "cursor",
                "in": "query",
                "description": about,
                "schema": STREAM if parked else TEXT,
            }
        )
        if not parked:
            limit = {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": 50}
            search = {
                "type": "string",
                "minLength": 1,
                "maxLength": MAX_SEARCH_LENGTH,
                "pattern": NO_NUL,
            }
            sort = {
                "type": "string",
                "enum": ["createdAt", "-createdAt"],
                "default": "createdAt",
            }
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
    if name == "state":
        return {"type": "string", "enum": ["parked"]}
    return {"type": "string", "maxLength": MAX_SEARCH_LENGTH, "pattern": NO_NUL}


def _responses(known: Operation) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": "Done.", "headers": dict(REQUEST_ID)}
    if isinstance(known.gives, type) and issubclass(known.gives, model.Entity) and not known.listed:
        answer["headers"] |= ETAG
    if known.once:
        answer["headers"] |= REPLAYED
    answer["headers"] |= {name: {"schema": TEXT} for name in known.headers}
    if known.leads_to:
        answer["links"] = {name: _link(name) for name in known.leads_to}
    if known.gives is not None:
        schema = (
            {"$ref": f"#/components/schemas/{known.gives.__name__}"}
            if isinstance(known.gives, type)
            else known.gives
        )
        if known.listed:
            schema = _object(
                items={"type": "array", "items": schema},
                nextCursor={"type": ["string", "null"]},
            )
        media = known.media or ("text/html" if known.gives is TEXT else "application/json")
        answer["content"] = {media: {"schema": schema}}
        if known.also:
            answer["content"][known.also] = {"schema": TEXT}
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    problems = {
        str(status): {
            "description": TITLES[status],
            "headers": dict(REQUEST_ID),
            "content": problem,
        }
        for status in sorted(set(known.problems))
    }
    if known.gives is READY:
        problems["503"] = {**answer, "description": "A dependency is down: it is named."}
    return {str(known.status): answer, **problems}


def _link(name: str) -> dict[str, Any]:
    """Return how an answer's id, and its ETag, go into the operation `name`."""
    parameters = {"id": "$response.body#/id"}
    if OPERATIONS[name].patch or OPERATIONS[name].status == 204:
        parameters["If-Match"] = "$response.header.ETag"
    return {"operationId": name, "parameters": parameters}


def _schemas(defined: dict[str, Any], inputs: set[str]) -> dict[str, Any]:
    return {name: _plain(schema, is_input=name in inputs) for name, schema in defined.items()}


def _plain(value: Any, *, is_input: bool) -> Any:
    """Drop what says nothing true.

    `default: null` stands for absent in a patch; and what is asked of requests alone is no
    promise of answers, which may get new members.
    """
    if isinstance(value, list):
        return [_plain(one, is_input=is_input) for one in value]
    if not isinstance(value, dict):
        return value
    dropped = set() if is_input else {"additionalProperties", "pattern"}
    return {
        name: _plain(one, is_input=is_input)
        for name, one in value.items()
        if name not in dropped and not (name == "default" and one is None)
    }


def _tag(path: str) -> str:
    parts = path.strip("/").split("/")
    return parts[2] if parts[:2] == ["api", "crm"] else parts[1] if parts[0] == "api" else "about"


def _is_input(one: type[Model]) -> bool:
    return issubclass(
        one,
        commands.Command | commands.Patch | admin.ReplayRequest | openapi_autoheal.INPUTS,
    )
