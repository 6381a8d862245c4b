"""Alerts and silences over HTTP, through us: look, acknowledge, end. And the page behind a link in a message."""

import hashlib
import html
import json
from base64 import b64encode
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from chalice.app import Blueprint

from chalicelib.autoheal.acknowledge import USUAL, Acknowledgement, matchers_of
from chalicelib.autoheal.alert import Alert, read
from chalicelib.bootstrap import container
from chalicelib.entrypoints import access
from chalicelib.entrypoints.answer import Answer, json_answer
from chalicelib.entrypoints.call import Call
from chalicelib.entrypoints.endpoint import endpoint
from chalicelib.security.signing import Links
from chalicelib.shared.errors import BadLink
from chalicelib.shared.schema import parse

PURPOSE = "ack"
LINK_LASTS = timedelta(hours=24)
BY_LINK = "somebody with the link in the message"
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1c2430; max-width: 34rem; margin: 3rem auto; padding: 0 1rem }
table { border-collapse: collapse; margin: 1rem 0 } td { padding: .2rem 1rem .2rem 0; overflow-wrap: anywhere }
button { font: inherit; padding: .5rem 1.2rem; border: 0; border-radius: 6px; background: #2f6fed; color: #fff }
"""
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style>{style}</style></head><body><h1>{title}</h1>
<table>{rows}</table>
{rest}
</body></html>
"""
FORM = """<p>Nobody is notified of this alert for {duration}. Nothing happens before you confirm.</p>
<form method="post" action="{action}"><button type="submit">Acknowledge</button></form>"""

routes = Blueprint(__name__)


@routes.route("/alerts", methods=["GET"])
@endpoint(routes)
def list_alerts(call: Call) -> Answer:
    """List the alerts that fire, each with a link that acknowledges it."""
    items = [_with_link(call, one) for one in container().autoheal.dependencies.alerts.listed()]
    return json_answer({"items": items, "nextCursor": None})


@routes.route("/silences", methods=["GET"])
@endpoint(routes)
def list_silences(call: Call) -> Answer:
    """List silences."""
    return json_answer(
        {"items": container().autoheal.dependencies.alerts.silences(), "nextCursor": None}
    )


@routes.route("/silences/{id}", methods=["DELETE"], content_types=[])
@endpoint(routes)
def end_silence(call: Call) -> Answer:
    """End a silence."""
    container().autoheal.acknowledger.end(call.id, call.principal.subject)
    return Answer(status=204)


@routes.route("/ack", methods=["POST"], content_types=[])
@endpoint(routes)
def acknowledge(call: Call) -> Answer:
    """Acknowledge an alert: one silence, however often it is asked for. By a signed link, or by who is signed in."""
    if "token" in call.query:
        labels, duration = _proved(call)
        wanted = Acknowledgement(labels=labels, duration=duration, comment="by a link in a message")
        container().autoheal.acknowledger.acknowledge(wanted, BY_LINK)
        return _page("Acknowledged", labels, f"<p>For {html.escape(duration)}.</p>")
    person = access.admitted(access.SYSTEM, call.headers)
    silence_id = container().autoheal.acknowledger.acknowledge(
        parse(Acknowledgement, call.body()), person.subject
    )
    return json_answer({"ok": True, "silenceId": silence_id})


@routes.route("/ack", methods=["GET"])
@endpoint(routes)
def confirm_acknowledgement(call: Call) -> Answer:
    """Show what a signed link is about to acknowledge; changes nothing."""
    labels, duration = _proved(call)
    action = f"{call.base_path}/ack?{urlencode({'token': call.query['token']})}"
    rest = FORM.format(duration=html.escape(duration), action=html.escape(action))
    return _page("Acknowledge this alert?", labels, rest)


def link_token(labels: dict[str, str], duration: str = USUAL) -> str | None:
    """Return the token of a link that acknowledges the alert with `labels`; None where links are not set up."""
    keys = container().secrets.accepted("shared_secrets.link_secrets")
    if not keys:
        return None
    claims = {"labels": json.dumps(matchers_of(labels)), "duration": duration}
    try:
        return Links(keys).sign(PURPOSE, claims, container().clock.now() + LINK_LASTS)
    except ValueError:  # labels too long for a link
        return None


def _proved(call: Call) -> tuple[dict[str, str], str]:
    """Return the labels and the duration that the link states. Raises `errors.BadLink` and `errors.LinkExpired`."""
    keys = container().secrets.accepted("shared_secrets.link_secrets")
    if not keys:
        raise BadLink("This deployment has no links.")
    claims = Links(keys).read(call.query.get("token", ""), PURPOSE, container().clock.now())
    return json.loads(claims["labels"]), claims["duration"]


def _with_link(call: Call, raw: dict[str, Any]) -> dict[str, Any]:
    found = read(raw)
    token = link_token(dict(found.labels)) if isinstance(found, Alert) else None
    base = container().settings.autoheal.public_url.rstrip("/") or call.base_path
    return {**raw, "ackUrl": f"{base}/ack?{urlencode({'token': token})}" if token else None}


def _page(title: str, labels: dict[str, str], rest: str) -> Answer:
    rows = "".join(
        f"<tr><td><b>{html.escape(name)}</b></td><td>{html.escape(value)}</td></tr>"
        for name, value in labels.items()
    )
    style = b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{style}'; form-action 'self'; frame-ancestors 'none'"
    text = PAGE.format(title=title, style=STYLE, rows=rows, rest=rest)
    return Answer(
        text.encode(),
        200,
        {"Content-Security-Policy": f"{policy}; base-uri 'none'"},
        "text/html; charset=utf-8",
    )
