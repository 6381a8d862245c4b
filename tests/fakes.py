"""One fake for each port. They pass the same contract suites as the real adapters."""

import json
import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, ClassVar, Generic, TypeVar
from uuid import UUID

from chalicelib.credentials import Reference
from chalicelib.crm.events import Event
from chalicelib.crm.model import Account, Contact, Entity, Job
from chalicelib.crm.paging import Query
from chalicelib.errors import AetherLinkError, Conflict, FieldError, Misconfigured, Unavailable, Unprocessable
from chalicelib.ids import uuid7
from chalicelib.messaging.envelope import DEAD_LETTER_PREFIX, PendingEvent
from chalicelib.messaging.idempotency import (
    KEPT_SECONDS,
    AlreadyDone,
    Claim,
    Claimed,
    Finished,
    OnceKey,
    Running,
    StoredAnswer,
)
from chalicelib.messaging.ports import Acknowledged, Outcome, Refused, Standing, Unreachable

E = TypeVar("E", bound=Entity)
START = datetime(2030, 1, 1, tzinfo=UTC)


class FakeClock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.on_sleep: Callable[[], None] = lambda: None

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += max(seconds, 0.001)
        self.on_sleep()


class FakeMeter:
    """Remembers every measurement."""

    def __init__(self) -> None:
        self.counts: dict[str, float] = defaultdict(float)
        self.gauges: dict[str, float] = {}
        self.observed: dict[str, list[float]] = defaultdict(list)
        self.flushes = 0

    def count(self, name: str, times: float = 1) -> None:
        self.counts[name] += times

    def gauge(self, name: str, value: float) -> None:
        self.gauges[name] = value

    def observe(self, name: str, value: float) -> None:
        self.observed[name].append(value)

    def flush(self) -> None:
        self.flushes += 1


@dataclass
class Memory:
    """What in-memory units of work share: rows by kind and id, and the events that were committed."""

    rows: dict[type[Entity], dict[UUID, Any]] = field(default_factory=lambda: defaultdict(dict))
    events: list[Event] = field(default_factory=list)


class FakeRepository(Generic[E]):
    searched: ClassVar = {
        Account: ("name", "industry", "website"),
        Contact: ("name", "email", "title"),
        Job: ("title", "description"),
    }

    def __init__(self, memory: Memory, kind: type[E], tenant_id: UUID) -> None:
        self._memory, self._kind, self._tenant_id = memory, kind, tenant_id

    @property
    def _rows(self) -> dict[UUID, E]:
        return {i: row for i, row in self._memory.rows[self._kind].items() if row.tenant_id == self._tenant_id}

    def add(self, entity: E) -> None:
        self._check(entity)
        self._memory.rows[self._kind][entity.id] = entity

    def get(self, entity_id: UUID, *, lock: bool = False) -> E | None:
        return self._rows.get(entity_id)

    def save(self, entity: E) -> None:
        self._check(entity)
        self._memory.rows[self._kind][entity.id] = entity

    def remove(self, entity_id: UUID) -> None:
        for kind, name in ((Contact, "account_id"), (Job, "account_id"), (Job, "contact_id")):
            refers = self._kind is (Account if name == "account_id" else Contact)
            if refers and any(getattr(row, name) == entity_id for row in self._memory.rows[kind].values()):
                raise Conflict("referred to", code="still-referenced")
        del self._memory.rows[self._kind][entity_id]

    def find(self, query: Query) -> list[E]:
        def wanted(row: E) -> bool:
            for name, value in query.filters.items():
                found = str(getattr(row, name) or "")
                if (found.lower() != value.lower()) if name == "email" else (found != value):
                    return False
            texts = [getattr(row, name) or "" for name in self.searched[self._kind]]
            return query.search is None or any(query.search.lower() in text.lower() for text in texts)

        rows = sorted(filter(wanted, self._rows.values()), key=lambda row: (row.created_at, row.id))
        if query.descending:
            rows.reverse()
        if query.after:
            end = (query.after.created_at, query.after.id)
            rows = [r for r in rows if ((r.created_at, r.id) < end if query.descending else (r.created_at, r.id) > end)]
        return rows[: query.limit + 1]

    def referring(self, field: str, entity_id: UUID, *, limit: int) -> list[E]:
        rows = [row for row in self._rows.values() if getattr(row, field) == entity_id]
        return sorted(rows, key=lambda row: row.id)[:limit]

    def _check(self, entity: E) -> None:
        known = {
            kind: {i for i, r in rows.items() if r.tenant_id == self._tenant_id}
            for kind, rows in self._memory.rows.items()
        }
        for name, kind, wire in (("account_id", Account, "accountId"), ("contact_id", Contact, "contactId")):
            value = getattr(entity, name, None)
            if value is not None and value not in known.get(kind, ()):
                raise Unprocessable("unknown", code="unknown-reference", errors=[FieldError(wire, "names nothing")])
        email = getattr(entity, "email", None)
        others = [getattr(row, "email", None) for row in self._rows.values() if row.id != entity.id]
        if email and email.lower() in [other.lower() for other in others if other]:
            raise Conflict("taken", code="already-taken", errors=[FieldError("email", "another contact has it")])


