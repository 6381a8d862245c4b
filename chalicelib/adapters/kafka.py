"""The publisher on kafka-python: one record batch a partition, acknowledged all or nothing, every wait bounded."""

import logging
import time
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from typing import Any

from kafka import KafkaAdminClient, KafkaProducer, errors
from kafka.partitioner.default import murmur2

from chalicelib.config.kafka import KafkaSettings
from chalicelib.outbox.batching import RECORD_OVERHEAD_BYTES
from chalicelib.outbox.envelope import PendingEvent
from chalicelib.outbox.ports import Acknowledged, Outcome, Refused, Unreachable
from chalicelib.shared.errors import Misconfigured

logging.getLogger("kafka").setLevel(
    logging.CRITICAL
)  # trouble is told once, by the relay, in its own words

BATCH_BYTES = 524_288
"""Kafka's batch size: 16 KB instead makes 25k messages a second out of 38k."""

MAX_RECORD_BYTES = 1_000_000
"""What a broker takes by default (`message.max.bytes`, 1,048,588 bytes), less the record's framing."""

LINGER_MS = 60_000
"""Longer than any flight: a batch leaves when the flight is flushed, whole, and never by time in two halves."""

CLOSE_SECONDS = 1.0
TOPICS_KEPT_SECONDS = 1.0
HASHES_KEPT = 50_000

REFUSALS = (
    errors.MessageSizeTooLargeError,
    errors.RecordListTooLargeError,
    errors.InvalidRecordError,
    errors.InvalidTimestampError,
    errors.CorruptRecordError,
    errors.InvalidTopicError,
    errors.TopicAuthorizationFailedError,
    errors.UnknownTopicOrPartitionError,
    errors.PolicyViolationError,
)
"""Answers that blame the records; any other blames the broker or the way to it."""


def client_settings(settings: KafkaSettings) -> dict[str, Any]:
    """Return how kafka-python reaches the brokers.

    Raises:
        errors.Misconfigured: no brokers are named.
    """
    servers = [server.strip() for server in settings.bootstrap_servers.split(",") if server.strip()]
    if not servers:
        raise Misconfigured(
            "No Kafka brokers are configured. Set KAFKA_BOOTSTRAP_SERVERS to host:port."
        )
    chosen: dict[str, Any] = {
        "bootstrap_servers": servers,
        "security_protocol": settings.security_protocol,
        "request_timeout_ms": settings.request_timeout_ms,
        "bootstrap_timeout_ms": settings.request_timeout_ms,
        "client_id": "aetherlink",
    }
    if settings.api_version:
        chosen["api_version"] = tuple(int(part) for part in settings.api_version.split("."))
    if settings.sasl_mechanism:
        chosen["sasl_mechanism"] = settings.sasl_mechanism
        if settings.sasl_mechanism != "AWS_MSK_IAM":
            chosen["sasl_plain_username"] = settings.username
            chosen["sasl_plain_password"] = settings.password
    return chosen


