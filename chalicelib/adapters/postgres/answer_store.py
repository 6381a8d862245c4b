"""The answers of idempotent requests, committed with the business under a unique key."""

import json

from chalicelib.adapters.postgres.driver import BEGIN, Connection
from chalicelib.adapters.postgres.reconnecting import ReconnectingConnection
from chalicelib.idempotency.key import KEPT_SECONDS, IdempotencyKey
from chalicelib.idempotency.ports import AlreadyDone, Finished, StoredAnswer

EXPIRED = f"clock_timestamp() - make_interval(secs => {KEPT_SECONDS})"

# An expired row is overwritten. Of two transactions with one key, the second waits on the
# unique index until the first has ended.
WRITE = f"""
INSERT INTO idempotent_request AS r
  (tenant_id, endpoint, key_hash, request_hash, status, headers, response)
VALUES ($1::uuid, $2, $3, $4, $5::smallint, $6::jsonb, $7::bytea)
ON CONFLICT (tenant_id, endpoint, key_hash) DO UPDATE SET
  request_hash = excluded.request_hash, status = excluded.status, headers = excluded.headers,
  response = excluded.response, created_at = clock_timestamp()
WHERE r.created_at < {EXPIRED}
"""
FIND = f"""
SELECT request_hash, status, headers::text, response FROM idempotent_request
WHERE tenant_id = $1::uuid AND endpoint = $2 AND key_hash = $3 AND created_at >= {EXPIRED}
"""
CLEAN = f"""
DELETE FROM idempotent_request WHERE (tenant_id, endpoint, key_hash) IN (
  SELECT tenant_id, endpoint, key_hash FROM idempotent_request
  WHERE created_at < {EXPIRED} ORDER BY created_at LIMIT $1::int)
"""
CLEAN_BATCH_SIZE = 5_000


def write(connection: Connection, key: IdempotencyKey, answer: StoredAnswer) -> None:
    """Write `answer` in the open transaction, in one round trip.

    Raises:
        idempotency.ports.AlreadyDone: there is an answer already.
    """
    values = (
        str(key.tenant_id),
        key.endpoint,
        key.key_hash,
        key.request_hash,
        answer.status,
        json.dumps(dict(answer.headers)),
        answer.body,
    )
    if connection.execute_unnamed(WRITE, values).row_count != 1:
        raise AlreadyDone("This request has already been carried out.")


class PostgresAnswerStore:
    """An `AnswerStore`, as the API role."""

    def __init__(self, connection: ReconnectingConnection) -> None:
        """Read through `connection`."""
        self._connection = connection

    def find(self, key: IdempotencyKey) -> Finished | None:
        """Return what was committed under `key` within the retention time, or None."""
        with self._connection.use() as connection:
            connection.tenant = key.tenant_id
            connection.execute_simple(BEGIN)
            values = (str(key.tenant_id), key.endpoint, key.key_hash)
            rows = connection.execute_unnamed(FIND, values).rows
            connection.commit()
        if not rows:
            return None
        request_hash, status, headers, response = rows[0]
        answer = StoredAnswer(int(status), bytes(response), json.loads(headers))
        return Finished(request_hash, answer)


def clean(connection: ReconnectingConnection) -> int:
    """Delete expired answers, a batch at a time, as the relay role; return how many."""
    total = 0
    while True:
        with connection.transaction() as transaction:
            deleted = int(transaction.execute_unnamed(CLEAN, (CLEAN_BATCH_SIZE,)).row_count)
        total += deleted
        if deleted < CLEAN_BATCH_SIZE:
            connection.close()
            return total
