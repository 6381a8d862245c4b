"""Alerts and silences over HTTP: list them, acknowledge an alert, end a silence."""

import json
from datetime import timedelta
from typing import Any

from chalice.app import Blueprint

from chalicelib.autoheal.acknowledge import DEFAULT_DURATION, Acknowledgement, matchers_of
from chalicelib.autoheal.alert import Alert, read
from chalicelib.bootstrap import container
from chalicelib.entrypoints import access
from chalicelib.entrypoints.acknowledge_page import acknowledged_page, confirmation_page
from chalicelib.entrypoints.alert_schemas import ALERT, SILENCE
from chalicelib.entrypoints.answer import Answer, json_answer
from chalicelib.entrypoints.autoheal_schemas import ACKNOWLEDGED
from chalicelib.entrypoints.call import Call
from chalicelib.entrypoints.endpoint import endpoint
from chalicelib.entrypoints.links import link
from chalicelib.entrypoints.operation import READ_ERRORS, Operation, Parameter, Tag
from chalicelib.entrypoints.schemas import STRING, page_of
from chalicelib.security.signing import Links
from chalicelib.shared.errors import BadLink
from chalicelib.shared.schema import parse

PURPOSE = "ack"
LINK_LIFETIME = timedelta(hours=24)
LINK_HOLDER = "holder of a link from a message"
LINK_COMMENT = "acknowledged with a link from a message"
TOKEN_PARAMETER = Parameter("token", STRING, "The signed token of a link.")

routes = Blueprint(__name__)


@routes.route("/alerts", methods=["GET"])
@endpoint(
    routes,
    Operation(
        summary="List firing alerts",
        tag=Tag.ALERTS,
        description="As Alertmanager has them. `ackUrl` is a link that acknowledges the alert.",
        response=page_of(ALERT),
        response_description="All alerts, on one page.",
        errors=(*READ_ERRORS, 502),
    ),
)
def list_alerts(call: Call) -> Answer:
    """Return the firing alerts, each with a link that acknowledges it."""
    alerts = container().autoheal.dependencies.alerts.listed()
    items = [_with_link(call, alert) for alert in alerts]
    return json_answer({"items": items, "nextCursor": None})


@routes.route("/silences", methods=["GET"])
@endpoint(
    routes,
    Operation(
        summary="List silences",
        tag=Tag.ALERTS,
        description="As Alertmanager has them.",
        response=page_of(SILENCE),
        response_description="All silences, on one page.",
        errors=(*READ_ERRORS, 502),
    ),
)
def list_silences(call: Call) -> Answer:
    """Return the silences."""
    items = container().autoheal.dependencies.alerts.silences()
    return json_answer({"items": items, "nextCursor": None})


@routes.route("/silences/{id}", methods=["DELETE"], content_types=[])
@endpoint(
    routes,
    Operation(
        summary="End a silence",
        tag=Tag.ALERTS,
        response_description="Ended.",
        status=204,
        errors=(400, 404, *READ_ERRORS, 502),
    ),
)
def end_silence(call: Call) -> Answer:
    """End a silence."""
    container().autoheal.acknowledger.end(call.id, call.principal.subject)
    return Answer(status=204)


@routes.route("/ack", methods=["POST"], content_types=[])
@endpoint(
    routes,
    Operation(
        summary="Acknowledge an alert",
        tag=Tag.ALERTS,
        description=(
            "Silences one alert. Acknowledging it again returns the same silence. Takes "
            "either a signed link's `token`, or a signed-in operator and a request body."
        ),
        parameters=(TOKEN_PARAMETER,),
        request=Acknowledgement,
        example={
            "labels": {"alertname": "TcpEndpointDownFast"},
            "duration": "2h",
            "comment": "looking at it",
        },
        response=ACKNOWLEDGED,
        response_description="Acknowledged, with the id of the silence.",
        errors=(400, 404, 409, 413, 415, *READ_ERRORS, 502),
        security=("bearer", "link"),
    ),
)
def acknowledge(call: Call) -> Answer:
    """Acknowledge an alert, by a signed link or as a signed-in operator."""
    if "token" in call.query:
        labels, duration = _verified_link(call)
        by_link = Acknowledgement(labels=labels, duration=duration, comment=LINK_COMMENT)
        container().autoheal.acknowledger.acknowledge(by_link, LINK_HOLDER)
        return acknowledged_page(labels, duration)
    principal = access.authorize(access.SYSTEM, call.headers)
    request = parse(Acknowledgement, call.body())
    acknowledger = container().autoheal.acknowledger
    silence_id = acknowledger.acknowledge(request, principal.subject)
    return json_answer({"ok": True, "silenceId": silence_id})


@routes.route("/ack", methods=["GET"])
@endpoint(
    routes,
    Operation(
        summary="Show what a link will acknowledge",
        tag=Tag.ALERTS,
        description="A page that asks for confirmation. It changes nothing.",
        parameters=(TOKEN_PARAMETER,),
        response=STRING,
        response_description="The page.",
        media_type="text/html",
        errors=(401, 403, 410, 503),
        security=("link",),
    ),
)
def confirm_acknowledgement(call: Call) -> Answer:
    """Return the page that asks for confirmation; changes nothing."""
    labels, duration = _verified_link(call)
    action = link(call, "/ack", {"token": call.query["token"]})
    return confirmation_page(labels, duration, action)


def link_token(labels: dict[str, str], duration: str = DEFAULT_DURATION) -> str | None:
    """Return the token of a link that acknowledges the alert with `labels`.

    None where the deployment has no secret for links, or the labels are too long for one.
    """
    keys = container().secrets.accepted("shared_secrets.link_secrets")
    if not keys:
        return None
    claims = {"labels": json.dumps(matchers_of(labels)), "duration": duration}
    try:
        return Links(keys).sign(PURPOSE, claims, container().clock.now() + LINK_LIFETIME)
    except ValueError:  # labels too long for a link
        return None


def _verified_link(call: Call) -> tuple[dict[str, str], str]:
    """Return the labels and the duration that the link states.

    Raises:
        errors.BadLink: the token is not valid.
        errors.LinkExpired: it was valid.
    """
    keys = container().secrets.accepted("shared_secrets.link_secrets")
    if not keys:
        raise BadLink("This deployment does not support links.")
    claims = Links(keys).read(call.query.get("token", ""), PURPOSE, container().clock.now())
    return json.loads(claims["labels"]), claims["duration"]


def _with_link(call: Call, raw: dict[str, Any]) -> dict[str, Any]:
    alert = read(raw)
    token = link_token(dict(alert.labels)) if isinstance(alert, Alert) else None
    base = container().settings.autoheal.public_url.rstrip("/")
    ack_url = link(call, "/ack", {"token": token}, base) if token else None
    return {**raw, "ackUrl": ack_url}
