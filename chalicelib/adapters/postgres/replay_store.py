"""Replays on PostgreSQL: a lease on the oldest open one, and its next page of the archive by keyset."""

import json
from typing import Any
from uuid import UUID

from chalicelib.adapters.postgres.reconnecting import ReconnectingConnection
from chalicelib.outbox import headers as header_names
from chalicelib.outbox.envelope import PendingEvent
from chalicelib.outbox.replay import Page

TAKE = """
WITH chosen AS (
  SELECT id FROM outbox_replay WHERE done_at IS NULL AND (lease_until < clock_timestamp() OR id = $2::uuid)
  ORDER BY id IS DISTINCT FROM $2::uuid, requested_at LIMIT 1 FOR UPDATE SKIP LOCKED)
UPDATE outbox_replay r SET lease_until = clock_timestamp() + make_interval(secs => $1::float8)
FROM chosen WHERE r.id = chosen.id
RETURNING r.id, r.tenant_id, r.event_type, r.since::text, r.until::text, r.last_published_at::text, r.last_id
"""
# Walks outbox_archive_by_time of the days concerned; discarded events have no offset.
PAGE = """
SELECT id, event_id::text, tenant_id::text, shard, stream_key, stream_seq, topic, event_type, schema_version,
  to_char(occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), 0, headers::text, payload,
  published_at::text
FROM outbox_archive
WHERE published_at >= $1::timestamptz AND published_at < $2::timestamptz
  AND (published_at, id) > ($3::timestamptz, $4::bigint)
  AND ($5::text IS NULL OR event_type = $5) AND ($6::uuid IS NULL OR tenant_id = $6::uuid) AND kafka_offset IS NOT NULL
ORDER BY published_at, id LIMIT $7::int
"""
ADVANCE = """
UPDATE outbox_replay SET last_published_at = $2::timestamptz, last_id = $3::bigint, replayed = replayed + $4::bigint,
  done_at = CASE WHEN $4::bigint = 0 THEN clock_timestamp() END
WHERE id = $1::uuid
"""
GIVE_BACK = "UPDATE outbox_replay SET lease_until = '-infinity' WHERE id = $1::uuid"


class PostgresReplayStore:
    """A `ReplayStore`."""

    def __init__(self, connection: ReconnectingConnection) -> None:
        """Work through `connection`."""
        self._connection = connection
        self._mine: UUID | None = None

    def take(self, *, rows: int, seconds: float) -> Page | None:
        """Lease the oldest open replay, or go on with the one in hand; return its next page."""
        with self._connection.use() as connection:
            mine = None if self._mine is None else str(self._mine)
            found = connection.execute_unnamed(TAKE, (seconds, mine)).rows
            if not found:
                return None
            replay_id, tenant_id, kind, since, until, last_published_at, last_id = found[0]
            self._mine = UUID(str(replay_id))
            tenant = None if tenant_id is None else str(tenant_id)
            values = (since, until, last_published_at, last_id, kind, tenant, rows)
            lines = connection.execute_unnamed(PAGE, values).rows
        events = [_marked(line[:-1], self._mine) for line in lines]
        position = (
            (lines[-1][-1], int(lines[-1][0])) if lines else (last_published_at, int(last_id))
        )
        return Page(self._mine, events, position)

    def advance(self, page: Page) -> None:
        """Save that `page` was sent."""
        with self._connection.use() as connection:
            connection.execute_unnamed(
                ADVANCE, (str(page.replay_id), *page.position, len(page.events))
            )
        if not page.events:
            self._mine = None

    def yield_back(self, replay_id: UUID) -> None:
        """Give the lease back."""
        with self._connection.use() as connection:
            connection.execute_unnamed(GIVE_BACK, (str(replay_id),))
        self._mine = None

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()


def _marked(row: list[Any], replay_id: UUID) -> PendingEvent:
    event = PendingEvent(*row)
    headers = {**json.loads(event.headers), header_names.REPLAY: str(replay_id)}
    return event._replace(headers=json.dumps(headers), payload=bytes(event.payload))
