"""The outbox over HTTP, for operators: the backlog, parked streams, and replays."""

import json
import re
from collections.abc import Sequence
from urllib.parse import unquote

from chalice.app import Blueprint

from chalicelib.bootstrap import container
from chalicelib.entrypoints.answer import Answer, json_answer
from chalicelib.entrypoints.call import Call
from chalicelib.entrypoints.endpoint import endpoint
from chalicelib.entrypoints.links import link
from chalicelib.entrypoints.operation import READ_ERRORS, Operation, Parameter, Tag
from chalicelib.entrypoints.schemas import INTEGER, STRING, array_of, object_schema, page_of
from chalicelib.entrypoints.size import fitting
from chalicelib.outbox.admin import (
    MAX_LISTED,
    Backlog,
    Operator,
    ParkedStream,
    Replay,
    ReplayRequest,
)
from chalicelib.shared.errors import FieldError, Invalid
from chalicelib.shared.schema import Model, parse

STREAM_KEY = re.compile("[A-Za-z0-9:._-]{1,200}")
STREAM_KEY_SCHEMA = {"type": "string", "pattern": f"^{STREAM_KEY.pattern}$"}
KEY_PARAMETER = Parameter(
    "key",
    STREAM_KEY_SCHEMA,
    "The stream's key, such as `job:0197a3c0-5f3e-7cc4-9d0a-2b8b6f0f1e11`.",
    location="path",
)

routes = Blueprint(__name__)


@routes.route("/api/outbox", methods=["GET"])
@endpoint(
    routes,
    Operation(
        summary="Show the outbox backlog",
        tag=Tag.OUTBOX,
        description=(
            "The number of pending events, the age of the oldest one, and the parked streams "
            "with their errors."
        ),
        response={"allOf": [Backlog, object_schema({"parked": array_of(ParkedStream)})]},
        response_description="The backlog, and the first parked streams.",
        errors=READ_ERRORS,
    ),
)
def read_outbox(call: Call) -> Answer:
    """Return the backlog and the parked streams."""
    admin = container().outbox.admin
    operator = _operator(call)
    backlog = _to_dict(admin.backlog(operator))
    streams = admin.parked(operator)
    parked = [_to_dict(stream) for stream in streams[: _fitting(streams)]]
    return json_answer({**backlog, "parked": parked})


@routes.route("/api/outbox/streams", methods=["GET"])
@endpoint(
    routes,
    Operation(
        summary="List parked streams",
        tag=Tag.OUTBOX,
        description="A stream is parked when Kafka refuses one of its events.",
        parameters=(
            Parameter(
                "state",
                {"type": "string", "enum": ["parked"]},
                "The state of the streams. Only parked streams can be listed.",
            ),
            Parameter("cursor", STREAM_KEY_SCHEMA, "The `nextCursor` of the page before."),
        ),
        response=page_of(ParkedStream),
        response_description="One page, and the cursor of the next one.",
        errors=(400, *READ_ERRORS),
    ),
)
def list_parked_streams(call: Call) -> Answer:
    """Return a page of parked streams."""
    state = call.query.get("state", "parked")
    cursor = call.query.get("cursor")
    if state != "parked":
        reason = "must be parked: other streams cannot be listed"
        errors = [FieldError("state", reason)]
        raise Invalid(f"state {reason}.", code="bad-parameter", errors=errors)
    after = "" if cursor is None else _stream_key(cursor)
    streams = container().outbox.admin.parked(_operator(call), after=after, limit=MAX_LISTED)
    count = _fitting(streams)
    more = count < len(streams) or len(streams) == MAX_LISTED
    next_cursor = streams[count - 1].stream_key if more else None
    items = [_to_dict(stream) for stream in streams[:count]]
    return json_answer({"items": items, "nextCursor": next_cursor})


