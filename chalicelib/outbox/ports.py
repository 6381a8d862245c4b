"""The ports of the relay: the outbox, and a broker."""

from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from chalicelib.outbox.envelope import PendingEvent


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The broker has stored the event durably. `id` and `event_id` are the event's."""

    id: int
    event_id: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Refused:
    """The broker refused the event's record batch; an equal batch will be refused too.

    `alone`: nothing else was in that record batch, so the event itself is at fault.
    """

    reason: str
    alone: bool


@dataclass(frozen=True, slots=True)
class Unreachable:
    """The broker may or may not have the event: no answer, or one that blames the broker."""

    reason: str


Outcome = Acknowledged | Refused | Unreachable


@dataclass(frozen=True, slots=True)
class OutboxStats:
    """The state of the outbox: counts, and the age of its backlog.

    `oldest_timestamp` is the Unix time of the oldest pending event, or the present time
    while nothing is pending.
    """

    pending: int
    oldest_timestamp: float
    parked_streams: int


class OutboxStore(Protocol):
    """The outbox as the relay sees it. Its times are the database's.

    Every method raises `errors.Unavailable` while the database cannot be reached; the next
    call connects again.
    """

    def claim(self, owner: UUID, *, limit: int, seconds: float) -> list[int]:
        """Lease up to `limit` shards for `seconds`, and return their numbers.

        Only shards that are free and due, or already leased by `owner`, are considered.
        """
        ...

    def fetch(
        self,
        owner: UUID,
        shards: Collection[int],
        *,
        max_rows: int,
        max_bytes: int,
        excluded_ids: Collection[int],
        held_streams: Collection[str],
    ) -> list[PendingEvent]:
        """Return the oldest events of `shards` that `owner` still leases, in one snapshot.

        In order of id; at most `max_rows` events, and at most `max_bytes` of payload unless
        the first event alone is larger. Events with `excluded_ids` and events of
        `held_streams` are skipped.
        """
        ...

    def mark(self, acknowledged: Sequence[Acknowledged]) -> int:
        """Move acknowledged events to the archive; return how many were still in the outbox."""
        ...

    def refuse(self, event: PendingEvent, reason: str) -> int:
        """Count an attempt that the broker refused; return the number of attempts so far."""
        ...

    def park(self, event: PendingEvent, reason: str) -> None:
        """Park the event's stream and put a copy of the event on the dead letter topic.

        Both happen in one transaction.
        """
        ...

    def stats(self) -> OutboxStats:
        """Return the state of the outbox."""
        ...

    def release(self, owner: UUID, *, retry_after: float = 0.0) -> None:
        """Give back every shard of `owner`; they cannot be claimed for `retry_after` seconds."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


class SentBatch(Protocol):
    """Events on their way to the broker."""

    def wait(self, timeout: float) -> list[Outcome]:
        """Wait up to `timeout` seconds; return an outcome for each event, in the order sent."""
        ...


class Publisher(Protocol):
    """A connection to the broker. After a failure it is closed and replaced, never reused."""

    def partition_of(self, event: PendingEvent) -> Hashable | Refused | Unreachable:
        """Return the topic and partition of the event, or why it has none."""
        ...

    def send(self, events: Sequence[PendingEvent]) -> SentBatch:
        """Send `events` in order, those of one partition in one record batch."""
        ...

    def close(self) -> None:
        """Close the connection within bounded time; never raises."""
        ...
