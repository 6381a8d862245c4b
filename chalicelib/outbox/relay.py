"""The relay: moves committed events from the outbox to the broker.

It leases shards, and then works in turns: send a batch; while the batch is on its way, mark
the previous one and fetch the next; wait for its outcomes. What it guarantees:

- An event is marked only after the broker acknowledged it (at least once).
- Within a stream, an event is sent only after everything before it was acknowledged, or in
  the same record batch (order).
- A failure of the broker costs no event an attempt (nothing is dropped).
- A refused event stops its own stream alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict

from chalicelib.outbox.delivery import BrokerFailure, Delivery
from chalicelib.outbox.envelope import PendingEvent
from chalicelib.outbox.leases import Leases
from chalicelib.outbox.policy import RelayPolicy, RelayReport
from chalicelib.outbox.ports import OutboxStore, Publisher
from chalicelib.outbox.run import RelayRun
from chalicelib.outbox.wave import Wave
from chalicelib.shared.clock import Clock
from chalicelib.shared.errors import Unavailable
from chalicelib.telemetry import logs, names
from chalicelib.telemetry.meter import Meter

COUNTERS = (
    names.OUTBOX_PUBLISHED,
    names.OUTBOX_REFUSED,
    names.OUTBOX_PARKED,
    names.OUTBOX_LEASE_MISSES,
)
"""Counters that every run reports, if only as zero: an alert needs a series that exists."""


class Relay:
    """Runs the relay, once for each invocation of its function."""

    def __init__(
        self,
        store: OutboxStore,
        publishers: Callable[[], Publisher],
        clock: Clock,
        policy: RelayPolicy,
        meter: Meter,
    ) -> None:
        """Relay from `store` to a publisher that `publishers` makes, a new one after a failure."""
        self._store = store
        self._publishers = publishers
        self._clock = clock
        self._policy = policy
        self._meter = meter

    def run(self, seconds: float, *, until_idle: bool = False) -> RelayReport:
        """Relay for `seconds`, and return what was done.

        With `until_idle` the run ends as soon as its shards have nothing left to send. A
        failure of broker or database is waited out, with backoff, within `seconds`.
        """
        for name in COUNTERS:
            self._meter.count(name, 0)
        ends_at = self._clock.monotonic() + seconds
        run = RelayRun(self._store, self._clock, self._policy, self._meter, ends_at)
        loop = _Loop(run, self._publishers)
        try:
            loop.work(until_idle=until_idle)
        finally:
            loop.finish()
        logs.info(names.RELAY_FINISHED, **asdict(run.report))
        return run.report


class _Loop:
    """The loop of one run."""

    def __init__(self, run: RelayRun, publishers: Callable[[], Publisher]) -> None:
        self._run = run
        self._leases = Leases(run)
        self._wave = Wave(run)
        self._delivery = Delivery(run, publishers, self._wave)
        self._measure_at = 0.0
        self._failure_pause = 0.0

    def work(self, *, until_idle: bool) -> None:
        """Do rounds of work until the run's end, pausing when idle and after a failure."""
        policy = self._run.policy
        idle_pause = policy.poll_seconds
        while self._run.seconds_left() > 0:
            self._failure_pause = 0.0
            worked = self._attempt_round()
            pause = self._failure_pause
            if worked:
                idle_pause = policy.poll_seconds / policy.eagerness
            elif pause == 0.0:
                if until_idle and self._leases.shards and not self._wave.holds_streams:
                    break
                pause = idle_pause
                idle_pause = min(policy.poll_seconds, 2 * idle_pause)
            if pause:
                self._run.clock.sleep(min(pause, max(0.0, self._run.seconds_left())))

    def finish(self) -> None:
        """Give everything back, and measure once more."""
        self._delivery.discard_publisher()
        self._give_back()
        try:
            self._measure()
        except Unavailable:
            self._run.meter.flush()
        self._run.store.close()

    def _attempt_round(self) -> bool:
        """Do one round of work; return whether anything was sent or refused."""
        try:
            self._delivery.mark()
            self._leases.claim()
            worked = self._drain()
            self._measure_at_intervals()
            return worked
        except Unavailable as error:
            self._run.report.store_troubles += 1
            self._back_off(names.RELAY_STORE_TROUBLE, error.detail)
            self._leases.forget()
        except BrokerFailure as error:
            self._run.report.broker_troubles += 1
            self._back_off(names.RELAY_BROKER_TROUBLE, str(error))
            self._give_back(self._failure_pause)
        return False

    def _drain(self) -> bool:
        """Send batches until nothing is left to send now, or the time is up.

        Returns whether anything was sent or refused.
        """
        worked = False
        self._fetch()
        while not self._wave.is_empty and self._run.seconds_left() > 0:
            progressed = self._send_batch()
            worked = worked or progressed
            if not progressed:
                self._wave.clear()
                self._fetch()
                if not self._wave.has_sendable:
                    break
        self._delivery.mark()
        return worked

    def _send_batch(self) -> bool:
        """Send one batch; mark and fetch while it is on its way; wait for it.

        Returns whether anything was sent or refused.
        """
        publisher = self._delivery.publisher()
        batch_plan = self._wave.plan(publisher)
        for event, refusal in batch_plan.rejected:
            self._delivery.refuse(event, refusal.reason)
        if not batch_plan.included:
            if batch_plan.unreachable:
                raise BrokerFailure(batch_plan.unreachable.reason)
            return bool(batch_plan.rejected)
        in_flight = self._delivery.send(batch_plan.included)
        try:
            self._delivery.mark()
            self._fetch(in_flight.events)
        finally:
            self._delivery.wait(in_flight)
        return True

    def _fetch(self, in_flight: Sequence[PendingEvent] = ()) -> None:
        excluded_ids = [event.id for event in in_flight]
        excluded_ids += self._delivery.unmarked_ids
        self._wave.fetch(self._leases, excluded_ids)

    def _back_off(self, action: str, reason: str) -> None:
        """Drop publisher and buffer after a failure, and pause longer with each one in a row."""
        self._delivery.discard_publisher()
        self._wave.clear()
        self._delivery.failures += 1
        self._failure_pause = self._run.policy.backoff(self._delivery.failures)
        logs.warning(action, reason=reason, retry_in_seconds=self._failure_pause)

    def _give_back(self, retry_after: float = 0.0) -> None:
        """Release every shard; if the database cannot be reached, the leases expire instead."""
        try:
            self._delivery.mark()
            self._leases.give_back(retry_after)
        except Unavailable as error:
            logs.warning(names.RELAY_STORE_TROUBLE, reason=error.detail, retry_in_seconds=0)
        self._leases.forget()

    def _measure_at_intervals(self) -> None:
        """Measure now and then: it costs a count of the pending events."""
        if self._run.clock.monotonic() >= self._measure_at:
            self._measure()

    def _measure(self) -> None:
        """Report the state of the outbox, and flush the meter."""
        run = self._run
        self._measure_at = run.clock.monotonic() + run.policy.measure_seconds
        stats = run.store.stats()
        run.meter.gauge(names.OUTBOX_PENDING, stats.pending)
        run.meter.gauge(names.OUTBOX_OLDEST_PENDING, stats.oldest_timestamp)
        run.meter.gauge(names.OUTBOX_PARKED_STREAMS, stats.parked_streams)
        run.meter.flush()