@routes.route("/api/outbox/streams/{key}/requeue", methods=["POST"], content_types=[])
@endpoint(
    routes,
    Operation(
        summary="Requeue a parked stream",
        tag=Tag.OUTBOX,
        description="The relay publishes the stream's events again, the refused one first.",
        parameters=(KEY_PARAMETER,),
        response=object_schema({"streamKey": STRING, "requeued": INTEGER}),
        response_description="Requeued, with the number of events.",
        errors=(400, 404, *READ_ERRORS),
    ),
)
def requeue_stream(call: Call) -> Answer:
    """Let the relay publish a parked stream again."""
    stream_key = _stream_key(unquote(call.path["key"]))
    requeued = container().outbox.admin.requeue(_operator(call), stream_key)
    return json_answer({"streamKey": stream_key, "requeued": requeued})


@routes.route("/api/outbox/streams/{key}/discard", methods=["POST"], content_types=[])
@endpoint(
    routes,
    Operation(
        summary="Discard the refused event of a parked stream",
        tag=Tag.OUTBOX,
        description="The event is never published. The rest of the stream is requeued.",
        parameters=(KEY_PARAMETER,),
        response=object_schema({"streamKey": STRING, "discarded": STRING}),
        response_description="Discarded, with the id of the event.",
        errors=(400, 404, *READ_ERRORS),
    ),
)
def discard_event(call: Call) -> Answer:
    """Discard the refused event of a parked stream, and requeue the rest."""
    stream_key = _stream_key(unquote(call.path["key"]))
    discarded = container().outbox.admin.discard(_operator(call), stream_key)
    return json_answer({"streamKey": stream_key, "discarded": str(discarded)})


@routes.route("/api/outbox/replay", methods=["POST"], content_types=[])
@endpoint(
    routes,
    Operation(
        summary="Request a replay of published events",
        tag=Tag.OUTBOX,
        description="A scheduled function sends the events again, in their original order.",
        request=ReplayRequest,
        example={
            "eventType": "JobCreated",
            "since": "2030-01-30T00:00:00Z",
            "until": "2030-01-31T00:00:00Z",
        },
        response={"allOf": [Replay, object_schema({"count": INTEGER})]},
        response_description="Accepted. `Location` shows the progress.",
        status=202,
        response_headers=("Location",),
        errors=(400, 413, 415, 422, *READ_ERRORS),
        links=("read_replay",),
    ),
)
def request_replay(call: Call) -> Answer:
    """Store a replay, which the scheduled replayer carries out."""
    request = parse(ReplayRequest, call.body())
    replay = container().outbox.admin.request_replay(_operator(call), request)
    location = link(call, f"/api/outbox/replay/{replay.id}")
    return json_answer(
        {"count": replay.total, **_to_dict(replay)},
        status=202,
        headers={"Location": location},
    )


@routes.route("/api/outbox/replay/{id}", methods=["GET"])
@endpoint(
    routes,
    Operation(
        summary="Show the progress of a replay",
        tag=Tag.OUTBOX,
        response=Replay,
        response_description="The replay and its progress.",
        errors=(400, 404, *READ_ERRORS),
    ),
)
def read_replay(call: Call) -> Answer:
    """Return a replay and its progress."""
    return json_answer(_to_dict(container().outbox.admin.replay(_operator(call), call.id)))


def _operator(call: Call) -> Operator:
    """Return the caller as an operator of their tenant, or of all if they run the system."""
    tenant_id = call.principal.tenant_id
    runs_the_system = tenant_id == container().settings.operator_tenant_id
    return Operator(call.principal.subject, None if runs_the_system else tenant_id)


def _fitting(streams: Sequence[ParkedStream]) -> int:
    """Return how many of `streams` fit into one answer."""
    return fitting(json.dumps(_to_dict(stream)).encode() for stream in streams)


def _to_dict(model: Model) -> dict[str, object]:
    return dict(model.model_dump(mode="json", by_alias=True))


def _stream_key(text: str) -> str:
    if not STREAM_KEY.fullmatch(text):
        reason = "must be a stream key such as job:0197a3c0-5f3e-7cc4-9d0a-2b8b6f0f1e11"
        errors = [FieldError("key", reason)]
        raise Invalid(f"The key {reason}.", code="bad-key", errors=errors)
    return text
