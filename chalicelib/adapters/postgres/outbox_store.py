"""The outbox as the relay sees it. All times are the database's, so a function's wrong clock does no harm."""

import json
from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from chalicelib.adapters.postgres.reconnecting import ReconnectingConnection
from chalicelib.outbox.envelope import DEAD_LETTER_PREFIX, PendingEvent
from chalicelib.outbox.ports import Acknowledged, OutboxStats
from chalicelib.shared.ids import uuid7

CLAIM = """
WITH chosen AS (
  SELECT shard FROM outbox_shard
  WHERE owner = $1::uuid OR (lease_until < clock_timestamp() AND retry_at <= clock_timestamp())
  ORDER BY owner IS NOT DISTINCT FROM $1::uuid DESC, lease_until, shard LIMIT $2::int FOR UPDATE SKIP LOCKED)
UPDATE outbox_shard s SET owner = $1::uuid, epoch = s.epoch + 1,
  lease_until = clock_timestamp() + make_interval(secs => $3::float8)
FROM chosen WHERE s.shard = chosen.shard RETURNING s.shard
"""

# One branch a shard, so that each is an ordered scan of outbox_ready and a merge append
# stops after $2 rows in all (the limit within a branch makes the planner see that); the
# lease is a one-time filter. Values come as one text: parsing row by row costs more than
# everything else. No field can hold the separators: a check forbids control characters in
# names, jsonb escapes them, the payload is hex.
BRANCH = """(SELECT * FROM outbox_event WHERE shard = {shard} AND NOT parked AND id <> ALL ($3::bigint[])
  AND stream_key <> ALL ($4::text[]) AND EXISTS (SELECT FROM outbox_shard s WHERE s.shard = {shard}
  AND s.owner = $1::uuid AND s.lease_until > clock_timestamp()) ORDER BY id LIMIT $2::int)"""
FETCH = """
WITH ready AS ({branches} ORDER BY id LIMIT $2::int),
sized AS (SELECT *, sum(octet_length(payload)) OVER w AS size, row_number() OVER w AS place FROM ready
  WINDOW w AS (ORDER BY id))
SELECT string_agg(concat_ws(E'\\x1f', id, event_id, tenant_id, shard, stream_key, stream_seq, topic, event_type,
  schema_version, to_char(occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), attempts, headers,
  encode(payload, 'hex')), E'\\x1e' ORDER BY id)
FROM sized WHERE size <= $5::bigint OR place = 1
"""

MARK = """
WITH acknowledged AS (
  SELECT * FROM unnest($1::uuid[], $2::int[], $3::bigint[]) AS a(event_id, kafka_partition, kafka_offset)),
gone AS (DELETE FROM outbox_event e USING acknowledged a WHERE e.event_id = a.event_id
  RETURNING e.*, a.kafka_partition, a.kafka_offset)
INSERT INTO outbox_archive (id, event_id, tenant_id, shard, stream_key, stream_seq, parked, topic, event_type,
  schema_version, payload, headers, occurred_at, attempts, last_error, published_at, kafka_partition, kafka_offset)
SELECT id, event_id, tenant_id, shard, stream_key, stream_seq, parked, topic, event_type,
  schema_version, payload, headers, occurred_at, attempts, last_error, clock_timestamp(), kafka_partition, kafka_offset
FROM gone
"""

REFUSE = "UPDATE outbox_event SET attempts = attempts + 1, last_error = $2 WHERE event_id = $1::uuid RETURNING attempts"

# The stream's row first: it is what an append locks first, so the two never deadlock, and
# an append that waited for it sees `parked` and parks its own event.
PARK_STREAM = "UPDATE outbox_stream SET parked = true WHERE stream_key = $1"
PARK_EVENTS = "UPDATE outbox_event SET parked = true WHERE stream_key = $1"

DEAD_LETTER = """
WITH stream AS (
  INSERT INTO outbox_stream AS o (stream_key, tenant_id, shard, last_seq) VALUES ($1, $2::uuid, $3::smallint, 1)
  ON CONFLICT (stream_key) DO UPDATE SET last_seq = o.last_seq + 1 RETURNING last_seq, shard, parked)
INSERT INTO outbox_event (event_id, tenant_id, shard, stream_key, stream_seq, parked, topic, event_type,
  schema_version, payload, headers, occurred_at)
SELECT $4::uuid, e.tenant_id, stream.shard, $1, stream.last_seq, stream.parked, $5, e.event_type, e.schema_version,
  CASE WHEN octet_length(e.payload) <= $7::int THEN e.payload ELSE 'null'::bytea END,
  e.headers || $6::jsonb || jsonb_build_object('dlq_payload_omitted', CASE WHEN octet_length(e.payload) <= $7::int
    THEN 'false' ELSE 'true' END), e.occurred_at
FROM stream, outbox_event e WHERE e.event_id = $8::uuid
"""

COUNTED = 1_000_001
PENDING = (
    f"SELECT count(*) FROM (SELECT FROM outbox_event WHERE NOT parked LIMIT {COUNTED}) pending"
)
# The oldest of each shard is the first of outbox_ready.
OLDEST = """
SELECT extract(epoch FROM coalesce(min(first.occurred_at), clock_timestamp()))::float8 FROM outbox_shard s,
  LATERAL (SELECT occurred_at FROM outbox_event e WHERE e.shard = s.shard AND NOT e.parked ORDER BY id LIMIT 1) first
"""
STANDING = f"SELECT ({PENDING}), ({OLDEST}), (SELECT count(*) FROM outbox_stream WHERE parked)"

