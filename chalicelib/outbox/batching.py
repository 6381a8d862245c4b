"""Which events may be sent together, so that no event is acknowledged before its predecessor.

A broker takes or refuses a record batch as a whole, but of two record batches sent at once
the second may be taken and the first refused. So a batch of the relay holds one record
batch for each partition, and a stream has events in only one of them. An event that does
not fit waits for the next batch, and so does everything behind it in its stream.
"""

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass, field

from chalicelib.outbox.envelope import PendingEvent
from chalicelib.outbox.ports import Refused, Unreachable

RECORD_OVERHEAD_BYTES = 600
"""Generous allowance for a record's own headers and framing."""

Partition = Hashable
"""A topic and partition, as the publisher names it."""


@dataclass(slots=True)
class BatchPlan:
    """What to do with the events now.

    Attributes:
        included: to be sent.
        rejected: can never be sent as they are, with the reason.
        unreachable: set if the broker could not be asked for the partition of an event.
    """

    included: list[PendingEvent] = field(default_factory=list)
    rejected: list[tuple[PendingEvent, Refused]] = field(default_factory=list)
    unreachable: Unreachable | None = None


@dataclass(slots=True)
class _RecordBatch:
    bytes: int = 0
    events: int = 0
    max_events: int = 1_000_000

    def has_room(self, size: int, max_bytes: int, max_events: int) -> bool:
        """Return whether one more event fits; an empty batch takes an event of any size."""
        if self.events == 0:
            return True
        return self.bytes + size <= max_bytes and self.events < max_events

    def add(self, size: int, max_events: int) -> None:
        self.bytes += size
        self.events += 1
        self.max_events = max_events


def record_bytes(event: PendingEvent) -> int:
    """Return about how many bytes the event's record has."""
    return len(event.payload) + len(event.headers) + RECORD_OVERHEAD_BYTES


def plan(
    events: Iterable[PendingEvent],
    partition_of: Callable[[PendingEvent], Partition | Refused | Unreachable],
    *,
    batch_bytes: int,
    held: Collection[str] = (),
    max_batch_size: Mapping[int, int] | None = None,
) -> BatchPlan:
    """Choose from `events` (in order of id) those that may be sent now.

    Args:
        events: the pending events.
        partition_of: the partition of an event, or why it has none.
        batch_bytes: largest size of one record batch; a larger event is sent alone.
        held: streams that may not be sent now.
        max_batch_size: by event id, the most events in that event's record batch; for events
            that are suspected of having caused a refusal.
    """
    result = BatchPlan()
    batches: dict[Partition, _RecordBatch] = {}
    partition_by_stream: dict[str, Partition] = {}
    waiting = set(held)
    size_limits = max_batch_size or {}
    for event in events:
        stream = event.stream_key
        if stream in waiting:
            continue
        partition = partition_of(event)
        if isinstance(partition, Unreachable):
            result.unreachable = partition
            return result
        if isinstance(partition, Refused):
            result.rejected.append((event, partition))
            waiting.add(stream)
            continue
        batch = batches.setdefault(partition, _RecordBatch())
        size = record_bytes(event)
        max_events = min(batch.max_events, size_limits.get(event.id, batch.max_events))
        fits = batch.has_room(size, batch_bytes, max_events)
        if not fits or partition_by_stream.setdefault(stream, partition) != partition:
            waiting.add(stream)
            continue
        batch.add(size, max_events)
        result.included.append(event)
    return result
