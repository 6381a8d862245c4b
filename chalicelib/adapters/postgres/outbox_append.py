"""Appends events to the outbox, in the transaction of the rows that they describe."""

import json

from chalicelib.adapters.postgres.driver import Connection
from chalicelib.outbox.envelope import Envelope, shard_of

# The lock on the stream's row is held until the transaction ends, and the event's id is drawn
# under it. So within a stream, the orders of ids, of sequence numbers and of commits agree. A
# stream keeps the shard it was first given.
APPEND = """
WITH stream AS (
  INSERT INTO outbox_stream AS o (stream_key, tenant_id, shard, last_seq)
  VALUES ($1, $2::uuid, $3::smallint, 1)
  ON CONFLICT (stream_key) DO UPDATE SET last_seq = o.last_seq + 1
  RETURNING last_seq, shard, parked)
INSERT INTO outbox_event (event_id, tenant_id, shard, stream_key, stream_seq, parked, topic,
  event_type, schema_version, payload, headers, occurred_at)
SELECT $4::uuid, $2::uuid, stream.shard, $1, stream.last_seq, stream.parked, $5,
  $6, $7::smallint, $8::bytea, $9::jsonb, $10::timestamptz
FROM stream
"""


def append(connection: Connection, envelope: Envelope, *, shards: int) -> None:
    """Append one event in one round trip; a new stream is given one of `shards` shards."""
    connection.execute_unnamed(
        APPEND,
        (
            envelope.stream_key,
            str(envelope.tenant_id),
            shard_of(envelope.stream_key, shards),
            str(envelope.event_id),
            envelope.topic,
            envelope.event_type,
            envelope.schema_version,
            envelope.payload,
            json.dumps(dict(envelope.headers)),
            envelope.occurred_at.isoformat(),
        ),
    )
