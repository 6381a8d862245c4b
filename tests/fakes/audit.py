"""One fake for each of the healer's ports. They pass the same contract suites as the real adapters."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from chalicelib.autoheal.audit import AuditEvent, AuditPage, AuditPosition, AuditQuery
from chalicelib.shared.errors import Unavailable


class FakeAudit:
    """An `AuditLog` in memory."""

    def __init__(self) -> None:
        self.events: dict[UUID, AuditEvent] = {}
        self.down = False

    def append(self, events: Sequence[AuditEvent]) -> None:
        if self.down:
            raise Unavailable("away", cause="test")
        self.events |= {event.id: event for event in events}

    def find(self, query: AuditQuery, now: datetime) -> AuditPage:
        if self.down:
            raise Unavailable("away", cause="test")
        ordered = sorted(self.events.values(), key=lambda one: (one.time, one.id), reverse=True)
        if query.after:
            end = (query.after.time, query.after.id)
            ordered = [one for one in ordered if (one.time, one.id) < end]
        wanted = [one for one in ordered if query.matches(one)]
        page = wanted[: query.limit]
        more = len(wanted) > query.limit
        return AuditPage(page, AuditPosition(page[-1].time, page[-1].id) if more else None)

    def kinds(self) -> list[str]:
        return [
            str(one.kind)
            for one in sorted(self.events.values(), key=lambda one: (one.time, one.id))
        ]
