"""Replaying: published events are sent again, from the archive, at a bounded rate, marked as what they are.

Each record keeps its event id, its sequence number and its place in the keyset
`(published_at, id)`, and has a `replay` header with the replay's id. The position is saved
after each page was acknowledged: a replayer that dies repeats at most one page.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from chalicelib.outbox.batching import plan
from chalicelib.outbox.envelope import PendingEvent
from chalicelib.outbox.policy import ReplayPolicy
from chalicelib.outbox.ports import Acknowledged, Publisher
from chalicelib.shared.clock import Clock
from chalicelib.shared.errors import Unavailable
from chalicelib.telemetry import logs, names


@dataclass(frozen=True, slots=True)
class Page:
    """The next events of a replay, with its `replay` header on, and the position after them."""

    replay_id: UUID
    events: list[PendingEvent]
    position: tuple[str, int]


class ReplayStore(Protocol):
    """The replays that wait, and the archive."""

    def take(self, *, rows: int, seconds: float) -> Page | None:
        """Lease the oldest open replay for `seconds` and return its next page; None where there is nothing to do."""
        ...

    def advance(self, page: Page) -> None:
        """Save that `page` was sent; an empty page ends its replay."""
        ...

    def yield_back(self, replay_id: UUID) -> None:
        """Give the lease back."""
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...


class Replayer:
    """Carries out replays."""

    def __init__(
        self,
        store: ReplayStore,
        publishers: Callable[[], Publisher],
        clock: Clock,
        policy: ReplayPolicy | None = None,
    ) -> None:
        """Replay from `store` to a publisher that `publishers` makes, made only when there is work."""
        self._store = store
        self._publishers = publishers
        self._clock = clock
        self._policy = policy or ReplayPolicy()

    def run(self, seconds: float) -> int:
        """Replay for up to `seconds`, or until nothing is left; return how many events were sent.

        Trouble with broker or database ends the run; the next one goes on from the saved
        position.
        """
        until = self._clock.monotonic() + seconds
        sent = 0
        publisher = None
        page = None
        try:
            while self._clock.monotonic() < until:
                started = self._clock.monotonic()
                page = self._store.take(
                    rows=self._policy.page_rows, seconds=self._policy.lease_seconds
                )
                if page is None:
                    break
                publisher = publisher or self._publishers()
                if not self._send(publisher, page.events):
                    logs.warning(names.REPLAY_TROUBLE, replay_id=str(page.replay_id))
                    break
                self._store.advance(page)
                sent += len(page.events)
                spare = len(page.events) / self._policy.events_per_second - (
                    self._clock.monotonic() - started
                )
                if spare > 0:
                    self._clock.sleep(min(spare, max(0.0, until - self._clock.monotonic())))
        except Unavailable as problem:
            logs.warning(names.REPLAY_TROUBLE, reason=problem.detail)
        finally:
            self._finish(publisher, page)
        return sent

    def _send(self, publisher: Publisher, events: list[PendingEvent]) -> bool:
        """Send a page, in flights; return whether every event that any broker takes was acknowledged."""
        waiting = {event.id: event for event in events}
        while waiting:
            chosen = plan(waiting.values(), publisher.place, batch_bytes=self._policy.batch_bytes)
            for (
                event,
                refusal,
            ) in chosen.rejected:  # it was taken once; now its topic is gone, say
                logs.warning(names.REPLAY_TROUBLE, event_id=event.event_id, reason=refusal.reason)
                del waiting[event.id]
            if chosen.unreachable:
                return False
            if chosen.included:
                outcomes = publisher.launch(chosen.included).land(
                    self._policy.delivery_timeout_seconds
                )
                if not all(isinstance(outcome, Acknowledged) for outcome in outcomes):
                    return False
                for event in chosen.included:
                    del waiting[event.id]
        return True

    def _finish(self, publisher: Publisher | None, page: Page | None) -> None:
        if publisher is not None:
            publisher.close()
        try:
            if page is not None:
                self._store.yield_back(page.replay_id)
        except Unavailable as problem:
            logs.warning(names.REPLAY_TROUBLE, reason=problem.detail)
        self._store.close()
