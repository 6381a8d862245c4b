"""The outbox as the relay sees it, on PostgreSQL.

All times are the database's, so a function with a wrong clock does no harm.
"""

import json
from collections.abc import Collection, Iterable, Sequence
from typing import Any
from uuid import UUID

from chalicelib.adapters.postgres import outbox_sql as sql
from chalicelib.adapters.postgres.reconnecting import ReconnectingConnection
from chalicelib.outbox.envelope import DEAD_LETTER_PREFIX, PendingEvent
from chalicelib.outbox.ports import Acknowledged, OutboxStats
from chalicelib.shared.ids import uuid7

MAX_ERROR_LENGTH = 1_000


class PostgresOutboxStore:
    """An `OutboxStore`. Connects when first needed, and again after a failure."""

    def __init__(
        self,
        connection: ReconnectingConnection,
        *,
        dead_letter_topic: str,
        dead_letter_bytes: int,
    ) -> None:
        """Work through `connection`.

        A dead letter whose payload is larger than `dead_letter_bytes` omits the payload.
        """
        self._connection = connection
        self._dead_letter_topic = dead_letter_topic
        self._dead_letter_bytes = dead_letter_bytes

    def claim(self, owner: UUID, *, limit: int, seconds: float) -> list[int]:
        """Lease up to `limit` shards for `seconds`, those of `owner` first."""
        return [row[0] for row in self._rows(sql.CLAIM, owner, limit, seconds)]

    def fetch(
        self,
        owner: UUID,
        shards: Collection[int],
        *,
        max_rows: int,
        max_bytes: int,
        excluded_ids: Collection[int],
        held_streams: Collection[str],
    ) -> list[PendingEvent]:
        """Return the oldest events of `shards`, in order of id, in one snapshot."""
        [[text]] = self._rows(
            fetch_statement(shards),
            owner,
            max_rows,
            _array(excluded_ids),
            _text_array(held_streams),
            max_bytes,
        )
        return [_pending_event(line) for line in text.split("\x1e")] if text else []

    def mark(self, acknowledged: Sequence[Acknowledged]) -> int:
        """Move acknowledged events to the archive, in one statement."""
        values = (
            _array(item.event_id for item in acknowledged),
            _array(item.partition for item in acknowledged),
            _array(item.offset for item in acknowledged),
        )
        with self._connection.use() as connection:
            return int(connection.execute_unnamed(sql.MARK, values).row_count)

    def refuse(self, event: PendingEvent, reason: str) -> int:
        """Count an attempt that the broker refused; return the number of attempts so far."""
        rows = self._rows(sql.REFUSE, event.event_id, reason[:MAX_ERROR_LENGTH])
        return int(rows[0][0]) if rows else event.attempts + 1

    def park(self, event: PendingEvent, reason: str) -> None:
        """Park the stream and append a dead letter, in one transaction."""
        headers = {
            "dlq_error": reason[:MAX_ERROR_LENGTH],
            "dlq_attempts": str(event.attempts + 1),
            "dlq_topic": event.topic,
            "dlq_stream_key": event.stream_key,
            "dlq_stream_seq": str(event.stream_seq),
            "dlq_event_id": event.event_id,
        }
        dead_letter = (
            DEAD_LETTER_PREFIX + event.stream_key,
            event.tenant_id,
            event.shard,
            str(uuid7()),
            self._dead_letter_topic,
            json.dumps(headers),
            self._dead_letter_bytes,
            event.event_id,
        )
        with self._connection.transaction() as connection:
            connection.execute_unnamed(sql.PARK_STREAM, (event.stream_key,))
            connection.execute_unnamed(sql.PARK_EVENTS, (event.stream_key,))
            if not event.is_dead_letter:
                connection.execute_unnamed(sql.DEAD_LETTER, dead_letter)

    def stats(self) -> OutboxStats:
        """Return the state of the outbox; counting stops at `sql.MAX_COUNTED`."""
        [[pending, oldest_timestamp, parked_streams]] = self._rows(sql.STATS)
        return OutboxStats(pending, oldest_timestamp, parked_streams)

    def release(self, owner: UUID, *, retry_after: float = 0.0) -> None:
        """Give back every shard of `owner`; none can be claimed for `retry_after` seconds."""
        self._rows(sql.RELEASE, owner, retry_after)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _rows(self, statement: str, *values: Any) -> list[Any]:
        parameters = [str(value) if isinstance(value, UUID) else value for value in values]
        with self._connection.use() as connection:
            return connection.execute_unnamed(statement, parameters).rows or []


def fetch_statement(shards: Collection[int]) -> str:
    """Return the statement that reads the oldest events of `shards`."""
    branches = [sql.FETCH_SHARD.format(shard=int(shard)) for shard in sorted(shards)]
    return sql.FETCH.format(branches=" UNION ALL ".join(branches))


def _pending_event(line: str) -> PendingEvent:
    fields = line.split("\x1f")
    return PendingEvent(
        id=int(fields[0]),
        event_id=fields[1],
        tenant_id=fields[2],
        shard=int(fields[3]),
        stream_key=fields[4],
        stream_seq=int(fields[5]),
        topic=fields[6],
        event_type=fields[7],
        schema_version=int(fields[8]),
        occurred_at=fields[9],
        attempts=int(fields[10]),
        headers=fields[11],
        payload=bytes.fromhex(fields[12]),
    )


def _array(values: Iterable[object]) -> str:
    return "{" + ",".join(map(str, values)) + "}"


def _text_array(values: Collection[str]) -> str:
    quoted = ('"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"' for value in values)
    return "{" + ",".join(quoted) + "}"