RELEASE = """
UPDATE outbox_shard SET owner = NULL, lease_until = '-infinity',
  retry_at = CASE WHEN $2::float8 > 0 THEN clock_timestamp() + make_interval(secs => $2::float8) ELSE retry_at END
WHERE owner = $1::uuid
"""

LONGEST_ERROR = 1_000


class PostgresOutboxStore:
    """An `OutboxStore`. Connects when first needed, and again after trouble."""

    def __init__(
        self,
        connection: ReconnectingConnection,
        *,
        dead_letter_topic: str,
        dead_letter_bytes: int,
    ) -> None:
        """Work through `connection`; copies over `dead_letter_bytes` leave the payload out."""
        self._connection = connection
        self._topic = dead_letter_topic
        self._dead_letter_bytes = dead_letter_bytes

    def claim(self, owner: UUID, *, limit: int, seconds: float) -> list[int]:
        """Lease up to `limit` shards for `seconds`; return them with those that are `owner`'s already."""
        return [row[0] for row in self._run(CLAIM, owner, limit, seconds)]

    def fetch(
        self,
        owner: UUID,
        shards: Collection[int],
        *,
        rows: int,
        size: int,
        known: Collection[int],
        held: Collection[str],
    ) -> list[PendingEvent]:
        """Return the oldest events of `shards`, in order of id, in one snapshot."""
        found = self._run(
            fetch_statement(shards), owner, rows, _array(known), _text_array(held), size
        )
        return [_pending(line) for line in found[0][0].split("\x1e")] if found[0][0] else []

    def mark(self, acknowledged: Sequence[Acknowledged]) -> int:
        """Move acknowledged events to the archive, in one statement."""
        return self._count(
            MARK,
            _array(one.event_id for one in acknowledged),
            _array(one.partition for one in acknowledged),
            _array(one.offset for one in acknowledged),
        )

    def refuse(self, event: PendingEvent, reason: str) -> int:
        """Count an attempt that the broker refused; return the attempts so far."""
        rows = self._run(REFUSE, event.event_id, reason[:LONGEST_ERROR])
        return int(rows[0][0]) if rows else event.attempts + 1

    def park(self, event: PendingEvent, reason: str) -> None:
        """Park the stream and put a copy of the event on the dead letter topic, in one transaction."""
        notes = {
            "dlq_error": reason[:LONGEST_ERROR],
            "dlq_attempts": str(event.attempts + 1),
            "dlq_topic": event.topic,
            "dlq_stream_key": event.stream_key,
            "dlq_stream_seq": str(event.stream_seq),
            "dlq_event_id": event.event_id,
        }
        copy = (
            DEAD_LETTER_PREFIX + event.stream_key,
            event.tenant_id,
            event.shard,
            str(uuid7()),
            self._topic,
            json.dumps(notes),
            self._dead_letter_bytes,
            event.event_id,
        )
        with self._connection.transaction() as connection:
            connection.execute_unnamed(PARK_STREAM, (event.stream_key,))
            connection.execute_unnamed(PARK_EVENTS, (event.stream_key,))
            if not event.is_dead_letter:
                connection.execute_unnamed(DEAD_LETTER, copy)

    def stats(self) -> OutboxStats:
        """Return how the outbox stands; counting stops at `COUNTED`."""
        [[pending, oldest, parked]] = self._run(STANDING)
        return OutboxStats(pending, oldest, parked)

    def release(self, owner: UUID, *, retry_after: float = 0.0) -> None:
        """Give back every shard of `owner`, none of them due before `retry_after` seconds."""
        self._run(RELEASE, owner, retry_after)

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()

    def _run(self, statement: str, *values: Any) -> list[Any]:
        with self._connection.use() as connection:
            return (
                connection.execute_unnamed(statement, [_plain(value) for value in values]).rows
                or []
            )

    def _count(self, statement: str, *values: Any) -> int:
        with self._connection.use() as connection:
            return int(
                connection.execute_unnamed(statement, [_plain(value) for value in values]).row_count
            )


def fetch_statement(shards: Collection[int]) -> str:
    """Return the statement that reads the oldest events of `shards`."""
    return FETCH.format(
        branches=" UNION ALL ".join(BRANCH.format(shard=int(shard)) for shard in sorted(shards))
    )


def _pending(line: str) -> PendingEvent:
    part = line.split("\x1f")
    return PendingEvent(
        int(part[0]),
        part[1],
        part[2],
        int(part[3]),
        part[4],
        int(part[5]),
        part[6],
        part[7],
        int(part[8]),
        part[9],
        int(part[10]),
        part[11],
        bytes.fromhex(part[12]),
    )


def _array(values: Any) -> str:
    return "{" + ",".join(map(str, values)) + "}"


def _text_array(values: Collection[str]) -> str:
    quoted = ('"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"' for value in values)
    return "{" + ",".join(quoted) + "}"


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, UUID) else value
