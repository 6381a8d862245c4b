"""Delivery: sends batches to the broker, and records what became of each event."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from chalicelib.outbox.envelope import PendingEvent
from chalicelib.outbox.ports import (
    Acknowledged,
    Outcome,
    Publisher,
    Refused,
    SentBatch,
    Unreachable,
)
from chalicelib.outbox.run import RelayRun
from chalicelib.outbox.wave import Wave
from chalicelib.telemetry import logs, names

MIN_WAIT_SECONDS = 0.05


class BrokerFailure(Exception):
    """The broker did not answer, or its answer blames itself; no event is at fault."""


@dataclass(frozen=True, slots=True)
class EventsInFlight:
    """Events that have been sent, and when, on the monotonic clock."""

    events: Sequence[PendingEvent]
    batch: SentBatch
    sent_at: float


class Delivery:
    """The publisher of one run, and the acknowledgements that are not yet marked.

    `failures` counts failures of broker or database in a row; a batch that is acknowledged
    in full ends the row.
    """

    def __init__(self, run: RelayRun, publishers: Callable[[], Publisher], wave: Wave) -> None:
        """Send through a publisher that `publishers` makes, a new one after each failure."""
        self.failures = 0
        self._run = run
        self._publishers = publishers
        self._wave = wave
        self._publisher: Publisher | None = None
        self._unmarked: list[Acknowledged] = []

    @property
    def unmarked_ids(self) -> list[int]:
        """Return the ids of events that are acknowledged and not yet marked."""
        return [acknowledgement.id for acknowledgement in self._unmarked]

    def publisher(self) -> Publisher:
        """Return the publisher, made when first needed."""
        if self._publisher is None:
            self._publisher = self._publishers()
        return self._publisher

    def discard_publisher(self) -> None:
        """Close the publisher, if there is one; the next batch gets a new one."""
        if self._publisher is not None:
            self._publisher.close()
            self._publisher = None

    def send(self, events: Sequence[PendingEvent]) -> EventsInFlight:
        """Send `events` as one batch, and take them out of the wave."""
        sent_at = self._run.clock.monotonic()
        batch = self.publisher().send(events)
        self._wave.remove(events)
        return EventsInFlight(events, batch, sent_at)

    def wait(self, in_flight: EventsInFlight) -> None:
        """Wait for the outcomes of a batch, and act on each.

        Raises:
            BrokerFailure: the broker left the outcome of an event open.
            errors.Unavailable: the database cannot be reached.
        """
        run = self._run
        events = in_flight.events
        limit = min(run.policy.delivery_timeout_seconds, run.seconds_left())
        outcomes = in_flight.batch.wait(max(MIN_WAIT_SECONDS, limit))
        self._observe(in_flight)
        acknowledged = [item for item in outcomes if isinstance(item, Acknowledged)]
        self._acknowledge(acknowledged)
        if len(acknowledged) == len(events):
            self.failures = 0
            return
        self.discard_publisher()
        self._handle_refusals(events, outcomes)
        for outcome in outcomes:
            if isinstance(outcome, Unreachable):
                raise BrokerFailure(outcome.reason)

    def mark(self) -> None:
        """Move acknowledged events to the archive.

        They are kept in memory until that succeeds: an acknowledged event is not sent again.

        Raises:
            errors.Unavailable: the database cannot be reached.
        """
        if not self._unmarked:
            return
        run = self._run
        started = run.clock.monotonic()
        run.store.mark(self._unmarked)
        seconds = run.clock.monotonic() - started
        run.report.mark_seconds += seconds
        run.meter.observe(names.OUTBOX_MARK_SECONDS, seconds)
        self._unmarked = []

    def refuse(self, event: PendingEvent, reason: str) -> None:
        """Count a refusal, hold the event's stream back, and park it after too many.

        Raises:
            errors.Unavailable: the database cannot be reached.
        """
        run = self._run
        attempts = run.store.refuse(event, reason)
        run.report.refused += 1
        run.meter.count(names.OUTBOX_REFUSED)
        details: dict[str, Any] = {
            "event_id": event.event_id,
            "stream_key": event.stream_key,
            "topic": event.topic,
            "reason": reason,
        }
        logs.warning(names.RELAY_EVENT_REFUSED, attempts=attempts, **details)
        pause = run.policy.backoff(attempts)
        if attempts >= run.policy.max_attempts:
            run.store.park(event, reason)
            run.report.parked += 1
            run.meter.count(names.OUTBOX_PARKED)
            logs.error(names.RELAY_STREAM_PARKED, attempts=attempts, **details)
        self._wave.hold(event.stream_key, pause)

    def _observe(self, in_flight: EventsInFlight) -> None:
        run = self._run
        size = len(in_flight.events)
        seconds = run.clock.monotonic() - in_flight.sent_at
        run.report.batches += 1
        run.report.largest_batch = max(run.report.largest_batch, size)
        run.report.publish_seconds += seconds
        run.meter.observe(names.OUTBOX_PUBLISH_SECONDS, seconds)
        run.meter.observe(names.OUTBOX_BATCH_SIZE, size)

    def _acknowledge(self, acknowledged: list[Acknowledged]) -> None:
        self._unmarked += acknowledged
        self._run.report.published += len(acknowledged)
        self._run.meter.count(names.OUTBOX_PUBLISHED, len(acknowledged))
        for acknowledgement in acknowledged:
            self._wave.clear_suspicion(acknowledgement.id)

    def _handle_refusals(self, events: Sequence[PendingEvent], outcomes: Sequence[Outcome]) -> None:
        suspects = []
        for event, outcome in zip(events, outcomes, strict=True):
            if not isinstance(outcome, Refused):
                continue
            if outcome.alone:
                self.refuse(event, outcome.reason)
            else:
                suspects.append(event)
        self._wave.suspect(suspects)