class KafkaPublisher:
    """A `Publisher`. Made for one run, dropped after the first trouble: a producer that stalled can wedge for good."""

    def __init__(
        self, settings: KafkaSettings, on_no_way_in: Callable[[], object] = lambda: None
    ) -> None:
        """Prepare; nothing is connected before the first event needs a place.

        `on_no_way_in` is told when connecting fails: kafka-python makes a timeout of a
        login that is refused, so whoever keeps the password looks whether there is another
        one, for the next publisher's sake.
        """
        self._settings = settings
        self._on_no_way_in = on_no_way_in
        self._producer: KafkaProducer | None = None
        self._flusher = ThreadPoolExecutor(max_workers=1, thread_name_prefix="kafka-flush")
        self._partitions: dict[str, int] = {}
        self._hashes: dict[str, int] = {}
        self._topics_read_at = float("-inf")

    def place(self, event: PendingEvent) -> Hashable | Refused | Unreachable:
        """Return the topic and partition, or why there is none."""
        count = self._partition_count(event.topic)
        if not isinstance(count, int):
            return count
        size = len(event.payload) + len(event.headers) + RECORD_OVERHEAD_BYTES
        if size > MAX_RECORD_BYTES:
            return Refused(
                f"The event is about {size} bytes; a record may have {MAX_RECORD_BYTES}.",
                alone=True,
            )
        return event.topic, self._hash(event) % count

    def launch(self, events: Sequence[PendingEvent]) -> "KafkaFlight":
        """Send `events`; those of one place share a record batch."""
        producer = self._producer
        sent = []
        failed = None
        if producer is None:
            return KafkaFlight(
                events, [], None, Unreachable("there is no connection: no event was placed")
            )
        for event in events:
            partition = self._hash(event) % self._partitions[event.topic]
            try:
                sent.append(
                    producer.send(
                        event.topic,
                        value=event.payload,
                        key=event.key,
                        headers=event.record_headers(),
                        partition=partition,
                    )
                )
            except (
                errors.KafkaError
            ) as problem:  # the rest stays behind: nothing may overtake this one
                failed = Unreachable(describe(problem))
                break
        return KafkaFlight(
            events,
            sent,
            self._flusher.submit(producer.flush, self._delivery_seconds()),
            failed,
        )

    def close(self) -> None:
        """Drop the producer within bounded time; never raises."""
        producer = self._producer
        self._producer = None
        if producer is not None:
            try:
                producer.close(timeout=CLOSE_SECONDS)
            except Exception:
                producer._sender.force_close()
        self._flusher.shutdown(wait=False, cancel_futures=True)

    def _hash(self, event: PendingEvent) -> int:
        """Return the key's hash as every Kafka client computes it; kept, for in Python it is slow."""
        known = self._hashes.get(event.stream_key)
        if known is None:
            if len(self._hashes) >= HASHES_KEPT:
                self._hashes.clear()
            known = self._hashes[event.stream_key] = murmur2(event.key) & 0x7FFFFFFF
        return known

    def _delivery_seconds(self) -> float:
        return self._settings.delivery_timeout_ms / 1_000

    def _partition_count(self, topic: str) -> int | Refused | Unreachable:
        if topic not in self._partitions:
            try:
                self._connect()
                self._read_topics()
            except (errors.KafkaError, OSError, ValueError) as problem:
                self._on_no_way_in()
                return Unreachable(describe(problem))
        if topic not in self._partitions:
            return Refused(
                f"The broker has no topic {topic}. Create it: python -m infra.ops topics.",
                alone=True,
            )
        return self._partitions[topic]

    def _read_topics(self) -> None:
        """Ask which topics there are, at most once a second: waiting for an unknown one would hold up all others."""
        if time.monotonic() - self._topics_read_at < TOPICS_KEPT_SECONDS:
            return
        admin = KafkaAdminClient(**client_settings(self._settings))
        try:
            self._partitions = {
                topic["name"]: len(topic["partitions"])
                for topic in admin.describe_topics()
                if topic["partitions"]
            }
        finally:
            admin.close()
        self._topics_read_at = time.monotonic()

    def _connect(self) -> None:
        if self._producer is not None:
            return
        producer = KafkaProducer(
            **client_settings(self._settings),
            acks="all",
            enable_idempotence=True,
            batch_size=BATCH_BYTES,
            linger_ms=LINGER_MS,
            delivery_timeout_ms=LINGER_MS + self._settings.delivery_timeout_ms,
            max_block_ms=self._settings.request_timeout_ms,
            compression_type=None
            if self._settings.compression == "none"
            else self._settings.compression,
            allow_auto_create_topics=False,
        )
        # A batch that is too large must fail whole: of two halves the second could arrive
        # without the first.
        producer._sender._can_split = lambda *_: False
        self._producer = producer


class KafkaFlight:
    """Records on their way."""

    def __init__(
        self,
        events: Sequence[PendingEvent],
        sent: Sequence[Any],
        flushed: Future[None] | None,
        failed: Unreachable | None,
    ) -> None:
        """Hold what `sent` holds the futures of; events past its end were never sent, because of `failed`."""
        self._events = events
        self._sent = sent
        self._flushed = flushed
        self._failed = failed

    def land(self, timeout: float) -> list[Outcome]:
        """Wait up to `timeout` seconds; what has no acknowledgement by then is not acknowledged."""
        late = "no acknowledgement in time"
        if self._flushed is not None:
            try:
                self._flushed.result(timeout)
            except (errors.KafkaError, NotYet) as problem:
                late = describe(problem)
        companions: dict[Any, int] = {}
        for future in self._sent:
            companions[id(future._produce_future)] = (
                companions.get(id(future._produce_future), 0) + 1
            )
        landed: list[Outcome] = []
        for event, future in zip(self._events, self._sent, strict=False):
            if not future.is_done:
                landed.append(Unreachable(late))
            elif future.succeeded():
                landed.append(
                    Acknowledged(
                        event.id,
                        event.event_id,
                        future.value.partition,
                        future.value.offset,
                    )
                )
            elif isinstance(future.exception, REFUSALS):
                landed.append(
                    Refused(
                        describe(future.exception),
                        alone=companions[id(future._produce_future)] == 1,
                    )
                )
            else:
                landed.append(Unreachable(describe(future.exception)))
        rest = len(self._events) - len(landed)
        return landed + [self._failed or Unreachable("not sent")] * rest


def describe(problem: BaseException) -> str:
    """Return an error's name and text, in one line."""
    return f"{type(problem).__name__}: {problem}".strip().replace("\n", " ")
