"""What the checker compares: the events of the database, and the records of the topics."""

import time
from uuid import UUID, uuid4

from confluent_kafka import Consumer, TopicPartition

from tests.faults.checker import Committed, Delivered
from tests.faults.world import PARTITIONS, World

TOPICS = (
    "aetherlink.events.jobcreated",
    "aetherlink.events.jobstatuschanged",
    "aetherlink.events.jobupdated",
)
READ_SECONDS = 60.0

ALL_EVENTS = """
SELECT event_id::text, stream_key, stream_seq, parked FROM outbox_event
WHERE tenant_id = $1::uuid AND stream_key NOT LIKE 'dlq:%'
UNION ALL SELECT event_id::text, stream_key, stream_seq, false FROM outbox_archive
WHERE tenant_id = $1::uuid AND stream_key NOT LIKE 'dlq:%'
"""


def committed_events(world: World, tenant: UUID) -> list[Committed]:
    """Return every event of `tenant` in the database, pending, parked or archived."""
    with world.postgres.connect() as connection:
        rows = connection.execute_unnamed(ALL_EVENTS, (str(tenant),)).rows
    return [Committed(*row) for row in rows]


def delivered_records(world: World, tenant: UUID) -> list[Delivered]:
    """Return every record of `tenant` in the topics, read from their start to their end."""
    consumer = Consumer(
        {
            "bootstrap.servers": world.kafka.bootstrap_servers,
            "group.id": str(uuid4()),
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
        }
    )
    partitions = [
        TopicPartition(topic, number, 0) for topic in TOPICS for number in range(PARTITIONS)
    ]
    records = []
    unfinished = len(partitions)
    deadline = time.monotonic() + READ_SECONDS
    try:
        consumer.assign(partitions)
        while unfinished and time.monotonic() < deadline:
            for message in consumer.consume(2000, timeout=0.1):
                if message.error():
                    unfinished -= 1
                    continue
                headers = dict(message.headers())
                if UUID(headers["tenant_id"].decode()) != tenant:
                    continue
                records.append(
                    Delivered(
                        headers["event_id"].decode(),
                        message.key().decode(),
                        int(headers["stream_seq"]),
                        message.timestamp()[1],
                        (message.topic(), message.partition(), message.offset()),
                    )
                )
    finally:
        consumer.close()
    assert not unfinished, "the topics could not be read to their ends"
    return records
