"""Administration of the outbox on PostgreSQL, as the relay role.

The role sees the rows of all tenants, so every statement here filters by tenant; a tenant id
of null means all of them.
"""

import json
from datetime import datetime
from typing import Any
from uuid import UUID

from chalicelib.adapters.postgres.outbox_sql import MAX_COUNTED, OLDEST, PENDING
from chalicelib.adapters.postgres.reconnecting import ReconnectingConnection
from chalicelib.outbox.admin import (
    MAX_LISTED,
    Backlog,
    Operator,
    ParkedStream,
    Replay,
    ReplayRequest,
)
from chalicelib.shared.errors import FieldError, NotFound, Unprocessable
from chalicelib.shared.ids import uuid7

SAME_TENANT = "($1::uuid IS NULL OR tenant_id = $1::uuid)"

# All that is pending is scanned for one tenant's part: it is what was appended since the
# relay's last poll.
TENANT_PENDING = f"""
SELECT count(*) FROM (
  SELECT FROM outbox_event WHERE NOT parked AND tenant_id = $1::uuid LIMIT {MAX_COUNTED}) pending
"""

TENANT_OLDEST = """
SELECT extract(epoch FROM coalesce(min(occurred_at), clock_timestamp()))::float8
FROM outbox_event WHERE NOT parked AND tenant_id = $1::uuid
"""

BACKLOG = f"""
SELECT CASE WHEN $1::uuid IS NULL THEN ({PENDING}) ELSE ({TENANT_PENDING}) END,
  extract(epoch FROM clock_timestamp())::float8
    - CASE WHEN $1::uuid IS NULL THEN ({OLDEST}) ELSE ({TENANT_OLDEST}) END,
  (SELECT count(*) FROM outbox_stream WHERE parked AND {SAME_TENANT}),
  (SELECT count(*) FROM outbox_stream s JOIN outbox_event e USING (stream_key)
    WHERE s.parked AND ($1::uuid IS NULL OR s.tenant_id = $1::uuid))
"""

# Scans outbox_stream_parked; the first event of a stream is the one that was refused.
PARKED = f"""
SELECT s.stream_key,
  (SELECT count(*) FROM outbox_event n WHERE n.stream_key = s.stream_key), e.event_id,
  e.event_type, e.stream_seq, e.topic, e.attempts, e.last_error, e.occurred_at
FROM (
  SELECT * FROM outbox_stream WHERE parked AND {SAME_TENANT} AND stream_key > $2
  ORDER BY stream_key LIMIT $3::int) s,
LATERAL (
  SELECT * FROM outbox_event e WHERE e.stream_key = s.stream_key
  ORDER BY stream_seq LIMIT 1) e
ORDER BY s.stream_key
"""

# The stream's row first: appends and the relay lock in the same order.
UNPARK_STREAM = f"""
UPDATE outbox_stream SET parked = false
WHERE stream_key = $2 AND parked AND {SAME_TENANT} RETURNING tenant_id
"""
UNPARK_EVENTS = "UPDATE outbox_event SET parked = false, attempts = 0 WHERE stream_key = $1"

DISCARD = """
WITH refused AS (
  DELETE FROM outbox_event WHERE event_id = (
    SELECT event_id FROM outbox_event WHERE stream_key = $1 ORDER BY stream_seq LIMIT 1)
  RETURNING *)
INSERT INTO outbox_archive (id, event_id, tenant_id, shard, stream_key, stream_seq, parked,
  topic, event_type, schema_version, payload, headers, occurred_at, attempts, last_error,
  published_at)
SELECT id, event_id, tenant_id, shard, stream_key, stream_seq, parked,
  topic, event_type, schema_version, payload, headers, occurred_at, attempts, last_error,
  clock_timestamp()
FROM refused RETURNING event_id, event_type, stream_seq, last_error
"""

AUDIT = """
INSERT INTO outbox_audit (tenant_id, actor, action, stream_key, detail)
VALUES ($1::uuid, $2, $3, $4, $5::jsonb)
"""

# Discarded events have no offset, and are not replayed.
REQUEST_REPLAY = f"""
INSERT INTO outbox_replay (id, tenant_id, event_type, since, until, requested_by, total)
SELECT $2::uuid, $1::uuid, $3::text, $4::timestamptz, $5::timestamptz, $6, count(*)
FROM outbox_archive
WHERE published_at >= $4::timestamptz AND published_at < $5::timestamptz
  AND kafka_offset IS NOT NULL
  AND ($3::text IS NULL OR event_type = $3::text) AND {SAME_TENANT}
"""

