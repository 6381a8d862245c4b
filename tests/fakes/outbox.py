"""An outbox in memory. It passes the same contract suite as PostgreSQL's."""

import json
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from chalicelib.outbox.envelope import DEAD_LETTER_PREFIX, PendingEvent
from chalicelib.outbox.ports import Acknowledged, OutboxStats
from chalicelib.shared.errors import Unavailable
from chalicelib.shared.ids import uuid7
from tests.fakes.clock import START, FakeClock


@dataclass
class _Shard:
    owner: UUID | None = None
    lease_until: float = float("-inf")
    retry_at: float = float("-inf")


class FakeOutbox:
    """An `OutboxStore`. While `down` is set, every call fails as with an unreachable database."""

    def __init__(self, clock: FakeClock, shards: int = 4) -> None:
        self.clock = clock
        self.shards = {number: _Shard() for number in range(shards)}
        self.events: dict[int, PendingEvent] = {}
        self.parked: dict[str, str] = {}
        self.archive: list[PendingEvent] = []
        self.last_seq: dict[str, int] = defaultdict(int)
        self.down = False
        self._next_id = 1

    def append(
        self, stream_key: str, *, topic: str = "t", payload: bytes = b"{}", shard: int = 0
    ) -> PendingEvent:
        self.last_seq[stream_key] += 1
        event = PendingEvent(
            id=self._next_id,
            event_id=str(uuid7()),
            tenant_id=str(UUID(int=1)),
            shard=shard,
            stream_key=stream_key,
            stream_seq=self.last_seq[stream_key],
            topic=topic,
            event_type="JobCreated",
            schema_version=1,
            occurred_at="2030-01-01T00:00:00.000000Z",
            attempts=0,
            headers="{}",
            payload=payload,
        )
        self.events[event.id] = event
        self._next_id += 1
        return event

    def claim(self, owner: UUID, *, limit: int, seconds: float) -> list[int]:
        self._fail_if_down()
        now = self.clock.monotonic()
        own = [number for number, shard in self.shards.items() if shard.owner == owner]
        free = [
            number
            for number, shard in self.shards.items()
            if shard.owner != owner and shard.lease_until < now and shard.retry_at <= now
        ]
        claimed = (own + free)[:limit]
        for number in claimed:
            self.shards[number].owner = owner
            self.shards[number].lease_until = now + seconds
        return claimed

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
        self._fail_if_down()
        now = self.clock.monotonic()
        ready: list[PendingEvent] = []
        for event in sorted(self.events.values()):
            shard = self.shards[event.shard]
            leased = event.shard in shards and shard.owner == owner and shard.lease_until > now
            if (
                leased
                and event.stream_key not in self.parked
                and event.stream_key not in held_streams
                and event.id not in excluded_ids
            ):
                ready.append(event)
        total_bytes = 0
        fetched: list[PendingEvent] = []
        for event in ready[:max_rows]:
            total_bytes += len(event.payload)
            if fetched and total_bytes > max_bytes:
                break
            fetched.append(event)
        return fetched

    def mark(self, acknowledged: Sequence[Acknowledged]) -> int:
        self._fail_if_down()
        marked = [self.events.pop(item.id) for item in acknowledged if item.id in self.events]
        self.archive += marked
        return len(marked)

    def refuse(self, event: PendingEvent, reason: str) -> int:
        self._fail_if_down()
        stored = self.events[event.id]
        self.events[event.id] = stored._replace(attempts=stored.attempts + 1)
        return stored.attempts + 1

    def park(self, event: PendingEvent, reason: str) -> None:
        self._fail_if_down()
        self.parked[event.stream_key] = reason
        if not event.is_dead_letter:
            copy = self.append(
                DEAD_LETTER_PREFIX + event.stream_key,
                topic="dlq",
                payload=event.payload,
                shard=event.shard,
            )
            self.events[copy.id] = copy._replace(
                headers=json.dumps({"dlq_event_id": event.event_id})
            )

    def stats(self) -> OutboxStats:
        self._fail_if_down()
        pending = [event for event in self.events.values() if event.stream_key not in self.parked]
        oldest = START if pending else self.clock.now()
        return OutboxStats(len(pending), oldest.timestamp(), len(self.parked))

    def release(self, owner: UUID, *, retry_after: float = 0.0) -> None:
        self._fail_if_down()
        for shard in self.shards.values():
            if shard.owner == owner:
                shard.owner = None
                shard.lease_until = float("-inf")
                if retry_after:
                    shard.retry_at = self.clock.monotonic() + retry_after

    def close(self) -> None:
        """There is nothing to close."""

    def _fail_if_down(self) -> None:
        if self.down:
            raise Unavailable("the database is down", code="database-unavailable")
