"""A fake of the audit log."""

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
            raise Unavailable("down", cause="test")
        self.events |= {event.id: event for event in events}

    def find(self, query: AuditQuery, now: datetime) -> AuditPage:
        if self.down:
            raise Unavailable("down", cause="test")
        ordered = sorted(
            self.events.values(), key=lambda event: (event.time, event.id), reverse=True
        )
        if query.after:
            end = (query.after.time, query.after.id)
            ordered = [event for event in ordered if (event.time, event.id) < end]
        matching = [event for event in ordered if query.matches(event)]
        page = matching[: query.limit]
        more = len(matching) > query.limit
        return AuditPage(page, AuditPosition(page[-1].time, page[-1].id) if more else None)

    def kinds(self) -> list[str]:
        return [
            str(event.kind)
            for event in sorted(self.events.values(), key=lambda event: (event.time, event.id))
        ]
