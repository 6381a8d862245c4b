"""The JSON Schemas of what the self-healing endpoints return."""

from chalicelib.autoheal.actions import State
from chalicelib.autoheal.audit import Kind
from chalicelib.autoheal.modes import BreakerState, Mode
from chalicelib.entrypoints.schemas import (
    BOOLEAN,
    INTEGER,
    NUMBER,
    OPTIONAL_INTEGER,
    OPTIONAL_STRING,
    STRING,
    STRING_MAP,
    UUID,
    array_of,
    enum_of,
    object_schema,
)

RESULT = object_schema(
    {"alert": STRING, "result": STRING},
    {"reason": STRING, "actionId": STRING, "state": STRING},
)
RESULTS = object_schema({"ok": BOOLEAN, "results": array_of(RESULT)}, {"problem": STRING})
ACTION = object_schema(
    {
        "id": UUID,
        "alertname": STRING,
        "fingerprint": STRING,
        "labels": STRING_MAP,
        "attempt": INTEGER,
        "target": STRING,
        "command": STRING,
        "state": enum_of(State),
        "result": OPTIONAL_STRING,
        "version": INTEGER,
        "chaos": BOOLEAN,
        "dryRun": BOOLEAN,
        "commandId": OPTIONAL_STRING,
        "approvedBy": OPTIONAL_STRING,
        "followUp": OPTIONAL_STRING,
        "rc": OPTIONAL_INTEGER,
        "detail": STRING,
        "createdAt": STRING,
        "changedAt": STRING,
        "nextCheck": OPTIONAL_STRING,
        "verifyUntil": OPTIONAL_STRING,
    }
)
BREAKER = object_schema(
    {
        "runbook": STRING,
        "state": enum_of(BreakerState),
        "failures": INTEGER,
        "openUntil": OPTIONAL_STRING,
    }
)
CONFIG = object_schema(
    {
        "mode": enum_of(Mode),
        "version": INTEGER,
        "changedBy": OPTIONAL_STRING,
        "changedAt": OPTIONAL_STRING,
        "chaos": object_schema({"percent": NUMBER, "until": OPTIONAL_STRING}),
        "breakers": array_of(BREAKER),
    }
)
AUDIT_EVENT = {
    **object_schema(
        {
            "time": STRING,
            "ts": NUMBER,
            "kind": enum_of(Kind),
            "alertname": STRING,
            "id": STRING,
        }
    ),
    "additionalProperties": True,
}
AUDIT_PAGE = object_schema(
    {"count": INTEGER, "events": array_of(AUDIT_EVENT), "nextCursor": OPTIONAL_STRING}
)
ACKNOWLEDGED = object_schema({"ok": BOOLEAN, "silenceId": STRING})
