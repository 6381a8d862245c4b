"""The record of a change: audit events, and what they add to the metric totals."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from chalicelib.autoheal.actions import Action
from chalicelib.autoheal.audit import AuditEvent, Kind
from chalicelib.telemetry import names
from chalicelib.telemetry.increments import Increments


@dataclass(frozen=True, slots=True)
class ChangeRecord:
    """What is written in one transaction with a change: audit events and metric increments."""

    events: Sequence[AuditEvent] = ()
    increments: Increments = field(default_factory=Increments)


def change_record(*events: AuditEvent) -> ChangeRecord:
    """Return the record of `events`, each of them counted."""
    increments = Increments()
    for event in events:
        count_event(increments, event)
    return ChangeRecord(events, increments)


def count_event(increments: Increments, event: AuditEvent) -> Increments:
    """Count `event` in `increments`; return these."""
    increments.add(names.AUTOHEAL_EVENTS, kind=str(event.kind))
    return increments.at(names.AUTOHEAL_LAST_EVENT, event.time)


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
