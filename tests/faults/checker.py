"""The independent checker: compares what was committed with what can be read from Kafka. Knows nothing of the relay."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Committed:
    """An event of the database: still waiting, or in the archive."""

    event_id: str
    stream: str
    seq: int
    parked: bool = False


@dataclass(frozen=True, slots=True)
class Delivered:
    """A record of a topic. `appended_ms` is the broker's own time, `place` its topic, partition and offset."""

    event_id: str
    stream: str
    seq: int
    appended_ms: int
    place: tuple[str, int, int]


@dataclass(slots=True)
class Findings:
    """What is wrong, in words; empty lists are good. Duplicates are allowed, and counted."""

    lost: list[str] = field(default_factory=list)
    invented: list[str] = field(default_factory=list)
    disorder: list[str] = field(default_factory=list)
    parked_wrongly: list[str] = field(default_factory=list)
    committed: int = 0
    delivered: int = 0
    duplicates: int = 0

    @property
    def good(self) -> bool:
        """Tell whether every promise was kept."""
        return not (self.lost or self.invented or self.disorder or self.parked_wrongly)


def check(
    committed: Iterable[Committed],
    delivered: Iterable[Delivered],
    *,
    poisoned: Iterable[str] = (),
    acknowledged_to_writers: Iterable[str] = (),
) -> Findings:
    """Compare.

    Args:
        committed: every event of the database, waiting or archived.
        delivered: every record of every topic, any order.
        poisoned: streams that should be parked, and no others.
        acknowledged_to_writers: ids whose commit the writers saw succeed; the database must
            have each.
    """
    wanted = {event.event_id: event for event in committed}
    records = list(delivered)
    first: dict[str, Delivered] = {}
    for record in sorted(records, key=lambda one: (one.appended_ms, one.place)):
        first.setdefault(record.event_id, record)
    found = Findings(
        committed=len(wanted), delivered=len(records), duplicates=len(records) - len(first)
    )
    found.lost += [
        f"{one}: its commit succeeded and it is not in the database"
        for one in acknowledged_to_writers
        if one not in wanted
    ]
    found.lost += [
        f"{e.stream}#{e.seq}: not on any topic"
        for e in wanted.values()
        if not e.parked and e.event_id not in first
    ]
    found.invented += [
        f"{r.stream}#{r.seq}: never committed" for r in first.values() if r.event_id not in wanted
    ]
    parked = {event.stream for event in wanted.values() if event.parked}
    found.parked_wrongly += [f"{stream}: parked" for stream in sorted(parked - set(poisoned))]
    found.parked_wrongly += [f"{stream}: not parked" for stream in sorted(set(poisoned) - parked)]
    streams: dict[str, list[Delivered]] = defaultdict(list)
    for record in first.values():
        streams[record.stream].append(record)
    for stream, seen in streams.items():
        found.disorder += _disorder(stream, seen)
    return found


def _disorder(stream: str, seen: list[Delivered]) -> list[str]:
    """Return what is wrong with one stream's first deliveries: gaps, or one that the broker had before its elder."""
    problems = []
    ordered = sorted(seen, key=lambda one: one.seq)
    missing = sorted(set(range(1, ordered[-1].seq + 1)) - {one.seq for one in ordered})
    if missing:
        problems.append(f"{stream}: gap at {missing[:5]}")
    for elder, younger in pairwise(ordered):
        same = elder.place[:2] == younger.place[:2]
        swapped = younger.place < elder.place if same else younger.appended_ms < elder.appended_ms
        if swapped:
            problems.append(f"{stream}: #{younger.seq} came before #{elder.seq}")
    return problems
