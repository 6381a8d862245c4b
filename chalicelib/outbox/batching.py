"""Which events may fly together, so that no event is ever acknowledged before one ahead of it in its stream.

A record batch is acknowledged all or nothing, and batches are not: of two batches in the
air, the second may arrive and the first be refused. So a flight holds one batch for each
place (a topic's partition), and a stream has events in one batch at a time. What does not
fit waits for the next flight, and so does everything behind it in its stream.
"""

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass, field

from chalicelib.outbox.envelope import PendingEvent
from chalicelib.outbox.ports import Refused, Unreachable

RECORD_OVERHEAD_BYTES = 600
"""Generous allowance for a record's own headers and framing."""


@dataclass(slots=True)
class BatchPlan:
    """`aboard` flies now; `grounded` cannot be placed at all, with the reason; the rest waits."""

    included: list[PendingEvent] = field(default_factory=list)
    rejected: list[tuple[PendingEvent, Refused]] = field(default_factory=list)
    unreachable: Unreachable | None = None


@dataclass(slots=True)
class _Batch:
    bytes: int = 0
    events: int = 0
    most_events: int = 1_000_000


def plan(
    events: Iterable[PendingEvent],
    place: Callable[[PendingEvent], Hashable | Refused | Unreachable],
    *,
    batch_bytes: int,
    held: Collection[str] = (),
    company: Mapping[int, int] | None = None,
) -> BatchPlan:
    """Choose from `events` (in order of id) what may be sent now.

    Args:
        events: what waits.
        place: which batch an event joins, or why none will have it.
        batch_bytes: most bytes of one batch; a larger event travels alone.
        held: streams that may not be sent now.
        company: id -> most events in that event's batch, for those under suspicion.
    """
    chosen = BatchPlan()
    batches: dict[Hashable, _Batch] = {}
    placed: dict[str, Hashable] = {}
    waiting = set(held)
    limits = company or {}
    for event in events:
        stream = event.stream_key
        if stream in waiting:
            continue
        where = place(event)
        if isinstance(where, Unreachable):
            chosen.unreachable = where
            return chosen
        if isinstance(where, Refused):
            chosen.rejected.append((event, where))
            waiting.add(stream)
            continue
        batch = batches.setdefault(where, _Batch())
        size = len(event.payload) + len(event.headers) + RECORD_OVERHEAD_BYTES
        most = min(batch.most_events, limits.get(event.id, batch.most_events))
        full = batch.events and (batch.bytes + size > batch_bytes or batch.events >= most)
        if full or placed.setdefault(stream, where) != where:
            waiting.add(stream)
            continue
        batch.bytes = batch.bytes + size
        batch.events = batch.events + 1
        batch.most_events = most
        chosen.included.append(event)
    return chosen
