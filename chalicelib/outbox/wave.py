"""The wave: the events that a run of the relay has fetched and not yet sent, in order of id."""

from collections.abc import Collection, Iterable, Sequence

from chalicelib.outbox.batching import BatchPlan, plan
from chalicelib.outbox.envelope import PendingEvent
from chalicelib.outbox.leases import Leases
from chalicelib.outbox.ports import Publisher
from chalicelib.outbox.run import RelayRun


class Wave:
    """A bounded buffer of events, the streams that may not be sent now, and suspected events."""

    def __init__(self, run: RelayRun) -> None:
        """Start empty."""
        self._run = run
        self._events: dict[int, PendingEvent] = {}
        self._held_until: dict[str, float] = {}
        self._max_batch_size: dict[int, int] = {}

    @property
    def is_empty(self) -> bool:
        """Return whether no event is buffered."""
        return not self._events

    @property
    def holds_streams(self) -> bool:
        """Return whether any stream is held back for a while."""
        return bool(self._held_until)

    @property
    def has_sendable(self) -> bool:
        """Return whether any buffered event belongs to a stream that is not held back."""
        return any(event.stream_key not in self._held_until for event in self._events.values())

    def fetch(self, leases: Leases, excluded_ids: Collection[int]) -> None:
        """Fill the buffer up to one wave, from the lowest id, in one snapshot.

        `excluded_ids` are events that are being sent, or were acknowledged and not yet marked.
        """
        policy = self._run.policy
        now = self._run.clock.monotonic()
        self._held_until = {
            stream: until for stream, until in self._held_until.items() if until > now
        }
        free_rows = policy.wave_rows - len(self._events)
        buffered_bytes = sum(len(event.payload) for event in self._events.values())
        free_bytes = policy.wave_bytes - buffered_bytes
        if not leases.shards or free_rows <= 0 or free_bytes <= 0:
            return
        events = self._run.store.fetch(
            leases.owner,
            leases.shards,
            max_rows=free_rows,
            max_bytes=free_bytes,
            excluded_ids=[*self._events, *excluded_ids],
            held_streams=list(self._held_until),
        )
        for event in events:
            self._events[event.id] = event

    def plan(self, publisher: Publisher) -> BatchPlan:
        """Choose the events that may be sent now."""
        return plan(
            self._events.values(),
            publisher.partition_of,
            batch_bytes=self._run.policy.batch_bytes,
            held=self._held_until,
            max_batch_size=self._max_batch_size,
        )

    def remove(self, events: Iterable[PendingEvent]) -> None:
        """Take `events` out, because they have been sent."""
        for event in events:
            del self._events[event.id]

    def clear(self) -> None:
        """Drop every buffered event; it is fetched again. Holds and suspicions stay."""
        self._events.clear()

    def hold(self, stream_key: str, seconds: float) -> None:
        """Hold a stream back for `seconds`, and drop its events from the buffer."""
        self._held_until[stream_key] = self._run.clock.monotonic() + seconds
        self._events = {
            event.id: event for event in self._events.values() if event.stream_key != stream_key
        }

    def suspect(self, events: Sequence[PendingEvent]) -> None:
        """Put events of a refused record batch back, to be sent in batches of half the size.

        Halving ends with the event at fault alone in its record batch.
        """
        for event in events:
            previous_size = min(self._max_batch_size.get(event.id, len(events)), len(events))
            self._max_batch_size[event.id] = max(1, previous_size // 2)
        sendable = [
            event
            for event in (*events, *self._events.values())
            if event.stream_key not in self._held_until
        ]
        self._events = {event.id: event for event in sorted(sendable)}

    def clear_suspicion(self, event_id: int) -> None:
        """Send the event in batches of any size again."""
        self._max_batch_size.pop(event_id, None)
