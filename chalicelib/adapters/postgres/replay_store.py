"""Replays on PostgreSQL: a lease on the oldest open one, and its pages of the archive."""

import json
from typing import Any
from uuid import UUID

from chalicelib.adapters.postgres.reconnecting import ReconnectingConnection
from chalicelib.outbox import headers as header_names
from chalicelib.outbox.envelope import PendingEvent
from chalicelib.outbox.replay import Page

# The replay in hand ($2) first, then the oldest one whose lease has expired.
TAKE = """
WITH candidate AS (
  SELECT id FROM outbox_replay
  WHERE done_at IS NULL AND (lease_until < clock_timestamp() OR id = $2::uuid)
  ORDER BY id IS DISTINCT FROM $2::uuid, requested_at LIMIT 1 FOR UPDATE SKIP LOCKED)
UPDATE outbox_replay r
SET lease_until = clock_timestamp() + make_interval(secs => $1::float8)
FROM candidate WHERE r.id = candidate.id
RETURNING r.id, r.tenant_id, r.event_type, r.since::text, r.until::text,
  r.last_published_at::text, r.last_id
"""

# Scans outbox_archive_by_time of the days concerned. Discarded events have no offset.
PAGE = """
SELECT id, event_id::text, tenant_id::text, shard, stream_key, stream_seq, topic, event_type,
  schema_version, to_char(occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), 0,
  headers::text, payload, published_at::text
FROM outbox_archive
WHERE published_at >= $1::timestamptz AND published_at < $2::timestamptz
  AND (published_at, id) > ($3::timestamptz, $4::bigint)
  AND ($5::text IS NULL OR event_type = $5)
  AND ($6::uuid IS NULL OR tenant_id = $6::uuid)
  AND kafka_offset IS NOT NULL
ORDER BY published_at, id LIMIT $7::int
"""

ADVANCE = """
UPDATE outbox_replay
SET last_published_at = $2::timestamptz, last_id = $3::bigint,
  replayed = replayed + $4::bigint,
  done_at = CASE WHEN $4::bigint = 0 THEN clock_timestamp() END
WHERE id = $1::uuid
"""

RELEASE = "UPDATE outbox_replay SET lease_until = '-infinity' WHERE id = $1::uuid"


class PostgresReplayStore:
    """A `ReplayStore`."""

    def __init__(self, connection: ReconnectingConnection) -> None:
        """Work through `connection`."""
        self._connection = connection
        self._current: UUID | None = None

    def take(self, *, rows: int, seconds: float) -> Page | None:
        """Go on with the replay in hand, or lease the oldest open one; return its next page."""
        with self._connection.use() as connection:
            replays = connection.execute_unnamed(TAKE, (seconds, _text(self._current))).rows
            if not replays:
                return None
            replay_id, tenant_id, event_type, since, until, last_published_at, last_id = replays[0]
            self._current = UUID(str(replay_id))
            values = (
                since,
                until,
                last_published_at,
                last_id,
                event_type,
                _text(tenant_id),
                rows,
            )
            archived = connection.execute_unnamed(PAGE, values).rows
        events = [_replayed_event(row[:-1], self._current) for row in archived]
        position = (last_published_at, int(last_id))
        if archived:
            last_row = archived[-1]
            position = (last_row[-1], int(last_row[0]))
        return Page(self._current, events, position)

    def advance(self, page: Page) -> None:
        """Save that `page` was sent."""
        values = (str(page.replay_id), *page.position, len(page.events))
        with self._connection.use() as connection:
            connection.execute_unnamed(ADVANCE, values)
        if not page.events:
            self._current = None

    def release(self, replay_id: UUID) -> None:
        """Give the lease back."""
        with self._connection.use() as connection:
            connection.execute_unnamed(RELEASE, (str(replay_id),))
        self._current = None

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _replayed_event(row: list[Any], replay_id: UUID) -> PendingEvent:
    event = PendingEvent(*row)
    headers = {**json.loads(event.headers), header_names.REPLAY: str(replay_id)}
    return event._replace(headers=json.dumps(headers), payload=bytes(event.payload))
