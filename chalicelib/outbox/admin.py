"""What operators may do with the outbox.

They see its backlog, requeue or discard what is parked, and replay what was sent.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Protocol
from uuid import UUID

from chalicelib.shared.schema import Model, Moment, Text

MAX_LISTED = 100
EVENT_TYPE = Annotated[str, Text(100, pattern=r"^[A-Za-z]+$", reason="must consist of letters")]


class Backlog(Model):
    """The state of the outbox. `pending` stops counting at 1,000,001."""

    pending: int
    oldest_age_seconds: float
    parked_streams: int
    parked_events: int


class ParkedStream(Model):
    """A stream that waits for an operator; `event_id` is the event that the broker refused."""

    stream_key: str
    events: int
    event_id: UUID
    event_type: str
    stream_seq: int
    topic: str
    attempts: int
    last_error: str | None
    occurred_at: datetime


class ReplayRequest(Model):
    """Which published events to send again.

    Those of one type, or of all, that were published from `since` until before `until`.
    """

    event_type: EVENT_TYPE | None = None
    since: Moment
    until: Moment


class Replay(Model):
    """A replay and its progress, in events."""

    id: UUID
    event_type: str | None
    since: datetime
    until: datetime
    total: int
    replayed: int
    done: bool


@dataclass(frozen=True, slots=True)
class Operator:
    """Who acts, and for which tenant; None means every tenant, for administrators with a shell."""

    name: str
    tenant_id: UUID | None


class OutboxAdmin(Protocol):
    """Administers the outbox. Every action writes an audit record in the same transaction."""

    def backlog(self, operator: Operator) -> Backlog:
        """Return the state of the operator's part of the outbox."""
        ...

    def parked(
        self, operator: Operator, *, after: str = "", limit: int = MAX_LISTED
    ) -> list[ParkedStream]:
        """Return the first `limit` parked streams whose key is past `after`, by key."""
        ...

    def requeue(self, operator: Operator, stream_key: str) -> int:
        """Send a parked stream again, in its order; return how many events wait in it.

        Raises:
            errors.NotFound: no such parked stream.
        """
        ...

    def discard(self, operator: Operator, stream_key: str) -> UUID:
        """Take the refused event out of a parked stream for good, and send the rest.

        Returns:
            The id of the event.

        Raises:
            errors.NotFound: no such parked stream.
        """
        ...

    def request_replay(self, operator: Operator, request: ReplayRequest) -> Replay:
        """Request a replay; the scheduled replayer carries it out.

        Raises:
            errors.Unprocessable: `since` is not before `until`.
        """
        ...

    def replay(self, operator: Operator, replay_id: UUID) -> Replay:
        """Return a replay and its progress.

        Raises:
            errors.NotFound: no such replay.
        """
        ...
