"""What tunes the healer, and what its use cases share."""

from datetime import datetime

from chalicelib.autoheal.actions import Action
from chalicelib.autoheal.audit import AuditEvent, Kind
from chalicelib.autoheal.ports import ChangeRecord
from chalicelib.telemetry import names
from chalicelib.telemetry.increments import Increments


def change_record(*events: AuditEvent) -> ChangeRecord:
    """Return what is written with a change: the events, and their counts."""
    increments = Increments()
    for event in events:
        count_event(increments, event)
    return ChangeRecord(events, increments)


def count_event(increments: Increments, event: AuditEvent) -> Increments:
    """Count `event` in `increments`."""
    return increments.add(names.AUTOHEAL_EVENTS, kind=str(event.kind)).at(
        names.AUTOHEAL_LAST_EVENT, event.time
    )


def action_event(action: Action, kind: Kind, now: datetime, **more: object) -> AuditEvent:
    """Return the audit event of something that happened to `action`."""
    details = {
        "action_id": str(action.id),
        "episode": action.episode,
        "attempt": action.attempt,
        "target": action.target,
        "state": str(action.state),
        "cmd": action.command,
        **({"chaos": True} if action.chaos else {}),
        **more,
    }
    return AuditEvent(now, kind, action.alertname, details)
