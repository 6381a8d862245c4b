"""What the relay bench measures on: a PostgreSQL and a Kafka, an outbox to fill, an archive."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from chalicelib.adapters.postgres import driver
from chalicelib.config import Settings
from infra.local.data import migrate_database
from infra.local.kafka.apache import ApacheKafka
from infra.local.ports import free_port
from infra.local.postgres import Postgres
from infra.ops import topics
from infra.paths import CACHE

TOPICS = (
    "aetherlink.events.jobcreated",
    "aetherlink.events.jobstatuschanged",
    "aetherlink.events.jobupdated",
)
PAYLOAD_BYTES = 350
"""About the size of a JobCreated."""

EVENTS_PER_STREAM = 5
ARCHIVE_STEP = 1_000_000
STATEMENT_TIMEOUT_MS = 300_000

TOPIC_SQL = f"(ARRAY[{','.join(repr(topic) for topic in TOPICS)}])"
FILL = f"""
WITH s AS (
  INSERT INTO outbox_stream (stream_key, tenant_id, shard, last_seq)
  SELECT 'job:' || gen_random_uuid(), gen_random_uuid(), i % 8, {EVENTS_PER_STREAM}
  FROM generate_series(1, {{streams}}) i RETURNING *)
INSERT INTO outbox_event (event_id, tenant_id, shard, stream_key, stream_seq, topic,
  event_type, payload)
SELECT gen_random_uuid(), tenant_id, shard, stream_key, q,
  {TOPIC_SQL}[CASE q WHEN 1 THEN 1 WHEN {EVENTS_PER_STREAM} THEN 3 ELSE 2 END], 'JobUpdated',
  convert_to('{{{{"text":"' || repeat('x', {PAYLOAD_BYTES - 11}) || '"}}}}', 'UTF8')
FROM generate_series(1, {EVENTS_PER_STREAM}) q, s
"""
ARCHIVE = """
INSERT INTO outbox_archive (id, event_id, tenant_id, shard, stream_key, stream_seq, parked,
  topic, event_type, schema_version, payload, headers, occurred_at, attempts, published_at,
  kafka_partition, kafka_offset)
SELECT i, gen_random_uuid(), '00000000-0000-0000-0000-000000000001', i % 8, 'job:' || i / 5,
  i % 5, false, 't', 'JobUpdated', 1, '{}', '{}', now(), 0, clock_timestamp(), 0, i
FROM generate_series(1, COUNT) i
"""


class KafkaAddress(Protocol):
    """What the bench needs to know of a broker."""

    api_version: str

    @property
    def bootstrap_servers(self) -> str:
        """Where clients connect, `host:port`."""
        ...


class Stack:
    """The services, and the product's settings for them."""

    def __init__(self, postgres: Postgres, kafka: KafkaAddress) -> None:
        """Use `postgres` and `kafka`, which run and have the product's schema and topics."""
        self._postgres = postgres
        self.settings = Settings().changed(
            database={
                "url": postgres.database_url("aetherlink_api"),
                "relay_url": postgres.database_url("aetherlink_relay"),
                "statement_timeout_ms": STATEMENT_TIMEOUT_MS,
            },
            kafka={
                "bootstrap_servers": kafka.bootstrap_servers,
                "api_version": kafka.api_version,
            },
        )

    @contextmanager
    def connect(self) -> Iterator[driver.Connection]:
        """Yield a connection as the relay role."""
        database = self.settings.database
        with driver.connect(database.relay_url, database, name="bench") as connection:
            yield connection

    def sql(self, statement: str) -> Any:
        """Run a statement as the superuser, however long it takes."""
        url = self._postgres.database_url("postgres")
        with driver.connect(url, self.settings.database, name="bench") as connection:
            connection.autocommit = True
            return connection.execute_simple(statement).rows

    def fill(self, events: int) -> None:
        """Replace what is in the outbox by `events` events."""
        self.empty()
        self.sql(FILL.format(streams=events // EVENTS_PER_STREAM))
        self.sql("VACUUM ANALYZE outbox_event")

    def empty(self) -> None:
        """Delete everything in the outbox."""
        self.sql("TRUNCATE outbox_event, outbox_stream")

    def archive(self, events: int) -> None:
        """Add `events` events to the archive, and let the database finish its work on them."""
        while events > 0:
            step = min(ARCHIVE_STEP, events)
            self.sql(ARCHIVE.replace("COUNT", str(step)))
            events -= step
        self.sql("VACUUM ANALYZE outbox_archive")
        self.sql("CHECKPOINT")


@contextmanager
def started_stack(home: Path) -> Iterator[Stack]:
    """Start PostgreSQL with durable settings, and Apache Kafka; yield them; stop them."""
    postgres = Postgres(home / "postgres", free_port())
    kafka = ApacheKafka(home / "kafka", free_port(), CACHE)
    try:
        postgres.start()
        migrate_database(postgres)
        kafka.start(topics.wanted(Settings()))
        yield Stack(postgres, kafka)
    finally:
        kafka.kill()
        postgres.kill()
