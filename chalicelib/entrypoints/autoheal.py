"""The self-healing over HTTP: Alertmanager's webhook, remediations, and the mode."""

import json
import re

from chalice.app import Blueprint

from chalicelib.autoheal.actions import State
from chalicelib.autoheal.admin import MAX_LISTED, AutohealAdmin, ConfigChange
from chalicelib.autoheal.alert import MAX_DELIVERY
from chalicelib.autoheal.heal import Healer
from chalicelib.bootstrap import container
from chalicelib.entrypoints.answer import Answer, json_answer
from chalicelib.entrypoints.autoheal_schemas import ACTION, CONFIG, RESULTS
from chalicelib.entrypoints.call import Call
from chalicelib.entrypoints.endpoint import endpoint
from chalicelib.entrypoints.operation import READ_ERRORS, Operation, Parameter, Tag
from chalicelib.entrypoints.parameters import invalid_parameters, unknown_parameters
from chalicelib.entrypoints.schemas import STRING, count_up_to, enum_of, page_of
from chalicelib.entrypoints.size import fitting
from chalicelib.security.signing import bearer_is
from chalicelib.shared.errors import FieldError, Unauthenticated
from chalicelib.shared.schema import parse

RETRY_SECONDS = "10"
DEFAULT_LIMIT = 50
MAX_CURSOR_LENGTH = 100
LIST_PARAMETERS = (
    Parameter(
        "limit",
        count_up_to(MAX_LISTED, default=DEFAULT_LIMIT),
        "The number of remediations on a page.",
    ),
    Parameter("state", enum_of(State), "Only remediations in this state."),
    Parameter("cursor", STRING, "The `nextCursor` of the page before."),
)

routes = Blueprint(__name__)


@routes.route("/autoheal/alert", methods=["POST"], content_types=[])
@endpoint(
    routes,
    Operation(
        summary="Receive alerts from Alertmanager",
        tag=Tag.AUTOHEAL,
        description=(
            "Alertmanager's webhook. For each firing alert the matching runbook runs once, "
            "within limits. If some alerts could not be handled, the response is a 503 and "
            "Alertmanager sends the notification again."
        ),
        response=RESULTS,
        response_description="Every alert was handled. `results` has the outcome of each.",
        errors=(400, 401, 403, 413, 415, 503),
        security=("webhook",),
    ),
)
def receive_alerts(call: Call) -> Answer:
    """Handle a notification of Alertmanager, and return the outcome of each alert."""
    if not bearer_is(call.headers, container().secrets.accepted("shared_secrets.webhook_tokens")):
        raise Unauthenticated("Send the webhook's bearer token.")
    body = call.body(max_bytes=MAX_DELIVERY)
    received = Healer(container().autoheal.dependencies).receive(body, seconds=call.seconds_left)
    results = [outcome.to_dict() for outcome in received.outcomes]
    answer = {"ok": received.complete, "results": results}
    if received.complete:
        return json_answer(answer)
    return json_answer(
        {**answer, "problem": received.problem},
        status=503,
        headers={"Retry-After": RETRY_SECONDS},
    )


@routes.route("/autoheal/actions", methods=["GET"])
@endpoint(
    routes,
    Operation(
        summary="List remediations",
        tag=Tag.AUTOHEAL,
        description="The newest remediations come first.",
        parameters=LIST_PARAMETERS,
        response=page_of(ACTION),
        response_description="One page, and the cursor of the next one.",
        errors=(400, *READ_ERRORS),
    ),
)
def list_actions(call: Call) -> Answer:
    """Return a page of remediations, newest first."""
    limit = call.query.get("limit", str(DEFAULT_LIMIT))
    state = call.query.get("state")
    cursor = call.query.get("cursor", "")
    errors = unknown_parameters(call.query, [parameter.name for parameter in LIST_PARAMETERS])
    if not (re.fullmatch("[0-9]{1,3}", limit) and 1 <= int(limit) <= MAX_LISTED):
        errors.append(FieldError("limit", f"must be from 1 to {MAX_LISTED}"))
    if state is not None and state not in set(State):
        errors.append(FieldError("state", f"must be one of: {', '.join(State)}"))
    if len(cursor) > MAX_CURSOR_LENGTH or not (cursor.isascii() and cursor.isprintable()):
        errors.append(FieldError("cursor", "is not a cursor of this list"))
    if errors:
        raise invalid_parameters(errors)
    admin = _admin()
    only = State(state) if state else None
    items, next_cursor = admin.listed(only, limit=int(limit), after=cursor)
    count = fitting(json.dumps(item).encode() for item in items)
    if count < len(items):
        items, next_cursor = admin.listed(only, limit=count, after=cursor)
    return json_answer({"items": items, "nextCursor": next_cursor or None})


