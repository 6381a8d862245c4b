"""The relay's statements, and the plans that they rely on.

Columns are listed, not `*`, where a statement copies rows into another table.
"""

# Free or expired shards, and those of $1 itself, which come first. SKIP LOCKED: two relays
# that claim at once get different shards without waiting for each other.
CLAIM = """
WITH candidate AS (
  SELECT shard FROM outbox_shard
  WHERE owner = $1::uuid
    OR (lease_until < clock_timestamp() AND retry_at <= clock_timestamp())
  ORDER BY owner IS NOT DISTINCT FROM $1::uuid DESC, lease_until, shard
  LIMIT $2::int FOR UPDATE SKIP LOCKED)
UPDATE outbox_shard s SET owner = $1::uuid, epoch = s.epoch + 1,
  lease_until = clock_timestamp() + make_interval(secs => $3::float8)
FROM candidate WHERE s.shard = candidate.shard RETURNING s.shard
"""

# One branch for each shard, so that each is an ordered scan of outbox_ready, and a merge
# append stops after $2 rows in all (the limit within a branch lets the planner see that).
# The lease is a one-time filter.
FETCH_SHARD = """(SELECT * FROM outbox_event
  WHERE shard = {shard} AND NOT parked AND id <> ALL ($3::bigint[])
    AND stream_key <> ALL ($4::text[])
    AND EXISTS (SELECT FROM outbox_shard s WHERE s.shard = {shard}
      AND s.owner = $1::uuid AND s.lease_until > clock_timestamp())
  ORDER BY id LIMIT $2::int)"""

# The rows come as one text: parsing them one by one in Python costs more than everything
# else. No field can contain the separators: a check forbids control characters in names,
# jsonb escapes them, and the payload is hexadecimal.
FETCH = """
WITH ready AS ({branches} ORDER BY id LIMIT $2::int),
sized AS (
  SELECT *, sum(octet_length(payload)) OVER w AS size, row_number() OVER w AS ordinal
  FROM ready WINDOW w AS (ORDER BY id))
SELECT string_agg(concat_ws(E'\\x1f', id, event_id, tenant_id, shard, stream_key, stream_seq,
  topic, event_type, schema_version,
  to_char(occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), attempts, headers,
  encode(payload, 'hex')), E'\\x1e' ORDER BY id)
FROM sized WHERE size <= $5::bigint OR ordinal = 1
"""

# Deletes by the unique index on event_id, and inserts into today's partition of the archive.
MARK = """
WITH acknowledged AS (
  SELECT * FROM unnest($1::uuid[], $2::int[], $3::bigint[])
    AS a(event_id, kafka_partition, kafka_offset)),
deleted AS (
  DELETE FROM outbox_event e USING acknowledged a WHERE e.event_id = a.event_id
  RETURNING e.*, a.kafka_partition, a.kafka_offset)
INSERT INTO outbox_archive (id, event_id, tenant_id, shard, stream_key, stream_seq, parked,
  topic, event_type, schema_version, payload, headers, occurred_at, attempts, last_error,
  published_at, kafka_partition, kafka_offset)
SELECT id, event_id, tenant_id, shard, stream_key, stream_seq, parked,
  topic, event_type, schema_version, payload, headers, occurred_at, attempts, last_error,
  clock_timestamp(), kafka_partition, kafka_offset
FROM deleted
"""

REFUSE = """
UPDATE outbox_event SET attempts = attempts + 1, last_error = $2
WHERE event_id = $1::uuid RETURNING attempts
"""

# The stream's row first: an append locks it first too, so the two never deadlock, and an
# append that waited for it sees `parked` and parks its own event.
PARK_STREAM = "UPDATE outbox_stream SET parked = true WHERE stream_key = $1"
PARK_EVENTS = "UPDATE outbox_event SET parked = true WHERE stream_key = $1"

DEAD_LETTER = """
WITH stream AS (
  INSERT INTO outbox_stream AS o (stream_key, tenant_id, shard, last_seq)
  VALUES ($1, $2::uuid, $3::smallint, 1)
  ON CONFLICT (stream_key) DO UPDATE SET last_seq = o.last_seq + 1
  RETURNING last_seq, shard, parked)
INSERT INTO outbox_event (event_id, tenant_id, shard, stream_key, stream_seq, parked, topic,
  event_type, schema_version, payload, headers, occurred_at)
SELECT $4::uuid, e.tenant_id, stream.shard, $1, stream.last_seq, stream.parked, $5,
  e.event_type, e.schema_version,
  CASE WHEN octet_length(e.payload) <= $7::int THEN e.payload ELSE 'null'::bytea END,
  e.headers || $6::jsonb || jsonb_build_object('dlq_payload_omitted',
    CASE WHEN octet_length(e.payload) <= $7::int THEN 'false' ELSE 'true' END),
  e.occurred_at
FROM stream, outbox_event e WHERE e.event_id = $8::uuid
"""

MAX_COUNTED = 1_000_001
"""Counting stops here, so that a large backlog does not make the measurement slow."""

PENDING = f"""
SELECT count(*) FROM (
  SELECT FROM outbox_event WHERE NOT parked LIMIT {MAX_COUNTED}) pending
"""

# The oldest event of each shard is the first of outbox_ready.
OLDEST = """
SELECT extract(epoch FROM coalesce(min(first.occurred_at), clock_timestamp()))::float8
FROM outbox_shard s, LATERAL (
  SELECT occurred_at FROM outbox_event e
  WHERE e.shard = s.shard AND NOT e.parked ORDER BY id LIMIT 1) first
"""

STATS = f"SELECT ({PENDING}), ({OLDEST}), (SELECT count(*) FROM outbox_stream WHERE parked)"

RELEASE = """
UPDATE outbox_shard SET owner = NULL, lease_until = '-infinity',
  retry_at = CASE WHEN $2::float8 > 0
    THEN clock_timestamp() + make_interval(secs => $2::float8) ELSE retry_at END
WHERE owner = $1::uuid
"""
