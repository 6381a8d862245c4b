"""The time from the commit of an event to its arrival at a consumer, at a given rate."""

import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

from confluent_kafka import Consumer, KafkaException, TopicPartition

from chalicelib.adapters.postgres import driver
from chalicelib.adapters.postgres.outbox_append import append
from chalicelib.bootstrap import container
from chalicelib.outbox.envelope import Envelope
from chalicelib.outbox.relay import Relay
from chalicelib.shared.clock import SystemClock
from chalicelib.shared.ids import uuid7
from tests.bench.stack import PAYLOAD_BYTES, TOPICS, Stack

COMMITS_PER_CONNECTION = 50
"""A commit waits for the disk, so one connection makes few a second."""

ARRIVAL_SECONDS = 15.0
BODY = b'{"text":"' + b"x" * (PAYLOAD_BYTES - 11) + b'"}'


class StoppableClock(SystemClock):
    """The machine's clock; once stopped, every deadline has passed."""

    def __init__(self) -> None:
        self._offset = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self._offset

    def stop(self) -> None:
        self._offset = 1e9


class RunningRelay:
    """A relay in a thread."""

    def __enter__(self) -> None:
        services = container().outbox
        self._clock = StoppableClock()
        relay = Relay(
            services.store("aetherlink-relay"),
            services.publisher,
            self._clock,
            services.relay_policy(),
            container().telemetry.relay_meter,
        )
        self._thread = threading.Thread(target=relay.run, args=(3_600.0,), daemon=True)
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._clock.stop()
        self._thread.join(30)


class Arrivals:
    """A consumer in a thread, and when it received each event."""

    def __init__(self, stack: Stack) -> None:
        self.times: dict[str, float] = {}
        self._stack = stack
        self._ready = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._receive, daemon=True)

    def __enter__(self) -> "Arrivals":
        self._thread.start()
        if not self._ready.wait(30):
            raise RuntimeError("the consumer did not become ready")
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)

    def _receive(self) -> None:
        consumer = Consumer(
            {
                "bootstrap.servers": self._stack.settings.kafka.bootstrap_servers,
                "group.id": str(uuid4()),
                "fetch.wait.max.ms": 5,
            }
        )
        consumer.assign(_ends(consumer))
        self._ready.set()
        while not self._stop.is_set():
            message = consumer.poll(0.05)
            if message is not None and not message.error():
                event_id = dict(message.headers())["event_id"].decode()
                self.times[event_id] = time.monotonic()
        consumer.close()


def _ends(consumer: Consumer) -> list[TopicPartition]:
    """Return the ends of the topic; a broker that has just started still elects its leaders."""
    partitions = consumer.list_topics(TOPICS[0], timeout=10).topics[TOPICS[0]].partitions
    deadline = time.monotonic() + 20
    while True:
        try:
            return [
                TopicPartition(
                    TOPICS[0],
                    number,
                    consumer.get_watermark_offsets(TopicPartition(TOPICS[0], number), timeout=10)[
                        1
                    ],
                )
                for number in partitions
            ]
        except KafkaException:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def latency(
    stack: Stack, per_second: float, seconds: float, warm_up_seconds: float
) -> dict[str, float]:
    """Return the rate reached, and the median, the 99th percentile and the maximum in ms."""
    committed: dict[str, float] = {}
    with Arrivals(stack) as arrivals, RunningRelay():
        time.sleep(warm_up_seconds)
        _commit_events(stack, per_second, seconds, committed)
        deadline = time.monotonic() + ARRIVAL_SECONDS
        while len(arrivals.times) < len(committed) and time.monotonic() < deadline:
            time.sleep(0.1)
    latencies = sorted(
        (arrivals.times[event_id] - commit_time) * 1_000
        for event_id, commit_time in committed.items()
    )
    return {
        "rate": len(latencies) / seconds,
        "p50": statistics.median(latencies),
        "p99": latencies[max(0, int(len(latencies) * 0.99) - 1)],
        "max": latencies[-1],
    }


def _commit_events(
    stack: Stack, per_second: float, seconds: float, committed: dict[str, float]
) -> None:
    writers = max(1, round(per_second / COMMITS_PER_CONNECTION))
    tenant = uuid4()
    database = stack.settings.database
    started = time.monotonic()

    def write(number: int) -> None:
        with driver.connect(database.url, database, name="bench") as connection:
            due = started + number / per_second
            while due - started < seconds:
                time.sleep(max(0.0, due - time.monotonic()))
                event_id = _commit_event(connection, tenant)
                committed[event_id] = time.monotonic()
                due += writers / per_second

    with ThreadPoolExecutor(writers) as pool:
        list(pool.map(write, range(writers)))


def _commit_event(connection: driver.Connection, tenant: UUID) -> str:
    connection.tenant = tenant
    connection.execute_simple(driver.BEGIN)
    event_id = uuid7()
    stream_key = f"job:{uuid4()}"
    now = SystemClock().now()
    envelope = Envelope(event_id, tenant, stream_key, "JobCreated", 1, TOPICS[0], BODY, now)
    append(connection, envelope, shards=8)
    connection.commit()
    return str(event_id)
