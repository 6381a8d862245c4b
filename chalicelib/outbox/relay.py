"""The relay: moves committed events from the outbox to the broker.

It leases shards, then turns: launch a flight; while it is in the air, mark the last one and
fetch the next; land it. Guarantees: an event is marked only after the broker acknowledged
it (at least once); within a stream nothing is sent before everything ahead of it was
acknowledged or flies in the same batch (order); trouble with the broker costs no event an
attempt (nothing dropped); a refused event stops its own stream alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import UUID

from chalicelib.outbox.batching import plan
from chalicelib.outbox.envelope import PendingEvent
from chalicelib.outbox.policy import RelayPolicy, RelayReport
from chalicelib.outbox.ports import (
    Acknowledged,
    OutboxStore,
    Publisher,
    Refused,
    SentBatch,
    Unreachable,
)
from chalicelib.shared.clock import Clock
from chalicelib.shared.errors import Unavailable
from chalicelib.shared.ids import uuid7
from chalicelib.telemetry import logs, names
from chalicelib.telemetry.meter import Meter


@dataclass(slots=True)
class _State:
    """What one run holds in memory; bounded by two waves."""

    owner: UUID = field(default_factory=uuid7)
    shards: list[int] = field(default_factory=list)
    buffer: dict[int, PendingEvent] = field(default_factory=dict)
    unmarked: list[Acknowledged] = field(default_factory=list)
    held: dict[str, float] = field(default_factory=dict)
    company: dict[int, int] = field(default_factory=dict)
    claim_at: float = 0.0
    measure_at: float = 0.0
    failures: int = 0
    pause: float = 0.0


class _BrokerTrouble(Exception):
    pass


class Relay:
    """One relay run after another; each `run` is one invocation of the function."""

    def __init__(
        self,
        store: OutboxStore,
        publishers: Callable[[], Publisher],
        clock: Clock,
        policy: RelayPolicy,
        meter: Meter,
    ) -> None:
        """Relay from `store` to a publisher that `publishers` makes, anew after each trouble."""
        self._store = store
        self._publishers = publishers
        self._clock = clock
        self._policy = policy
        self._meter = meter
        self._publisher: Publisher | None = None
        self._state = _State()
        self._report = RelayReport()
        self._until = 0.0

    def run(self, seconds: float, *, until_idle: bool = False) -> RelayReport:
        """Relay for `seconds`, or with `until_idle` only until its shards have nothing left to send; report.

        Trouble with broker or database is waited out, with backoff, within `seconds`.
        """
        self._state = _State()
        self._report = RelayReport()
        for name in (
            names.OUTBOX_PUBLISHED,
            names.OUTBOX_REFUSED,
            names.OUTBOX_PARKED,
            names.OUTBOX_LEASE_MISSES,
        ):
            self._meter.count(name, 0)
        self._until = self._clock.monotonic() + seconds
        quiet = self._policy.poll_seconds
        try:
            while self._left() > 0:
                self._state.pause = 0.0
                worked = self._attempt()
                if worked:
                    quiet = self._policy.poll_seconds / self._policy.eagerness
                elif self._state.pause == 0.0:
                    if until_idle and self._state.shards and not self._state.held:
                        break
                    self._state.pause = quiet
                    quiet = min(self._policy.poll_seconds, 2 * quiet)
                if self._state.pause:
                    self._clock.sleep(min(self._state.pause, max(0.0, self._left())))
        finally:
            self._finish()
        logs.info(names.RELAY_FINISHED, **asdict(self._report))
        return self._report

    def _attempt(self) -> bool:
        """Do one round of work; return whether there was any."""
        try:
            self._settle_marks()
            self._claim()
            worked = self._drain()
            self._measure()
            return worked
        except Unavailable as problem:
            self._report.store_troubles += 1
            self._trouble(names.RELAY_STORE_TROUBLE, problem.detail)
            self._state.shards = []
        except _BrokerTrouble as problem:
            self._report.broker_troubles += 1
            self._trouble(names.RELAY_BROKER_TROUBLE, str(problem))
            self._give_back(self._state.pause)
        return False

    def _claim(self) -> None:
        """Lease shards at first, after trouble, and now and then: another relay may have let go of some."""
        now = self._clock.monotonic()
        if self._state.shards and now < self._state.claim_at:
            return
        self._state.claim_at = now + self._policy.claim_seconds
        lease = max(0.0, self._left()) + self._policy.lease_margin_seconds
        claimed = self._store.claim(
            self._state.owner, limit=self._policy.shards_per_run, seconds=lease
        )
        self._state.shards = sorted(claimed)
        if not claimed:
            self._report.lease_misses += 1
            self._meter.count(names.OUTBOX_LEASE_MISSES)

    def _drain(self) -> bool:
        """Turn until nothing is left to send now, or time is up; return whether anything was sent."""
        state = self._state
        worked = False
        self._fetch(())
        while state.buffer and self._left() > 0:
            flown = self._turn()
            worked = worked or flown
            if not flown:
                state.buffer.clear()
                self._fetch(())
                if not self._sendable():
                    break
        self._settle_marks()
        return worked

    def _turn(self) -> bool:
        """Launch one flight, work while it is in the air, land it; return whether anything was done."""
        state = self._state
        publisher = self._ready_publisher()
        chosen = plan(
            state.buffer.values(),
            publisher.place,
            batch_bytes=self._policy.batch_bytes,
            held=state.held,
            company=state.company,
        )
        for event, refusal in chosen.rejected:
            self._refuse(event, refusal.reason)
        if chosen.unreachable and not chosen.included:
            raise _BrokerTrouble(chosen.unreachable.reason)
        if not chosen.included:
            return bool(chosen.rejected)
        launched = self._clock.monotonic()
        flight = publisher.launch(chosen.included)
        for event in chosen.included:
            del state.buffer[event.id]
        try:
            self._settle_marks()
            self._fetch(chosen.included)
        finally:
            self._land(flight, chosen.included, launched)
        return True

    def _land(self, flight: SentBatch, included: Sequence[PendingEvent], launched: float) -> None:
        state = self._state
        report = self._report
        outcomes = flight.land(max(0.05, min(self._policy.delivery_timeout_seconds, self._left())))
        report.batches += 1
        report.largest_batch = max(report.largest_batch, len(included))
        took = self._clock.monotonic() - launched
        report.publish_seconds += took
        self._meter.observe(names.OUTBOX_PUBLISH_SECONDS, took)
        self._meter.observe(names.OUTBOX_BATCH_SIZE, len(included))
        acknowledged = [outcome for outcome in outcomes if isinstance(outcome, Acknowledged)]
        state.unmarked += acknowledged
        report.published += len(acknowledged)
        self._meter.count(names.OUTBOX_PUBLISHED, len(acknowledged))
        for one in acknowledged:
            state.company.pop(one.id, None)
        if len(acknowledged) == len(included):
            state.failures = 0
            return
        self._discard_publisher()
        refused = [
            (event, outcome)
            for event, outcome in zip(included, outcomes, strict=True)
            if isinstance(outcome, Refused)
        ]
        for event, outcome in refused:
            if outcome.alone:
                self._refuse(event, outcome.reason)
        self._suspect([event for event, outcome in refused if not outcome.alone])
        for answer in outcomes:
            if isinstance(answer, Unreachable):
                raise _BrokerTrouble(answer.reason)

    def _suspect(self, events: Sequence[PendingEvent]) -> None:
        """Send refused events again in ever smaller company, until the one at fault is alone."""
        state = self._state
        for event in events:
            state.company[event.id] = max(
                1, min(state.company.get(event.id, len(events)), len(events)) // 2
            )
        waiting = [
            event
            for event in (*events, *state.buffer.values())
            if event.stream_key not in state.held
        ]
        state.buffer = {event.id: event for event in sorted(waiting)}

    def _fetch(self, included: Sequence[PendingEvent]) -> None:
        """Top the buffer up to one wave, from the lowest id, in one snapshot."""
        state = self._state
        policy = self._policy
        now = self._clock.monotonic()
        state.held = {stream: until for stream, until in state.held.items() if until > now}
        room = policy.wave_rows - len(state.buffer)
        space = policy.wave_bytes - sum(len(event.payload) for event in state.buffer.values())
        if not state.shards or room <= 0 or space <= 0:
            return
        known = [
            *state.buffer,
            *(event.id for event in included),
            *(one.id for one in state.unmarked),
        ]
        for event in self._store.fetch(
            state.owner,
            state.shards,
            rows=room,
            size=space,
            known=known,
            held=list(state.held),
        ):
            state.buffer[event.id] = event

    def _settle_marks(self) -> None:
        """Mark what was acknowledged. Kept in memory until it succeeds: acknowledged is acknowledged."""
        if not self._state.unmarked:
            return
        started = self._clock.monotonic()
        self._store.mark(self._state.unmarked)
        took = self._clock.monotonic() - started
        self._report.mark_seconds += took
        self._meter.observe(names.OUTBOX_MARK_SECONDS, took)
        self._state.unmarked = []

    def _refuse(self, event: PendingEvent, reason: str) -> None:
        """Count the refusal, hold the stream back, and park it after too many."""
        attempts = self._store.refuse(event, reason)
        self._report.refused += 1
        self._meter.count(names.OUTBOX_REFUSED)
        about: dict[str, Any] = {
            "event_id": event.event_id,
            "stream_key": event.stream_key,
            "topic": event.topic,
            "reason": reason,
        }
        logs.warning(names.RELAY_EVENT_REFUSED, attempts=attempts, **about)
        pause = self._policy.backoff(attempts)
        if attempts >= self._policy.max_attempts:
            self._store.park(event, reason)
            self._report.parked += 1
            self._meter.count(names.OUTBOX_PARKED)
            logs.error(names.RELAY_STREAM_PARKED, attempts=attempts, **about)
        self._state.held[event.stream_key] = self._clock.monotonic() + pause
        self._state.buffer = {
            one.id: one for one in self._state.buffer.values() if one.stream_key != event.stream_key
        }

    def _measure(self, *, now: bool = False) -> None:
        """Tell how the outbox stands, now and then: it costs a count of what waits."""
        if not now and self._clock.monotonic() < self._state.measure_at:
            return
        self._state.measure_at = self._clock.monotonic() + self._policy.measure_seconds
        stats = self._store.stats()
        self._meter.gauge(names.OUTBOX_PENDING, stats.pending)
        self._meter.gauge(names.OUTBOX_OLDEST_PENDING, stats.oldest)
        self._meter.gauge(names.OUTBOX_PARKED_STREAMS, stats.parked_streams)
        self._meter.flush()

    def _sendable(self) -> bool:
        return any(
            event.stream_key not in self._state.held for event in self._state.buffer.values()
        )

    def _trouble(self, action: str, reason: str) -> None:
        self._discard_publisher()
        self._state.buffer.clear()
        self._state.failures += 1
        self._state.pause = self._policy.backoff(self._state.failures)
        logs.warning(action, reason=reason, retry_in_seconds=self._state.pause)

    def _ready_publisher(self) -> Publisher:
        if self._publisher is None:
            self._publisher = self._publishers()
        return self._publisher

    def _discard_publisher(self) -> None:
        if self._publisher is not None:
            self._publisher.close()
            self._publisher = None

    def _give_back(self, retry_after: float = 0.0) -> None:
        """Release every shard, or leave that to the lease's end where the database cannot be reached."""
        try:
            self._settle_marks()
            self._store.release(self._state.owner, retry_after=retry_after)
        except Unavailable as problem:
            logs.warning(names.RELAY_STORE_TROUBLE, reason=problem.detail, retry_in_seconds=0)
        self._state.shards = []

    def _finish(self) -> None:
        self._discard_publisher()
        self._give_back()
        try:
            self._measure(now=True)
        except Unavailable:
            self._meter.flush()
        self._store.close()

    def _left(self) -> float:
        return self._until - self._clock.monotonic()
