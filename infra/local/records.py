"""Reading the product's records from Kafka as an independent consumer would."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

RECORD_SECONDS = 90.0
"""Longest wait for a record: the relay runs once a minute."""
METADATA_SECONDS = 15
POLL_SECONDS = 0.5


class DemoFailed(Exception):
    """The main job did not go through; the text says where it stopped."""


@dataclass(frozen=True, slots=True)
class Record:
    """A record as read."""

    topic: str
    partition: int
    offset: int
    key: str
    headers: dict[str, str]
    value: dict[str, Any]

    @property
    def sequence(self) -> int:
        """Its number within its stream, from 1."""
        return int(self.headers["stream_seq"])


@contextmanager
def reading(bootstrap: str, topics: list[str], *, from_start: bool = False) -> Iterator[Consumer]:
    """Read every partition from its end, or from its start.

    Partitions are assigned by hand, so no consumer group is left behind.

    Raises:
        DemoFailed: Kafka cannot be read.
    """
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": f"demo-{uuid4()}",
            "enable.auto.commit": False,
            "log_level": 0,
            "error_cb": lambda _: None,
        }
    )
    try:
        consumer.assign(
            [
                partition
                for topic in topics
                for partition in _partitions(consumer, topic, from_start=from_start)
            ]
        )
        yield consumer
    except KafkaException as error:
        raise DemoFailed(f"cannot read from Kafka at {bootstrap}: {error}") from None
    finally:
        consumer.close()


def _partitions(consumer: Consumer, topic: str, *, from_start: bool) -> Iterator[TopicPartition]:
    metadata = consumer.list_topics(topic, timeout=METADATA_SECONDS)
    for partition in metadata.topics[topic].partitions:
        first, end = consumer.get_watermark_offsets(
            TopicPartition(topic, partition), timeout=METADATA_SECONDS
        )
        yield TopicPartition(topic, partition, first if from_start else end)


def collect(
    consumer: Consumer,
    tenant: str,
    count: int,
    *,
    say: Callable[[str], None] = lambda _: None,
    seconds: float = RECORD_SECONDS,
) -> list[Record]:
    """Return `count` different events of `tenant`, in the order in which they were read.

    Raises:
        DemoFailed: they did not all arrive within `seconds`.
    """
    records: dict[str, Record] = {}
    deadline = time.monotonic() + seconds
    while len(records) < count:
        message = consumer.poll(POLL_SECONDS)
        if message is None:
            if time.monotonic() > deadline:
                progress = f"{len(records)} of {count} records"
                raise DemoFailed(f"{progress} after {seconds:.0f} s. See `make logs`.")
            continue
        if message.error():
            if message.error().code() == KafkaError._PARTITION_EOF:
                continue
            raise DemoFailed(f"cannot read from Kafka: {message.error()}")
        headers = {name: value.decode() for name, value in message.headers() or []}
        if headers.get("tenant_id") != tenant:
            continue
        event_id = headers["event_id"]
        if event_id not in records:  # at least once: the same event may come twice
            records[event_id] = _record(message, headers)
            _print(records[event_id], say)
    return list(records.values())


def _record(message: Message, headers: dict[str, str]) -> Record:
    return Record(
        topic=message.topic(),
        partition=message.partition(),
        offset=message.offset(),
        key=message.key().decode(),
        headers=headers,
        value=json.loads(message.value()),
    )


def _print(record: Record, say: Callable[[str], None]) -> None:
    say(f"  {record.topic} [{record.partition}@{record.offset}] key={record.key}")
    say(f"      {' '.join(f'{name}={value}' for name, value in record.headers.items())}")
    say(f"      {json.dumps(record.value)}")
