"""The publisher on kafka-python: record batches that are taken or refused as a whole.

Every wait is bounded.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any

from kafka import KafkaAdminClient, KafkaProducer, errors
from kafka.partitioner.default import murmur2

from chalicelib.config.kafka import KafkaSettings
from chalicelib.outbox.batching import record_bytes
from chalicelib.outbox.envelope import PendingEvent
from chalicelib.outbox.ports import Acknowledged, Outcome, Refused, Unreachable
from chalicelib.shared.errors import Misconfigured

# The relay logs every failure once, with its context.
logging.getLogger("kafka").setLevel(logging.CRITICAL)

BATCH_BYTES = 524_288
"""Kafka's batch size: 16 KB, the default, reaches 25k messages a second instead of 38k."""

MAX_RECORD_BYTES = 1_000_000
"""What a broker takes by default (`message.max.bytes`, 1,048,588), less the record's framing."""

LINGER_MS = 60_000
"""Longer than any batch takes: it leaves whole when it is flushed, never in parts by time."""

CLOSE_SECONDS = 1.0
TOPICS_MAX_AGE_SECONDS = 1.0
MAX_CACHED_HASHES = 50_000

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
"""Answers that blame the records; any other blames the broker or the network."""


def client_settings(settings: KafkaSettings) -> dict[str, Any]:
    """Return the arguments with which kafka-python's clients reach the brokers.

    Raises:
        errors.Misconfigured: no brokers are named.
    """
    servers = [server.strip() for server in settings.bootstrap_servers.split(",") if server.strip()]
    if not servers:
        raise Misconfigured(
            "No Kafka brokers are configured. Set KAFKA_BOOTSTRAP_SERVERS to host:port."
        )
    arguments: dict[str, Any] = {
        "bootstrap_servers": servers,
        "security_protocol": settings.security_protocol,
        "request_timeout_ms": settings.request_timeout_ms,
        "bootstrap_timeout_ms": settings.request_timeout_ms,
        "client_id": "aetherlink",
    }
    if settings.api_version:
        arguments["api_version"] = tuple(int(part) for part in settings.api_version.split("."))
    if settings.sasl_mechanism:
        arguments["sasl_mechanism"] = settings.sasl_mechanism
        if settings.sasl_mechanism != "AWS_MSK_IAM":
            arguments["sasl_plain_username"] = settings.username
            arguments["sasl_plain_password"] = settings.password
    return arguments


