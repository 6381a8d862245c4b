"""The ledger of idempotent requests: answers committed with the business, under a unique key."""

import json

from chalicelib.adapters.postgres.driver import BEGIN, Connection
from chalicelib.adapters.postgres.reconnecting import ReconnectingConnection
from chalicelib.idempotency.key import KEPT_SECONDS, IdempotencyKey
from chalicelib.idempotency.ports import AlreadyDone, Finished, StoredAnswer

# A row past its time is taken over; of two transactions with one key, the second waits for
# the first to end.
WRITE = f"""
INSERT INTO idempotent_request AS r (tenant_id, endpoint, key_hash, request_hash, status, headers, response)
VALUES ($1::uuid, $2, $3, $4, $5::smallint, $6::jsonb, $7::bytea)
ON CONFLICT (tenant_id, endpoint, key_hash) DO UPDATE SET request_hash = excluded.request_hash,
  status = excluded.status, headers = excluded.headers, response = excluded.response, created_at = clock_timestamp()
WHERE r.created_at < clock_timestamp() - make_interval(secs => {KEPT_SECONDS})
"""
FIND = f"""
SELECT request_hash, status, headers::text, response FROM idempotent_request
WHERE tenant_id = $1::uuid AND endpoint = $2 AND key_hash = $3
  AND created_at >= clock_timestamp() - make_interval(secs => {KEPT_SECONDS})
"""
CLEAN = f"""
DELETE FROM idempotent_request WHERE (tenant_id, endpoint, key_hash) IN (
  SELECT tenant_id, endpoint, key_hash FROM idempotent_request
  WHERE created_at < clock_timestamp() - make_interval(secs => {KEPT_SECONDS}) ORDER BY created_at LIMIT $1::int)
"""
CLEANED_AT_ONCE = 5_000


def write(connection: Connection, key: IdempotencyKey, answer: StoredAnswer) -> None:
    """Note `answer` in the open transaction, in one round trip.

    Raises:
        messaging.idempotency.AlreadyDone: there is one already.
    """
    values = (
        str(key.tenant_id),
        key.endpoint,
        key.key_hash,
        key.request_hash,
        answer.status,
    )
    written = connection.execute_unnamed(
        WRITE, (*values, json.dumps(dict(answer.headers)), answer.body)
    )
    if written.row_count != 1:
        raise AlreadyDone("This request has already been carried out.")


class PostgresAnswerStore:
    """A `Ledger`, as the API role."""

    def __init__(self, connection: ReconnectingConnection) -> None:
        """Look through `connection`."""
        self._connection = connection

    def find(self, key: IdempotencyKey) -> Finished | None:
        """Return what was committed under `key` in the last 24 hours."""
        with self._connection.use() as connection:
            connection.tenant = key.tenant_id
            connection.execute_simple(BEGIN)
            rows = connection.execute_unnamed(
                FIND, (str(key.tenant_id), key.endpoint, key.key_hash)
            ).rows
            connection.commit()
        if not rows:
            return None
        request_hash, status, headers, response = rows[0]
        return Finished(
            request_hash, StoredAnswer(int(status), bytes(response), json.loads(headers))
        )


def clean(connection: ReconnectingConnection) -> int:
    """Delete rows past their time, some at a time, as the relay role; return how many."""
    gone = 0
    while True:
        with connection.transaction() as transaction:
            now = int(transaction.execute_unnamed(CLEAN, (CLEANED_AT_ONCE,)).row_count)
        gone += now
        if now < CLEANED_AT_ONCE:
            connection.close()
            return gone
