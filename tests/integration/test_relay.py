"""The relay between a real PostgreSQL and a real broker."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from confluent_kafka import Consumer, TopicPartition
from kafka import KafkaAdminClient

from chalicelib.adapters.postgres import driver
from chalicelib.adapters.postgres.outbox_append import append
from chalicelib.bootstrap import container
from chalicelib.config import Settings
from chalicelib.outbox.envelope import Envelope
from chalicelib.outbox.policy import RelayReport
from chalicelib.shared.ids import uuid7
from infra.local.kafka import Broker
from infra.local.postgres import Postgres
from tests.conftest import Compose
from tests.fakes.clock import START

CREATED = "aetherlink.events.jobcreated"
MOVED = "aetherlink.events.jobstatuschanged"


class World:
    """An outbox to append to, a relay to run, and an independent consumer to read with."""

    def __init__(self, settings: Settings, postgres: Postgres, tenant: UUID) -> None:
        self.settings = settings
        self.postgres = postgres
        self.tenant = tenant

    def append(self, *events: tuple[str, str, bytes]) -> None:
        """Append (stream, topic, payload) each, in one transaction."""
        with driver.connect(
            self.settings.database.url, self.settings.database, name="test"
        ) as connection:
            connection.tenant = self.tenant
            connection.execute_simple(driver.BEGIN)
            for stream, topic, payload in events:
                append(
                    connection,
                    Envelope(uuid7(), self.tenant, stream, "JobCreated", 1, topic, payload, START),
                    shards=8,
                )
            connection.commit()

    def run(self) -> RelayReport:
        return container().outbox.relay().run(30, until_idle=True)

    def read(self, *topics: str) -> list[Any]:
        """Return this tenant's records of `topics`, each partition in order."""
        consumer = Consumer(
            {
                "bootstrap.servers": self.settings.kafka.bootstrap_servers,
                "group.id": str(uuid4()),
            }
        )
        records = []
        try:
            for topic in topics:
                for partition in consumer.list_topics(topic, timeout=10).topics[topic].partitions:
                    start = TopicPartition(topic, partition, 0)
                    end = consumer.get_watermark_offsets(start, timeout=10)[1]
                    consumer.assign([start])
                    while end and (message := consumer.poll(10)) is not None:
                        headers = dict(message.headers() or ())  # others may write to the topic
                        if headers.get("tenant_id") == str(self.tenant).encode():
                            records.append(message)
                        if message.offset() >= end - 1:
                            break
        finally:
            consumer.close()
        return records

    def pending(self) -> list[list[Any]]:
        with self.postgres.connect() as connection:
            query = "SELECT stream_key, stream_seq, parked, attempts FROM outbox_event ORDER BY id"
            return list(connection.execute_simple(query).rows)


@pytest.fixture
def world(
    database: Settings, broker: Broker, postgres: Postgres, composed: Compose, tenant: UUID
) -> Iterator[World]:
    settings = database.changed(
        kafka={
            "bootstrap_servers": broker.bootstrap_servers,
            "api_version": broker.api_version,
        },
        relay={"backoff_base_seconds": 0.05, "poll_seconds": 0.05},
    )
    composed(settings)
    yield World(settings, postgres, tenant)


def test_a_stream_over_several_topics_is_sent_in_order_and_archived(world: World) -> None:
    world.append(
        ("job:1", CREATED, b'{"n":1}'),
        ("job:1", MOVED, b'{"n":2}'),
        ("job:1", MOVED, b'{"n":3}'),
    )
    world.append(("job:1", CREATED, b'{"n":4}'))
    report = world.run()
    assert (report.published, report.refused, world.pending()) == (4, 0, [])
    records = world.read(CREATED, MOVED)
    assert {record.key() for record in records} == {b"job:1"}
    assert [json.loads(record.value())["n"] for record in records] == [1, 4, 2, 3]
    assert [int(dict(record.headers())["stream_seq"]) for record in records] == [1, 4, 2, 3]
    with world.postgres.connect() as connection:
        rows = connection.execute_simple(
            "SELECT stream_seq, kafka_partition, kafka_offset FROM outbox_archive"
        ).rows
    positions = {
        int(dict(record.headers())["stream_seq"]): [record.partition(), record.offset()]
        for record in records
    }
    assert {seq: position for seq, *position in rows} == positions