class FakeUnitOfWork:
    """A transaction over `Memory`: what is not committed is gone."""

    def __init__(self, memory: Memory, tenant_id: UUID) -> None:
        self._memory, self._tenant_id = memory, tenant_id
        self._work = memory
        self._recorded: list[Event] = []

    @property
    def tenant_id(self) -> UUID:
        return self._tenant_id

    @property
    def accounts(self) -> Any:
        return _Late(self, Account)

    @property
    def contacts(self) -> Any:
        return _Late(self, Contact)

    @property
    def jobs(self) -> Any:
        return _Late(self, Job)

    def record(self, event: Event) -> None:
        self._recorded.append(event)

    def commit(self, result: Entity | None = None) -> None:
        self._memory.rows = self._work.rows
        self._memory.events += self._recorded
        self._recorded = []

    def __enter__(self) -> "FakeUnitOfWork":
        self._work = Memory(rows=deepcopy(self._memory.rows))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._recorded = []


class _Late:
    """A repository of whatever transaction is open when it is used."""

    def __init__(self, uow: FakeUnitOfWork, kind: type[Any]) -> None:
        self._uow, self._kind = uow, kind

    def __getattr__(self, name: str) -> Any:
        return getattr(FakeRepository(self._uow._work, self._kind, self._uow.tenant_id), name)


@dataclass
class _Shard:
    owner: UUID | None = None
    lease_until: float = float("-inf")
    retry_at: float = float("-inf")


class FakeOutbox:
    """An `OutboxStore` in memory. `down` makes every call fail as an unreachable database does."""

    def __init__(self, clock: FakeClock, shards: int = 4) -> None:
        self.clock = clock
        self.shards = {number: _Shard() for number in range(shards)}
        self.events: dict[int, PendingEvent] = {}
        self.parked: dict[str, str] = {}
        self.archive: list[PendingEvent] = []
        self.last_seq: dict[str, int] = defaultdict(int)
        self.down = False
        self._next_id = 1

    def append(self, stream_key: str, *, topic: str = "t", payload: bytes = b"{}", shard: int = 0) -> PendingEvent:
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
        self._answer()
        now = self.clock.monotonic()
        own = [n for n, s in self.shards.items() if s.owner == owner]
        free = [n for n, s in self.shards.items() if s.owner != owner and s.lease_until < now and s.retry_at <= now]
        taken = (own + free)[:limit]
        for number in taken:
            self.shards[number].owner, self.shards[number].lease_until = owner, now + seconds
        return taken

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
        self._answer()
        now = self.clock.monotonic()
        found: list[PendingEvent] = []
        for event in sorted(self.events.values()):
            shard = self.shards[event.shard]
            leased = event.shard in shards and shard.owner == owner and shard.lease_until > now
            if (
                leased
                and event.stream_key not in self.parked
                and event.stream_key not in held
                and event.id not in known
            ):
                found.append(event)
        total = 0
        taken: list[PendingEvent] = []
        for event in found[:rows]:
            total += len(event.payload)
            if taken and total > size:
                break
            taken.append(event)
        return taken

    def mark(self, acknowledged: Sequence[Acknowledged]) -> int:
        self._answer()
        gone = [self.events.pop(one.id) for one in acknowledged if one.id in self.events]
        self.archive += gone
        return len(gone)

    def refuse(self, event: PendingEvent, reason: str) -> int:
        self._answer()
        stored = self.events[event.id]
        self.events[event.id] = stored._replace(attempts=stored.attempts + 1)
        return stored.attempts + 1

    def park(self, event: PendingEvent, reason: str) -> None:
        self._answer()
        self.parked[event.stream_key] = reason
        if not event.is_dead_letter:
            copy = self.append(
                DEAD_LETTER_PREFIX + event.stream_key, topic="dlq", payload=event.payload, shard=event.shard
            )
            self.events[copy.id] = copy._replace(headers=json.dumps({"dlq_event_id": event.event_id}))

    def standing(self) -> Standing:
        self._answer()
        waiting = [event for event in self.events.values() if event.stream_key not in self.parked]
        return Standing(len(waiting), START.timestamp() if waiting else self.clock.now().timestamp(), len(self.parked))

    def release(self, owner: UUID, *, retry_after: float = 0.0) -> None:
        self._answer()
        for shard in self.shards.values():
            if shard.owner == owner:
                shard.owner, shard.lease_until = None, float("-inf")
                if retry_after:
                    shard.retry_at = self.clock.monotonic() + retry_after

    def close(self) -> None:
        """Nothing to let go of."""

    def _answer(self) -> None:
        if self.down:
            raise Unavailable("the database is down", code="database-unavailable")


class FakeBroker:
    """What publishers of one broker share: the log, and what goes wrong."""

    def __init__(self) -> None:
        self.log: list[PendingEvent] = []
        self.flights: list[list[PendingEvent]] = []
        self.unreachable = False
        self.lost_acknowledgements = 0
        self.refuses: Callable[[PendingEvent], bool] = lambda _: False
        self.unplaceable: Callable[[PendingEvent], bool] = lambda _: False
        self.on_launch: Callable[[], None] = lambda: None
        self.publishers = 0
        self.lock = threading.Lock()

    def publisher(self) -> "FakePublisher":
        self.publishers += 1
        return FakePublisher(self)


