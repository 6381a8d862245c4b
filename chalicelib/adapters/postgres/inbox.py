"""An inbox in the consumer's own PostgreSQL, over its own connection (pg8000 or psycopg, any DB-API)."""

from datetime import timedelta
from typing import Any

from chalicelib.outbox.inbox import Receipt

TABLE = """
CREATE TABLE IF NOT EXISTS inbox (
  consumer text NOT NULL, stream_key text NOT NULL, stream_seq bigint NOT NULL, event_id uuid NOT NULL,
  received_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (consumer, stream_key, stream_seq), UNIQUE (consumer, event_id))
"""
ADMIT = """
INSERT INTO inbox (consumer, stream_key, stream_seq, event_id) VALUES (%s, %s, %s, %s::uuid) ON CONFLICT DO NOTHING
"""
PRUNE = "DELETE FROM inbox WHERE consumer = %s AND received_at < now() - make_interval(secs => %s)"


class PostgresInbox:
    """An `Inbox` of one `consumer`. It begins and commits nothing: that is the caller's transaction."""

    def __init__(self, connection: Any, consumer: str) -> None:
        """Use the caller's `connection`, and the name under which `consumer` is known."""
        self._connection = connection
        self._consumer = consumer

    def create_table(self) -> None:
        """Create the table where it is missing."""
        self._connection.cursor().execute(TABLE)

    def admit(self, receipt: Receipt) -> bool:
        """Note `receipt`; return False where it is known. Two at once: the second waits for the first to commit."""
        cursor = self._connection.cursor()
        cursor.execute(
            ADMIT,
            (self._consumer, receipt.stream_key, receipt.stream_seq, str(receipt.event_id)),
        )
        return bool(cursor.rowcount == 1)

    def prune(self, older_than: timedelta) -> int:
        """Forget what came before; keep at least as long as a record may come again (the topic's retention)."""
        cursor = self._connection.cursor()
        cursor.execute(PRUNE, (self._consumer, older_than.total_seconds()))
        return int(cursor.rowcount)
