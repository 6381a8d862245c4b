"""An inbox in the consumer's own PostgreSQL, over its own connection (any DB-API driver)."""

from datetime import timedelta
from typing import Any

from chalicelib.outbox.inbox import Receipt

CREATE_TABLE = """
CREATE TABLE IF NOT EXISTS inbox (
  consumer text NOT NULL, stream_key text NOT NULL, stream_seq bigint NOT NULL,
  event_id uuid NOT NULL, received_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (consumer, stream_key, stream_seq), UNIQUE (consumer, event_id))
"""

# A conflict with an uncommitted row waits for the other transaction to end.
ADMIT = """
INSERT INTO inbox (consumer, stream_key, stream_seq, event_id)
VALUES (%s, %s, %s, %s::uuid) ON CONFLICT DO NOTHING
"""

PRUNE = """
DELETE FROM inbox WHERE consumer = %s AND received_at < now() - make_interval(secs => %s)
"""


class PostgresInbox:
    """An `Inbox` of one `consumer`. The caller begins and commits its transaction."""

    def __init__(self, connection: Any, consumer: str) -> None:
        """Use the caller's `connection`; receipts are kept under the name `consumer`."""
        self._connection = connection
        self._consumer = consumer

    def create_table(self) -> None:
        """Create the table if it does not exist."""
        self._connection.cursor().execute(CREATE_TABLE)

    def admit(self, receipt: Receipt) -> bool:
        """Record `receipt`; return False if it is recorded already.

        Of two transactions at once, the second waits until the first has ended.
        """
        cursor = self._connection.cursor()
        cursor.execute(
            ADMIT,
            (self._consumer, receipt.stream_key, receipt.stream_seq, str(receipt.event_id)),
        )
        return bool(cursor.rowcount == 1)

    def prune(self, older_than: timedelta) -> int:
        """Delete receipts older than `older_than`; return how many.

        Keep them for at least the topic's retention, because a record may come again so long.
        """
        cursor = self._connection.cursor()
        cursor.execute(PRUNE, (self._consumer, older_than.total_seconds()))
        return int(cursor.rowcount)