class FakePublisher:
    def __init__(self, broker: FakeBroker) -> None:
        self._broker, self.closed = broker, False

    def place(self, event: PendingEvent) -> Any:
        if self._broker.unreachable:
            return Unreachable("nobody answers")
        if self._broker.unplaceable(event):
            return Refused("no such topic", alone=True)
        return event.topic, sum(event.key) % 3

    def launch(self, events: Sequence[PendingEvent]) -> "FakeFlight":
        assert not self.closed, "a publisher that saw trouble must not be used on"
        self._broker.flights.append(list(events))
        batches: dict[Any, list[PendingEvent]] = defaultdict(list)
        for event in events:
            batches[self.place(event)].append(event)
        outcomes: dict[int, Outcome] = {}
        for batch in batches.values():
            refused = [event for event in batch if self._broker.refuses(event)]
            for event in batch:
                if self._broker.unreachable:
                    outcomes[event.id] = Unreachable("no answer")
                elif refused:
                    outcomes[event.id] = Refused("invalid record", alone=len(batch) == 1)
                else:
                    self._broker.log.append(event)
                    outcomes[event.id] = Acknowledged(event.id, event.event_id, 0, len(self._broker.log))
                    if self._broker.lost_acknowledgements:
                        self._broker.lost_acknowledgements -= 1
                        outcomes[event.id] = Unreachable("acknowledgement lost")
        self._broker.on_launch()
        return FakeFlight([outcomes[event.id] for event in events])

    def close(self) -> None:
        self.closed = True


@dataclass
class FakeFlight:
    outcomes: list[Outcome]

    def land(self, timeout: float) -> list[Outcome]:
        return self.outcomes


@dataclass
class _Lease:
    owner: UUID
    request_hash: str
    until: float
    expires: float
    answer: StoredAnswer | None = None
    done: bool = False


class FakeLeases:
    """A `LeaseStore` in memory."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock, self.down = clock, False
        self.records: dict[str, _Lease] = {}

    def claim(self, key: OnceKey, owner: UUID, *, lease_seconds: float) -> Claim:
        self._answer()
        now, found = self.clock(), self.records.get(key.partition_key)
        if found and found.expires > now and (found.done or found.until > now):
            if found.done:
                return Finished(found.request_hash, found.answer)
            return Running(found.request_hash, found.until - now)
        self.records[key.partition_key] = _Lease(owner, key.request_hash, now + lease_seconds, now + KEPT_SECONDS)
        return Claimed()

    def finish(self, key: OnceKey, owner: UUID, answer: StoredAnswer | None) -> bool:
        self._answer()
        found = self.records.get(key.partition_key)
        if not found or found.owner != owner or found.done:
            return False
        found.done, found.answer = True, answer
        return True

    def release(self, key: OnceKey, owner: UUID) -> bool:
        self._answer()
        found = self.records.get(key.partition_key)
        if not found or found.owner != owner or found.done:
            return False
        del self.records[key.partition_key]
        return True

    def _answer(self) -> None:
        if self.down:
            raise Unavailable("away", cause="test")


class FakeLedger:
    """A `Ledger` in memory; `business` is one transaction: the effect and the note, or neither."""

    def __init__(self) -> None:
        self.rows: dict[str, Finished] = {}
        self.effects: list[str] = []

    def find(self, key: OnceKey) -> Finished | None:
        return self.rows.get(key.partition_key)

    def business(self, key: OnceKey, answer: StoredAnswer) -> StoredAnswer:
        if key.partition_key in self.rows:
            raise AlreadyDone("before")
        self.rows[key.partition_key] = Finished(key.request_hash, answer)
        self.effects.append(key.key)
        return answer


class FakeCounters:
    """`Counters` in memory; `problem` is raised instead of counting."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = defaultdict(int)
        self.problem: AetherLinkError | None = None

    def add(self, key: str, *, expires_at: int) -> int:
        if self.problem:
            raise self.problem
        self.counts[key] += 1
        return self.counts[key]


class FakeSecrets:
    """A `SecretStore` in memory; `problem` is raised instead of answering."""

    def __init__(self) -> None:
        self.kept: dict[str, list[str]] = {}
        self.problem: AetherLinkError | None = None
        self.fetched = 0
        self.overlapping = True

    def later(self, seconds: float) -> None:
        self.overlapping = False

    def put(self, name: str, text: str) -> None:
        self.kept.setdefault(name, []).insert(0, text)

    def fetch(self, reference: Reference, *, overlapping: bool) -> tuple[str, ...]:
        self.fetched += 1
        if self.problem:
            raise self.problem
        if reference.name not in self.kept:
            raise Misconfigured(f"{reference} cannot be read: there is none.")
        texts = self.kept[reference.name][: 2 if overlapping and self.overlapping else 1]
        return tuple(value for text in texts for value in reference.values(text))