@routes.route("/autoheal/actions/{id}", methods=["GET"])
@endpoint(
    routes,
    Operation(
        summary="Read a remediation",
        tag=Tag.AUTOHEAL,
        response=ACTION,
        response_description="The remediation and its state.",
        errors=(400, 404, *READ_ERRORS),
    ),
)
def read_action(call: Call) -> Answer:
    """Return one remediation."""
    return json_answer(_admin().read(call.id))


@routes.route("/autoheal/actions/{id}/approve", methods=["POST"], content_types=[])
@endpoint(
    routes,
    Operation(
        summary="Approve a remediation",
        tag=Tag.AUTOHEAL,
        description="Starts a remediation that is waiting for approval.",
        response=ACTION,
        response_description="Approved. This is the remediation's new state.",
        errors=(400, 404, 409, *READ_ERRORS),
    ),
)
def approve_action(call: Call) -> Answer:
    """Start a remediation that is waiting for approval."""
    return json_answer(_admin().approve(call.id, call.principal.subject, seconds=call.seconds_left))


@routes.route("/autoheal/actions/{id}/reject", methods=["POST"], content_types=[])
@endpoint(
    routes,
    Operation(
        summary="Reject a remediation",
        tag=Tag.AUTOHEAL,
        description="Cancels a remediation that is waiting for approval.",
        response=ACTION,
        response_description="Rejected. This is the remediation's new state.",
        errors=(400, 404, 409, *READ_ERRORS),
    ),
)
def reject_action(call: Call) -> Answer:
    """Cancel a remediation that is waiting for approval."""
    return json_answer(_admin().reject(call.id, call.principal.subject, seconds=call.seconds_left))


@routes.route("/autoheal/config", methods=["GET"])
@endpoint(
    routes,
    Operation(
        summary="Show the self-healing configuration",
        tag=Tag.AUTOHEAL,
        description="The mode, the share of deliberate failures, and the circuit breakers.",
        response=CONFIG,
        response_description="The configuration in force.",
        response_headers=("ETag",),
        errors=(400, 412, *READ_ERRORS),
        cacheable=True,
    ),
)
def read_config(call: Call) -> Answer:
    """Return the configuration in force."""
    return _versioned(_admin().config())


@routes.route("/autoheal/config", methods=["PUT"], content_types=[])
@endpoint(
    routes,
    Operation(
        summary="Change the self-healing configuration",
        tag=Tag.AUTOHEAL,
        description=(
            "Absent fields stay as they are. Deliberate failures end by themselves. With "
            "`If-Match`, the change is refused if the configuration has changed meanwhile."
        ),
        request=ConfigChange,
        example={"mode": "dry_run"},
        response=CONFIG,
        response_description="Changed. This is the new configuration.",
        response_headers=("ETag",),
        errors=(400, 412, 413, 415, *READ_ERRORS),
    ),
)
def change_config(call: Call) -> Answer:
    """Change the mode or the deliberate failures."""
    change = parse(ConfigChange, call.body())
    precondition = call.precondition()
    return _versioned(_admin().change(change, call.principal.subject, precondition=precondition))


def _admin() -> AutohealAdmin:
    return AutohealAdmin(container().autoheal.dependencies)


def _versioned(config: dict[str, object]) -> Answer:
    return json_answer(config, headers={"ETag": f'"{config["version"]}"'})
