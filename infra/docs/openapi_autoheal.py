"""What the healer's views take and give, for the OpenAPI document."""

from collections.abc import Callable
from typing import Any

from chalicelib.autoheal.acknowledge import Acknowledgement
from chalicelib.autoheal.actions import State
from chalicelib.autoheal.admin import MAX_LISTED, ConfigChange
from chalicelib.autoheal.audit import DEFAULT_EVENTS, MAX_EVENTS, Kind
from chalicelib.autoheal.modes import BreakerState, Mode
from chalicelib.entrypoints.audit import LONGEST, SECONDS
from chalicelib.shared.schema import NO_NUL, YEARS

INPUTS = Acknowledgement | ConfigChange
TEXT = {"type": "string"}
COUNT = {"type": "integer"}
TRUTH = {"type": "boolean"}
NUMBER = {"type": "number"}
MAYBE = {"type": ["string", "null"]}
OPEN = {"type": "object", "additionalProperties": True}
LABELS = {"type": "object", "additionalProperties": TEXT}
READ = (401, 403, 429, 503)
EXAMPLES: dict[str, dict[str, Any]] = {
    "Acknowledgement": {
        "labels": {"alertname": "TcpEndpointDownFast"},
        "duration": "2h",
        "comment": "looking at it",
    },
    "ConfigChange": {"mode": "dry_run"},
}


def _object(required: dict[str, Any], **optional: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "required": list(required),
        "properties": {**required, **optional},
    }


def _page(item: dict[str, Any]) -> dict[str, Any]:
    return _object({"items": {"type": "array", "items": item}, "nextCursor": MAYBE})


RESULT = _object({"alert": TEXT, "result": TEXT}, reason=TEXT, actionId=TEXT, state=TEXT)
RESULTS = _object({"ok": TRUTH, "results": {"type": "array", "items": RESULT}}, problem=TEXT)
ACTION = _object(
    {
        "id": {"type": "string", "format": "uuid"},
        "alertname": TEXT,
        "fingerprint": TEXT,
        "labels": LABELS,
        "attempt": COUNT,
        "target": TEXT,
        "command": TEXT,
        "state": {"type": "string", "enum": list(State)},
        "result": MAYBE,
        "version": COUNT,
        "chaos": TRUTH,
        "dryRun": TRUTH,
        "commandId": MAYBE,
        "approvedBy": MAYBE,
        "followUp": MAYBE,
        "rc": {"type": ["integer", "null"]},
        "detail": TEXT,
        "createdAt": TEXT,
        "changedAt": TEXT,
        "nextCheck": MAYBE,
        "verifyUntil": MAYBE,
    }
)
BREAKER = _object(
    {
        "runbook": TEXT,
        "state": {"type": "string", "enum": list(BreakerState)},
        "failures": COUNT,
        "openUntil": MAYBE,
    }
)
CONFIG = _object(
    {
        "mode": {"type": "string", "enum": list(Mode)},
        "version": COUNT,
        "changedBy": MAYBE,
        "changedAt": MAYBE,
        "chaos": _object({"percent": NUMBER, "until": MAYBE}),
        "breakers": {"type": "array", "items": BREAKER},
    }
)
EVENT = {
    **_object(
        {
            "time": TEXT,
            "ts": NUMBER,
            "kind": {"type": "string", "enum": list(Kind)},
            "alertname": TEXT,
            "id": TEXT,
        }
    ),
    "additionalProperties": True,
}
EVENTS = _object({"count": COUNT, "events": {"type": "array", "items": EVENT}, "nextCursor": MAYBE})
TOKEN = (("token", TEXT),)
WHEN = {
    "anyOf": [
        {"type": "string", "pattern": f"^{SECONDS.pattern}$".replace(r"\d", "[0-9]")},
        {"type": "string", "format": "date-time", "pattern": YEARS},
    ]
}
SOUGHT = {"type": "string", "minLength": 1, "maxLength": LONGEST, "pattern": NO_NUL}
FILTERS = (
    (
        "n",
        {"type": "integer", "minimum": 1, "maximum": MAX_EVENTS, "default": DEFAULT_EVENTS},
    ),
    ("since", WHEN),
    ("until", WHEN),
    ("kind", SOUGHT),
    ("alertname", SOUGHT),
    ("contains", SOUGHT),
    ("cursor", TEXT),
    ("format", {"type": "string", "enum": ["json", "csv"], "default": "json"}),
)
LISTING = (
    ("limit", {"type": "integer", "minimum": 1, "maximum": MAX_LISTED, "default": 50}),
    ("state", {"type": "string", "enum": list(State)}),
    ("cursor", TEXT),
)


def operations(operation: Callable[..., Any]) -> dict[str, Any]:
    """Return the operations, each made by `operation`."""
    return {
        "receive_alerts": operation(RESULTS, problems=(400, 401, 403, 413, 415, 503)),
        "list_actions": operation(_page(ACTION), problems=(400, *READ), parameters=LISTING),
        "read_action": operation(ACTION, problems=(400, 404, *READ)),
        "approve_action": operation(ACTION, problems=(400, 404, 409, *READ)),
        "reject_action": operation(ACTION, problems=(400, 404, 409, *READ)),
        "read_config": operation(CONFIG, problems=READ, headers=("ETag",)),
        "change_config": operation(
            CONFIG,
            takes=ConfigChange,
            problems=(400, 412, 413, 415, *READ),
            headers=("ETag",),
        ),
        "read_audit": operation(
            EVENTS,
            problems=(400, *READ),
            parameters=FILTERS,
            headers=("Link", "X-Next-Cursor"),
            also="text/csv",
        ),
        "read_metrics": operation(TEXT, problems=READ, media="text/plain"),
        "list_alerts": operation(_page(OPEN), problems=(*READ, 502)),
        "list_silences": operation(_page(OPEN), problems=(*READ, 502)),
        "end_silence": operation(None, 204, problems=(400, 404, *READ, 502)),
        "acknowledge": operation(
            _object({"ok": TRUTH, "silenceId": TEXT}),
            takes=Acknowledgement,
            problems=(400, 404, 409, 413, 415, *READ, 502),
            parameters=TOKEN,
        ),
        "confirm_acknowledgement": operation(
            {"type": "string"},
            problems=(401, 403, 410, 503),
            parameters=TOKEN,
            media="text/html",
        ),
    }
