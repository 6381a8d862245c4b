"""The audit log: an event for everything that the healer did or decided not to do.

Events are only ever appended. CSV is RFC 4180, with a guard: a spreadsheet interprets
a cell that starts with one of `= + - @`, a tab or a carriage return as a formula, so such a
cell gets an apostrophe in front.
"""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from chalicelib.shared.clock import rfc3339
from chalicelib.shared.ids import uuid7

MAX_EVENTS: Final = 5_000
DEFAULT_EVENTS: Final = 200
RETENTION_DAYS: Final = 90
COLUMNS: Final = ("time", "kind", "alertname", "id", "details")
FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")


class Kind(StrEnum):
    """The kind of an event."""

    WEBHOOK_RECEIVED = "webhook_received"
    DECISION_SKIP = "decision_skip"
    ACTION_ELIGIBLE = "action_eligible"
    ACTION_DRY_RUN = "action_dry_run"
    ACTION_SENT = "action_sent"
    ACTION_OK = "action_ok"
    ACTION_FAIL = "action_fail"
    ACTION_CANCELLED = "action_cancelled"
    APPROVAL_REQUESTED = "approval_requested"
    APPROVED = "approved"
    REJECTED = "rejected"
    ESCALATED = "escalated"
    BREAKER_CHANGED = "breaker_changed"
    CONFIG_CHANGED = "config_changed"
    ACK = "ack"
    SILENCE_ENDED = "silence_ended"
    HEARTBEAT = "heartbeat"


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One event. `details` depend on the kind, and are JSON values only."""

    time: datetime
    kind: Kind
    alertname: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    id: UUID = field(default_factory=uuid7)

    def to_dict(self) -> dict[str, Any]:
        """Return the event as callers see it."""
        return {
            "time": rfc3339(self.time),
            "ts": round(self.time.timestamp(), 6),
            "kind": str(self.kind),
            "alertname": self.alertname,
            "id": str(self.id),
            **self.details,
        }

    def text(self) -> str:
        """Return the text that `contains` searches."""
        return json.dumps(self.to_dict(), ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class AuditPosition:
    """The last event of a page: the next page starts after it."""

    time: datetime
    id: UUID


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """Which events to return, newest first: from `since` until before `until`.

    `contains` is any part of the event's JSON, upper or lower case.
    """

    limit: int = DEFAULT_EVENTS
    since: datetime | None = None
    until: datetime | None = None
    kind: str | None = None
    alertname: str | None = None
    contains: str | None = None
    after: AuditPosition | None = None

    @property
    def needs_scan(self) -> bool:
        """Return whether events must be read to be filtered, since no index has the answer."""
        return self.contains is not None or (self.kind is not None and self.alertname is not None)

    def matches(self, event: AuditEvent) -> bool:
        """Return whether `event` matches, whatever page it is on."""
        return (
            (self.since is None or event.time >= self.since)
            and (self.until is None or event.time < self.until)
            and (self.kind is None or event.kind == self.kind)
            and (self.alertname is None or event.alertname == self.alertname)
            and (self.contains is None or self.contains.lower() in event.text().lower())
        )


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Events, newest first; `following` is where the next page starts, None at the end.

    A page may have fewer events than its limit and yet not be the last.
    """

    events: Sequence[AuditEvent]
    following: AuditPosition | None


def as_csv(events: Iterable[AuditEvent], *, header: bool = True) -> str:
    """Return `events` as CSV, with a header line or without."""
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_MINIMAL, lineterminator="\r\n")
    if header:
        writer.writerow(COLUMNS)
    for event in events:
        details = json.dumps(dict(event.details), ensure_ascii=False, sort_keys=True)
        cells = (
            rfc3339(event.time),
            str(event.kind),
            event.alertname,
            str(event.id),
            details,
        )
        writer.writerow([guarded(cell) for cell in cells])
    return out.getvalue()


def guarded(cell: str) -> str:
    """Return `cell` in a form that no spreadsheet interprets as a formula."""
    return f"'{cell}" if cell.startswith(FORMULA_STARTS) else cell
