"""What the relay needs of the outside: the outbox, and a broker."""

from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from chalicelib.outbox.envelope import PendingEvent


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The broker has the event, durably. `id` and `event_id` are the event's."""

    id: int
    event_id: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Refused:
    """The broker will not have the record batch that the event was in; trying the same again is no use.

    `alone` tells that the event itself is at fault, for nothing else was in that batch.
    """

    reason: str
    alone: bool


@dataclass(frozen=True, slots=True)
class Unreachable:
    """Nobody knows whether the broker has it: no answer, or one that blames the broker."""

    reason: str


Outcome = Acknowledged | Refused | Unreachable


@dataclass(frozen=True, slots=True)
class OutboxStats:
    """How the outbox stands. `oldest` is the Unix time of the oldest waiting event, or of now where none waits."""

    pending: int
    oldest: float
    parked_streams: int


class OutboxStore(Protocol):
    """The outbox as the relay sees it. Its times are the database's.

    Every method raises `errors.Unavailable` while the database cannot be reached, and
    reconnects by itself.
    """

    def claim(self, owner: UUID, *, limit: int, seconds: float) -> list[int]:
        """Lease up to `limit` shards that are free and due, or already `owner`'s, for `seconds`; return them."""
        ...

    def fetch(
        self,
        owner: UUID,
        shards: Collection[int],
        *,
        rows: int,
        size: int,
        known: Collection[int],
        held: Collection[str],
    ) -> list[PendingEvent]:
        """Return the oldest events of `shards` that `owner` still leases, in order of id, in one snapshot.

        At most `rows` of them and, but for the first, at most `size` bytes of payload; none
        of the ids `known` and none of the streams `held`.
        """
        ...

    def mark(self, acknowledged: Sequence[Acknowledged]) -> int:
        """Move acknowledged events to the archive; return how many were still there."""
        ...

    def refuse(self, event: PendingEvent, reason: str) -> int:
        """Count an attempt that the broker refused; return the attempts so far."""
        ...

    def park(self, event: PendingEvent, reason: str) -> None:
        """Park the event's stream and put a copy of the event on the dead letter topic, together."""
        ...

    def stats(self) -> OutboxStats:
        """Return how the outbox stands."""
        ...

    def release(self, owner: UUID, *, retry_after: float = 0.0) -> None:
        """Give back every shard of `owner`; nobody takes one of them for `retry_after` seconds."""
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...


class SentBatch(Protocol):
    """Events on their way to the broker."""

    def land(self, timeout: float) -> list[Outcome]:
        """Wait up to `timeout` seconds; return an outcome for each event, in the order given."""
        ...


class Publisher(Protocol):
    """A broker's front door. One that saw trouble is closed and replaced, never used on."""

    def place(self, event: PendingEvent) -> Hashable | Refused | Unreachable:
        """Return which record batch the event would join (topic and partition), or why there is none."""
        ...

    def launch(self, events: Sequence[PendingEvent]) -> SentBatch:
        """Send `events`: in order, those of one place in one record batch."""
        ...

    def close(self) -> None:
        """Drop the connection within bounded time; never raises."""
        ...