def test_an_event_that_is_too_large_parks_its_stream_and_no_other(world: World) -> None:
    world.append(
        ("job:1", CREATED, b'"' + b"x" * 1_200_000 + b'"'),
        ("job:2", CREATED, b"{}"),
        ("job:1", MOVED, b"{}"),
    )
    report = world.run()
    assert (report.parked, report.refused) == (1, 5)
    assert world.pending() == [["job:1", 1, True, 5], ["job:1", 2, True, 0]]
    assert [record.key() for record in world.read(CREATED, MOVED)] == [b"job:2"]
    [dead_letter] = world.read("aetherlink.events.dlq")
    headers = {name: value.decode() for name, value in dead_letter.headers()}
    assert dead_letter.key() == b"job:1"
    assert (
        headers["dlq_payload_omitted"],
        headers["dlq_attempts"],
        headers["dlq_topic"],
    ) == ("true", "5", CREATED)
    assert "record may have" in headers["dlq_error"]


def test_two_thousand_events_of_many_streams_arrive_complete_and_in_order(world: World) -> None:
    streams = [f"job:{uuid4()}" for _ in range(100)]
    for _ in range(20):
        world.append(*((stream, CREATED, b"{}") for stream in sorted(streams)))
    report = world.run()
    assert report.published == 2_000
    seen: dict[bytes, list[int]] = {}
    for record in world.read(CREATED):
        seen.setdefault(record.key(), []).append(int(dict(record.headers())["stream_seq"]))
    assert seen == {stream.encode(): list(range(1, 21)) for stream in streams}


def test_a_broker_that_is_down_costs_no_event_an_attempt(world: World, composed: Compose) -> None:
    world.append(("job:1", CREATED, b"{}"))
    unreachable = world.settings.changed(
        kafka={"bootstrap_servers": "127.0.0.1:1", "request_timeout_ms": 200}
    )
    composed(unreachable)
    report = container().outbox.relay().run(2)
    assert (report.published, report.broker_troubles > 1) == (0, True)
    assert world.pending() == [["job:1", 1, False, 0]]
    composed(world.settings)
    assert world.run().published == 1


@pytest.mark.parametrize("compression", ["gzip", "lz4"])
def test_record_batches_may_be_compressed(
    world: World, composed: Compose, compression: str
) -> None:
    composed(world.settings.changed(kafka={"compression": compression}))
    world.append(
        *((f"job:{number}", CREATED, b'{"text":"' + b"x" * 5_000 + b'"}') for number in range(20))
    )
    assert world.run().published == 20
    assert {len(record.value()) for record in world.read(CREATED)} == {5_011}


def test_of_a_batch_that_the_broker_refuses_only_the_event_at_fault_is_parked(
    world: World, broker: Broker
) -> None:
    if broker.kind != "apache":
        pytest.skip("needs a broker with topic settings: Apache Kafka")
    topic = f"aetherlink.small.{uuid4()}"
    admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap_servers)
    topic_settings = {
        "num_partitions": 1,
        "replication_factor": 1,
        "configs": {"max.message.bytes": "3000"},
    }
    admin.create_topics({topic: topic_settings}, wait_for_metadata=True)
    admin.close()
    world.append(*((f"job:{number}", topic, b"{}") for number in range(10)))
    world.append(
        ("job:5", topic, b'"' + b"x" * 4_000 + b'"'),
        ("job:5", topic, b"{}"),
        ("job:6", topic, b"{}"),
    )
    report = world.run()
    assert (report.published, report.refused, report.parked) == (12, 5, 1), (
        "eleven events and the dead letter"
    )
    assert world.pending() == [["job:5", 2, True, 5], ["job:5", 3, True, 0]]
    seen = [
        (record.key().decode(), int(dict(record.headers())["stream_seq"]))
        for record in world.read(topic)
    ]
    assert sorted(set(seen)) == sorted(
        [*((f"job:{number}", 1) for number in range(10)), ("job:6", 2)]
    )
