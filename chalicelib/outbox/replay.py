"""Replays: published events are sent again from the archive, at a bounded rate.

Each record keeps its event id and its sequence number, and has a `replay` header with the
replay's id. Events are read page by page in the order of the keyset `(published_at, id)`. The
position is saved after a page was acknowledged, so a replayer that dies repeats at most one
page.
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
    """The next events of a replay, with its `replay` header set, and the position after them."""

    replay_id: UUID
    events: list[PendingEvent]
    position: tuple[str, int]


class ReplayStore(Protocol):
    """The open replays, and the archive."""

    def take(self, *, rows: int, seconds: float) -> Page | None:
        """Lease the oldest open replay for `seconds`; return its next page, None without one."""
        ...

    def advance(self, page: Page) -> None:
        """Save that `page` was sent; an empty page completes its replay."""
        ...

    def release(self, replay_id: UUID) -> None:
        """Give the lease back."""
        ...

    def close(self) -> None:
        """Close the connection."""
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
        """Replay from `store` to a publisher that `publishers` makes when there is work."""
        self._store = store
        self._publishers = publishers
        self._clock = clock
        self._policy = policy or ReplayPolicy()

    def run(self, seconds: float) -> int:
        """Replay for up to `seconds`, or until nothing is left; return how many events were sent.

        A failure of broker or database ends the run; the next one goes on from the saved
        position.
        """
        ends_at = self._clock.monotonic() + seconds
        sent = 0
        publisher = None
        page = None
        try:
            while self._clock.monotonic() < ends_at:
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
                self._keep_rate(len(page.events), started, ends_at)
        except Unavailable as error:
            logs.warning(names.REPLAY_TROUBLE, reason=error.detail)
        finally:
            self._finish(publisher, page)
        return sent

    def _keep_rate(self, events: int, started: float, ends_at: float) -> None:
        """Sleep so long that `events` since `started` do not exceed the rate."""
        elapsed = self._clock.monotonic() - started
        pause = events / self._policy.events_per_second - elapsed
        if pause > 0:
            left = max(0.0, ends_at - self._clock.monotonic())
            self._clock.sleep(min(pause, left))

    def _send(self, publisher: Publisher, events: list[PendingEvent]) -> bool:
        """Send a page in batches; return whether every event was acknowledged or rejected."""
        waiting = {event.id: event for event in events}
        while waiting:
            batch_plan = plan(
                waiting.values(), publisher.partition_of, batch_bytes=self._policy.batch_bytes
            )
            # The broker took the event once, but its topic may have been deleted since.
            for event, refusal in batch_plan.rejected:
                logs.warning(names.REPLAY_TROUBLE, event_id=event.event_id, reason=refusal.reason)
                del waiting[event.id]
            if batch_plan.unreachable:
                return False
            if batch_plan.included:
                batch = publisher.send(batch_plan.included)
                outcomes = batch.wait(self._policy.delivery_timeout_seconds)
                if not all(isinstance(outcome, Acknowledged) for outcome in outcomes):
                    return False
                for event in batch_plan.included:
                    del waiting[event.id]
        return True

    def _finish(self, publisher: Publisher | None, page: Page | None) -> None:
        if publisher is not None:
            publisher.close()
        try:
            if page is not None:
                self._store.release(page.replay_id)
        except Unavailable as error:
            logs.warning(names.REPLAY_TROUBLE, reason=error.detail)
        self._store.close()