class KafkaPublisher:
    """A `Publisher`.

    It is replaced after the first failure: a producer that stalled once can stay blocked.
    """

    def __init__(
        self, settings: KafkaSettings, on_connect_failed: Callable[[], object] = lambda: None
    ) -> None:
        """Prepare; nothing is connected before the first event needs a partition.

        `on_connect_failed` is called when connecting fails. kafka-python reports a refused
        login as a timeout, so the password may have been changed: the callback fetches it
        again for the next publisher.
        """
        self._settings = settings
        self._on_connect_failed = on_connect_failed
        self._producer: KafkaProducer | None = None
        self._flusher = ThreadPoolExecutor(max_workers=1, thread_name_prefix="kafka-flush")
        self._partition_counts: dict[str, int] = {}
        self._hashes: dict[str, int] = {}
        self._topics_read_at = float("-inf")

    def partition_of(self, event: PendingEvent) -> Hashable | Refused | Unreachable:
        """Return the topic and partition of the event, or why it has none."""
        count = self._partition_count(event.topic)
        if not isinstance(count, int):
            return count
        size = record_bytes(event)
        if size > MAX_RECORD_BYTES:
            return Refused(
                f"The event is about {size} bytes; a record may have {MAX_RECORD_BYTES}.",
                alone=True,
            )
        return event.topic, self._hash(event) % count

    def send(self, events: Sequence[PendingEvent]) -> "KafkaSentBatch":
        """Send `events`; those of one partition share a record batch."""
        producer = self._producer
        if producer is None:
            no_connection = Unreachable("there is no connection: no event has a partition yet")
            return KafkaSentBatch(events, [], None, no_connection)
        futures = []
        failure = None
        for event in events:
            try:
                future = producer.send(
                    event.topic,
                    value=event.payload,
                    key=event.key,
                    headers=event.record_headers(),
                    partition=self._hash(event) % self._partition_counts[event.topic],
                )
            except errors.KafkaError as error:
                # The rest is not sent: nothing may overtake this event.
                failure = Unreachable(describe(error))
                break
            futures.append(future)
        flushed = self._flusher.submit(producer.flush, self._delivery_seconds())
        return KafkaSentBatch(events, futures, flushed, failure)

    def close(self) -> None:
        """Close the producer within bounded time; never raises."""
        producer = self._producer
        self._producer = None
        if producer is not None:
            try:
                producer.close(timeout=CLOSE_SECONDS)
            except Exception:  # noqa: BLE001 # whatever happens, closing must end
                producer._sender.force_close()
        self._flusher.shutdown(wait=False, cancel_futures=True)

    def _hash(self, event: PendingEvent) -> int:
        """Return the hash of the key as every Kafka client computes it.

        It is cached because it is slow in Python.
        """
        key_hash = self._hashes.get(event.stream_key)
        if key_hash is None:
            if len(self._hashes) >= MAX_CACHED_HASHES:
                self._hashes.clear()
            key_hash = murmur2(event.key) & 0x7FFFFFFF
            self._hashes[event.stream_key] = key_hash
        return key_hash

    def _delivery_seconds(self) -> float:
        return self._settings.delivery_timeout_ms / 1_000

    def _partition_count(self, topic: str) -> int | Refused | Unreachable:
        if topic not in self._partition_counts:
            try:
                self._connect()
                self._read_topics()
            except (errors.KafkaError, OSError, ValueError) as error:
                self._on_connect_failed()
                return Unreachable(describe(error))
        if topic not in self._partition_counts:
            return Refused(
                f"The broker has no topic {topic}. Create it: python -m infra.ops topics.",
                alone=True,
            )
        return self._partition_counts[topic]

    def _read_topics(self) -> None:
        """Read which topics exist, at most once a second.

        Events of a topic that does not exist would otherwise slow down all others.
        """
        if time.monotonic() - self._topics_read_at < TOPICS_MAX_AGE_SECONDS:
            return
        admin = KafkaAdminClient(**client_settings(self._settings))
        try:
            self._partition_counts = {
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
        compression = self._settings.compression
        producer = KafkaProducer(
            **client_settings(self._settings),
            acks="all",
            enable_idempotence=True,
            batch_size=BATCH_BYTES,
            linger_ms=LINGER_MS,
            delivery_timeout_ms=LINGER_MS + self._settings.delivery_timeout_ms,
            max_block_ms=self._settings.request_timeout_ms,
            compression_type=None if compression == "none" else compression,
            allow_auto_create_topics=False,
        )
        # A record batch that is too large must fail whole: of two halves, the second could
        # arrive without the first.
        producer._sender._can_split = lambda *_: False
        self._producer = producer


class KafkaSentBatch:
    """A `SentBatch`: records on their way."""

    def __init__(
        self,
        events: Sequence[PendingEvent],
        futures: Sequence[Any],
        flushed: Future[None] | None,
        failure: Unreachable | None,
    ) -> None:
        """Hold one of kafka-python's futures for each of the first events.

        Events past the end of `futures` were not sent, because of `failure`.
        """
        self._events = events
        self._futures = futures
        self._flushed = flushed
        self._failure = failure

    def wait(self, timeout: float) -> list[Outcome]:
        """Wait up to `timeout` seconds; the outcome of an unfinished event is `Unreachable`."""
        late = Unreachable("no acknowledgement in time")
        if self._flushed is not None:
            try:
                self._flushed.result(timeout)
            except (errors.KafkaError, FutureTimeoutError) as error:
                late = Unreachable(describe(error))
        batch_sizes = Counter(id(future._produce_future) for future in self._futures)
        outcomes: list[Outcome] = []
        for event, future in zip(self._events, self._futures, strict=False):
            if not future.is_done:
                outcomes.append(late)
            else:
                alone = batch_sizes[id(future._produce_future)] == 1
                outcomes.append(_outcome(event, future, alone=alone))
        unsent = len(self._events) - len(outcomes)
        return outcomes + [self._failure or Unreachable("not sent")] * unsent


def _outcome(event: PendingEvent, future: Any, *, alone: bool) -> Outcome:
    """Return the outcome of a finished `future`; `alone` in its record batch or not."""
    if future.succeeded():
        metadata = future.value
        return Acknowledged(event.id, event.event_id, metadata.partition, metadata.offset)
    if isinstance(future.exception, REFUSALS):
        return Refused(describe(future.exception), alone=alone)
    return Unreachable(describe(future.exception))


def describe(error: BaseException) -> str:
    """Return the name and the text of an error, in one line."""
    return f"{type(error).__name__}: {error}".strip().replace("\n", " ")
