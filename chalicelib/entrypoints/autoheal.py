"""The healer over HTTP: Alertmanager's webhook, the actions, the switch."""

from chalice.app import Blueprint

from chalicelib.autoheal.actions import State
from chalicelib.autoheal.admin import MAX_LISTED, AutohealAdmin, ConfigChange
from chalicelib.autoheal.alert import MAX_DELIVERY
from chalicelib.autoheal.heal import Healer
from chalicelib.bootstrap import container
from chalicelib.entrypoints.answer import Answer, json_answer
from chalicelib.entrypoints.call import Call
from chalicelib.entrypoints.endpoint import endpoint
from chalicelib.security.signing import bearer_is
from chalicelib.shared.errors import FieldError, Invalid, Unauthenticated
from chalicelib.shared.schema import parse

RETRY_SECONDS = "10"

routes = Blueprint(__name__)


@routes.route("/autoheal/alert", methods=["POST"], content_types=[])
@endpoint(routes)
def receive_alerts(call: Call) -> Answer:
    """Take Alertmanager's webhook: heal what may be healed, and tell what became of each alert."""
    if not bearer_is(call.headers, container().secrets.accepted("shared_secrets.webhook_tokens")):
        raise Unauthenticated(
            "Send the webhook's bearer token.", headers={"WWW-Authenticate": "Bearer"}
        )
    body = call.body(max_bytes=MAX_DELIVERY)
    received = Healer(container().autoheal.dependencies).receive(body, seconds=call.seconds_left)
    told = {
        "ok": received.complete,
        "results": [one.to_dict() for one in received.outcomes],
    }
    if received.complete:
        return json_answer(told)
    return json_answer(
        {**told, "problem": received.problem},
        status=503,
        headers={"Retry-After": RETRY_SECONDS},
    )


@routes.route("/autoheal/actions", methods=["GET"])
@endpoint(routes)
def list_actions(call: Call) -> Answer:
    """List remediations, newest first, those of one state where one is named."""
    limit = call.query.get("limit", "50")
    state = call.query.get("state")
    cursor = call.query.get("cursor", "")
    problems = [
        FieldError(name, "no such parameter")
        for name in call.query
        if name not in ("limit", "state", "cursor")
    ]
    if not (limit.isascii() and limit.isdigit() and 1 <= int(limit[:4]) <= MAX_LISTED):
        problems.append(FieldError("limit", f"must be 1 to {MAX_LISTED}"))
    if state is not None and state not in set(State):
        problems.append(FieldError("state", f"must be one of: {', '.join(State)}"))
    if len(cursor) > 100 or not (cursor.isascii() and cursor.isprintable()):
        problems.append(FieldError("cursor", "not a cursor of this list"))
    if problems:
        raise Invalid("Not acceptable. See errors.", code="bad-parameter", errors=problems)
    items, following = _desk().listed(
        State(state) if state else None, limit=int(limit), after=cursor
    )
    return json_answer({"items": items, "nextCursor": following or None})


@routes.route("/autoheal/actions/{id}", methods=["GET"])
@endpoint(routes)
def read_action(call: Call) -> Answer:
    """Tell how one remediation stands."""
    return json_answer(_desk().read(call.id))


@routes.route("/autoheal/actions/{id}/approve", methods=["POST"], content_types=[])
@endpoint(routes)
def approve_action(call: Call) -> Answer:
    """Let a remediation go that waits for approval."""
    return json_answer(_desk().approve(call.id, call.principal.subject, seconds=call.seconds_left))


@routes.route("/autoheal/actions/{id}/reject", methods=["POST"], content_types=[])
@endpoint(routes)
def reject_action(call: Call) -> Answer:
    """Cancel a remediation that waits for approval."""
    return json_answer(_desk().reject(call.id, call.principal.subject, seconds=call.seconds_left))


@routes.route("/autoheal/config", methods=["GET"])
@endpoint(routes)
def read_config(call: Call) -> Answer:
    """Tell the mode, the failures on purpose, and how the breakers stand."""
    return _versioned(_desk().config())


@routes.route("/autoheal/config", methods=["PUT"], content_types=[])
@endpoint(routes)
def change_config(call: Call) -> Answer:
    """Turn the switch, or set failures on purpose; they end by themselves."""
    change = parse(ConfigChange, call.body())
    expected = call.expected_version()
    return _versioned(_desk().change(change, call.principal.subject, expected=expected))


def _desk() -> AutohealAdmin:
    return AutohealAdmin(container().autoheal.dependencies)


def _versioned(config: dict[str, object]) -> Answer:
    return json_answer(config, headers={"ETag": f'"{config["version"]}"'})
