"""Compares what was committed with what can be read from Kafka, independently of the relay."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Committed:
    """An event of the database: pending, parked or archived."""

    event_id: str
    stream: str
    seq: int
    parked: bool = False


@dataclass(frozen=True, slots=True)
class Delivered:
    """A record of a topic: `appended_ms` is the broker's time.

    `position` is its topic, partition and offset.
    """

    event_id: str
    stream: str
    seq: int
    appended_ms: int
    position: tuple[str, int, int]


@dataclass(slots=True)
class Findings:
    """What is wrong, as sentences; empty lists are good. Duplicates are allowed, and counted."""

    lost: list[str] = field(default_factory=list)
    invented: list[str] = field(default_factory=list)
    disorder: list[str] = field(default_factory=list)
    parked_wrongly: list[str] = field(default_factory=list)
    committed: int = 0
    delivered: int = 0
    duplicates: int = 0

    @property
    def good(self) -> bool:
        """Return whether every guarantee was kept."""
        return not (self.lost or self.invented or self.disorder or self.parked_wrongly)


def check(
    committed: Iterable[Committed],
    delivered: Iterable[Delivered],
    *,
    poisoned: Iterable[str] = (),
    acknowledged_to_writers: Iterable[str] = (),
) -> Findings:
    """Return what is wrong.

    Args:
        committed: every event of the database.
        delivered: every record of every topic, any order.
        poisoned: streams that should be parked, and no others.
        acknowledged_to_writers: ids whose commit the writers saw succeed; the database must
            have each.
    """
    expected = {event.event_id: event for event in committed}
    records = list(delivered)
    first: dict[str, Delivered] = {}
    for record in sorted(records, key=lambda record: (record.appended_ms, record.position)):
        first.setdefault(record.event_id, record)
    findings = Findings(
        committed=len(expected), delivered=len(records), duplicates=len(records) - len(first)
    )
    findings.lost += [
        f"{event_id}: its commit succeeded, but it is not in the database"
        for event_id in acknowledged_to_writers
        if event_id not in expected
    ]
    findings.lost += [
        f"{event.stream}#{event.seq}: not on any topic"
        for event in expected.values()
        if not event.parked and event.event_id not in first
    ]
    findings.invented += [
        f"{record.stream}#{record.seq}: never committed"
        for record in first.values()
        if record.event_id not in expected
    ]
    parked = {event.stream for event in expected.values() if event.parked}
    findings.parked_wrongly += [f"{stream}: parked" for stream in sorted(parked - set(poisoned))]
    findings.parked_wrongly += [
        f"{stream}: not parked" for stream in sorted(set(poisoned) - parked)
    ]
    streams: dict[str, list[Delivered]] = defaultdict(list)
    for record in first.values():
        streams[record.stream].append(record)
    for stream, deliveries in streams.items():
        findings.disorder += _disorder(stream, deliveries)
    return findings


def _disorder(stream: str, deliveries: list[Delivered]) -> list[str]:
    """Return the gaps in a stream, and the events that came before an earlier one."""
    problems = []
    ordered = sorted(deliveries, key=lambda record: record.seq)
    present = {record.seq for record in ordered}
    missing = sorted(set(range(1, ordered[-1].seq + 1)) - present)
    if missing:
        problems.append(f"{stream}: gap at {missing[:5]}")
    for earlier, later in pairwise(ordered):
        if _came_before(later, earlier):
            problems.append(f"{stream}: #{later.seq} came before #{earlier.seq}")
    return problems


def _came_before(record: Delivered, other: Delivered) -> bool:
    """Return whether `record` came first, by offset in one partition, else by the broker's time."""
    if record.position[:2] == other.position[:2]:
        return record.position < other.position
    return record.appended_ms < other.appended_ms
