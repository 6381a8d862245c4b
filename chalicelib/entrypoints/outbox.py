"""The outbox over HTTP, for those who run the system: how it stands, what is parked, and what to do about it."""

import re
from urllib.parse import unquote

from chalice.app import Blueprint

from chalicelib.bootstrap import container
from chalicelib.entrypoints.answer import Answer, json_answer
from chalicelib.entrypoints.call import Call
from chalicelib.entrypoints.endpoint import endpoint
from chalicelib.outbox.admin import MAX_LISTED, Operator, Replay, ReplayRequest
from chalicelib.shared.errors import FieldError, Invalid
from chalicelib.shared.schema import parse

STREAM_KEY = re.compile("[A-Za-z0-9:._-]{1,200}")

routes = Blueprint(__name__)


@routes.route("/api/outbox", methods=["GET"])
@endpoint(routes)
def read_outbox(call: Call) -> Answer:
    """Tell how many events wait, how old the oldest is, and which streams are parked, with the error."""
    desk = container().outbox.admin
    operator = _operator(call)
    backlog = desk.backlog(operator).model_dump(mode="json", by_alias=True)
    parked = [one.model_dump(mode="json", by_alias=True) for one in desk.parked(operator)]
    return json_answer({**backlog, "parked": parked})


@routes.route("/api/outbox/streams", methods=["GET"])
@endpoint(routes)
def list_parked_streams(call: Call) -> Answer:
    """List parked streams, a page at a time."""
    state = call.query.get("state", "parked")
    cursor = call.query.get("cursor")
    if state != "parked":
        reason = "must be parked: other streams are not listed"
        raise Invalid(
            f"state {reason}.", code="bad-parameter", errors=[FieldError("state", reason)]
        )
    after = "" if cursor is None else _key(cursor)
    found = container().outbox.admin.parked(_operator(call), after=after, limit=MAX_LISTED)
    following = found[-1].stream_key if len(found) == MAX_LISTED else None
    items = [one.model_dump(mode="json", by_alias=True) for one in found]
    return json_answer({"items": items, "nextCursor": following})


@routes.route("/api/outbox/streams/{key}/requeue", methods=["POST"], content_types=[])
@endpoint(routes)
def requeue_stream(call: Call) -> Answer:
    """Let a parked stream flow again."""
    stream_key = _key(unquote(call.path["key"]))
    waiting = container().outbox.admin.requeue(_operator(call), stream_key)
    return json_answer({"streamKey": stream_key, "requeued": waiting})


@routes.route("/api/outbox/streams/{key}/discard", methods=["POST"], content_types=[])
@endpoint(routes)
def discard_event(call: Call) -> Answer:
    """Take the refused event out of a parked stream for good, and let the rest flow."""
    stream_key = _key(unquote(call.path["key"]))
    discarded = container().outbox.admin.discard(_operator(call), stream_key)
    return json_answer({"streamKey": stream_key, "discarded": str(discarded)})


@routes.route("/api/outbox/replay", methods=["POST"], content_types=[])
@endpoint(routes)
def request_replay(call: Call) -> Answer:
    """Send published events again; the scheduled replayer does it."""
    replay = container().outbox.admin.request_replay(
        _operator(call), parse(ReplayRequest, call.body())
    )
    location = f"{call.base_path}/api/outbox/replay/{replay.id}"
    return json_answer(
        {"count": replay.total, **_shown(replay)},
        status=202,
        headers={"Location": location},
    )


@routes.route("/api/outbox/replay/{id}", methods=["GET"])
@endpoint(routes)
def read_replay(call: Call) -> Answer:
    """Tell how far a replay is."""
    return json_answer(_shown(container().outbox.admin.replay(_operator(call), call.id)))


def _operator(call: Call) -> Operator:
    tenant_id = call.principal.tenant_id
    everywhere = tenant_id == container().settings.operator_tenant_id
    return Operator(call.principal.subject, None if everywhere else tenant_id)


def _shown(replay: Replay) -> dict[str, object]:
    return dict(replay.model_dump(mode="json", by_alias=True))


def _key(text: str) -> str:
    if not STREAM_KEY.fullmatch(text):
        reason = "must be a stream key such as job:0197a3c0-5f3e-7cc4-9d0a-2b8b6f0f1e11"
        raise Invalid(f"The key {reason}.", code="bad-key", errors=[FieldError("key", reason)])
    return text