READ_REPLAY = f"""
SELECT id, event_type, since, until, total, replayed, done_at IS NOT NULL
FROM outbox_replay WHERE id = $2::uuid AND {SAME_TENANT}
"""


class PostgresOutboxAdmin:
    """An `OutboxAdmin`."""

    def __init__(self, connection: ReconnectingConnection) -> None:
        """Work through `connection`."""
        self._connection = connection

    def backlog(self, operator: Operator) -> Backlog:
        """Return the state of the operator's part of the outbox."""
        [[pending, oldest_age, parked_streams, parked_events]] = self._rows(
            BACKLOG, _text(operator.tenant_id)
        )
        return Backlog(
            pending=pending,
            oldest_age_seconds=round(max(0.0, oldest_age), 3) if pending else 0.0,
            parked_streams=parked_streams,
            parked_events=parked_events,
        )

    def parked(
        self, operator: Operator, *, after: str = "", limit: int = MAX_LISTED
    ) -> list[ParkedStream]:
        """Return the first `limit` parked streams whose key is past `after`, by key."""
        fields = list(ParkedStream.model_fields)
        rows = self._rows(PARKED, _text(operator.tenant_id), after, limit)
        return [ParkedStream(**dict(zip(fields, row, strict=True))) for row in rows]

    def requeue(self, operator: Operator, stream_key: str) -> int:
        """Send a parked stream again; return how many events wait in it."""
        with self._connection.transaction() as connection:
            tenant_id = self._unpark(connection, operator, stream_key)
            waiting = int(connection.execute_unnamed(UNPARK_EVENTS, (stream_key,)).row_count)
            self._audit(connection, operator, "requeue", tenant_id, stream_key, {"events": waiting})
        return waiting

    def discard(self, operator: Operator, stream_key: str) -> UUID:
        """Take the refused event out of a parked stream, and send the rest; return its id."""
        with self._connection.transaction() as connection:
            tenant_id = self._unpark(connection, operator, stream_key)
            [[event_id, event_type, stream_seq, last_error]] = connection.execute_unnamed(
                DISCARD, (stream_key,)
            ).rows
            connection.execute_unnamed(UNPARK_EVENTS, (stream_key,))
            detail = {
                "eventId": str(event_id),
                "eventType": event_type,
                "streamSeq": stream_seq,
                "lastError": last_error,
            }
            self._audit(connection, operator, "discard", tenant_id, stream_key, detail)
        return UUID(str(event_id))

    def request_replay(self, operator: Operator, request: ReplayRequest) -> Replay:
        """Record a replay for the replayer."""
        if request.since >= request.until:
            reason = "must be later than since"
            raise Unprocessable(
                f"until {reason}.", code="bad-period", errors=[FieldError("until", reason)]
            )
        replay_id = uuid7()
        since = request.since.isoformat()
        until = request.until.isoformat()
        with self._connection.transaction() as connection:
            values = (
                _text(operator.tenant_id),
                str(replay_id),
                request.event_type,
                since,
                until,
                operator.name,
            )
            connection.execute_unnamed(REQUEST_REPLAY, values)
            detail = {
                "replayId": str(replay_id),
                "eventType": request.event_type,
                "since": since,
                "until": until,
            }
            self._audit(connection, operator, "replay", operator.tenant_id, None, detail)
        return self.replay(operator, replay_id)

    def replay(self, operator: Operator, replay_id: UUID) -> Replay:
        """Return a replay and its progress."""
        rows = self._rows(READ_REPLAY, _text(operator.tenant_id), str(replay_id))
        if not rows:
            raise NotFound(f"There is no replay {replay_id}.")
        return Replay(**dict(zip(Replay.model_fields, rows[0], strict=True)))

    def _unpark(self, connection: Any, operator: Operator, stream_key: str) -> UUID:
        rows = connection.execute_unnamed(
            UNPARK_STREAM, (_text(operator.tenant_id), stream_key)
        ).rows
        if not rows:
            raise NotFound(f"There is no parked stream {stream_key[:200]}.")
        return UUID(str(rows[0][0]))

    def _audit(
        self,
        connection: Any,
        operator: Operator,
        action: str,
        tenant_id: UUID | None,
        stream_key: str | None,
        detail: dict[str, Any],
    ) -> None:
        values = (_text(tenant_id), operator.name, action, stream_key, json.dumps(detail))
        connection.execute_unnamed(AUDIT, values)

    def _rows(self, statement: str, *values: Any) -> list[Any]:
        with self._connection.use() as connection:
            return connection.execute_unnamed(statement, values).rows or []


def _text(value: UUID | datetime | None) -> str | None:
    return None if value is None else str(value)
