"""Four ways to drain the outbox; each returns events a second."""

import json
import os
import subprocess
import sys
import time
from tempfile import TemporaryFile

import psutil
from kafka import KafkaProducer

from chalicelib.adapters.kafka import BATCH_BYTES, client_settings
from chalicelib.bootstrap import container
from chalicelib.outbox.envelope import PendingEvent
from chalicelib.shared.ids import uuid7
from infra.paths import ROOT
from tests.bench.stack import Stack

READ_100 = """
SELECT event_id, topic, event_type, payload FROM outbox_event WHERE NOT parked
ORDER BY id LIMIT 100
"""
MARK_ONE = "UPDATE outbox_event SET parked = true WHERE event_id = $1"
TAKE_1000 = """
SELECT event_id, topic, stream_key, payload FROM outbox_event WHERE NOT parked
ORDER BY id LIMIT 1000 FOR UPDATE SKIP LOCKED
"""
MARK_MANY = "UPDATE outbox_event SET parked = true WHERE event_id = ANY($1::uuid[])"

PRODUCER_BATCH = 2_000
SAMPLE_PAGE = 20_000
MEMORY_POLL_SECONDS = 0.05

RELAY_PROGRAM = """
import json, time
from chalicelib.bootstrap import container
relay = container().outbox.relay()
started = time.monotonic()
report = relay.run(1000, until_idle=True)
print(json.dumps({"published": report.published, "seconds": time.monotonic() - started}))
"""


def one_by_one(stack: Stack, seconds: float) -> float:
    """(a) One awaited send and one commit for each event, for `seconds`."""
    producer = KafkaProducer(**client_settings(stack.settings.kafka), acks="all", linger_ms=0)
    published = 0
    started = time.monotonic()
    with stack.connect() as connection:
        while time.monotonic() - started < seconds:
            rows = connection.execute_simple(READ_100).rows
            if not rows:
                break
            for event_id, topic, event_type, payload in rows:
                producer.send(topic, payload, key=event_type.encode()).get(10)
                connection.execute_simple("begin")
                connection.execute_unnamed(MARK_ONE, (event_id,))
                connection.execute_simple("commit")
                published += 1
    elapsed = time.monotonic() - started
    producer.close()
    return published / elapsed


def skip_locked(stack: Stack) -> float:
    """(b) Batches with SKIP LOCKED and a published flag, until the outbox is empty."""
    producer = KafkaProducer(**client_settings(stack.settings.kafka), acks="all", linger_ms=5)
    published = 0
    started = time.monotonic()
    with stack.connect() as connection:
        while True:
            connection.execute_simple("begin")
            rows = connection.execute_simple(TAKE_1000).rows
            if not rows:
                connection.execute_simple("commit")
                break
            futures = [
                producer.send(topic, payload, key=stream_key.encode())
                for _, topic, stream_key, payload in rows
            ]
            producer.flush(30)
            for future in futures:
                future.get(10)
            ids = "{" + ",".join(str(row[0]) for row in rows) + "}"
            connection.execute_unnamed(MARK_MANY, (ids,))
            connection.execute_simple("commit")
            published += len(rows)
    elapsed = time.monotonic() - started
    producer.close()
    return published / elapsed


def relay(stack: Stack, events: int) -> tuple[float, float]:
    """(c) This relay in a process of its own; also returns its peak memory in MB."""
    environment = {
        **os.environ,
        "STAGE": "local",
        "RELAY_DATABASE_URL": stack.settings.database.relay_url,
        "KAFKA_BOOTSTRAP_SERVERS": stack.settings.kafka.bootstrap_servers,
        "KAFKA_API_VERSION": stack.settings.kafka.api_version,
    }
    command = [sys.executable, "-c", RELAY_PROGRAM]
    with TemporaryFile("w+") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=log, text=True
        )
        peak_bytes = _peak_memory(process)
        output, _ = process.communicate()
        log.seek(0)
        errors = log.read()[-3_000:]
    if process.returncode:
        raise RuntimeError(f"the relay ended with {process.returncode}:\n{errors}")
    report = json.loads(output)
    if report["published"] != events:
        raise RuntimeError(f"{report['published']} of {events} events were published:\n{errors}")
    return events / report["seconds"], peak_bytes / 1e6


def _peak_memory(process: "subprocess.Popen[str]") -> int:
    """Wait for the end of `process`; return the most resident memory seen, in bytes."""
    peak_bytes = 0
    status = psutil.Process(process.pid)
    while process.poll() is None:
        try:
            peak_bytes = max(peak_bytes, status.memory_info().rss)
        except psutil.NoSuchProcess:
            break
        time.sleep(MEMORY_POLL_SECONDS)
    return peak_bytes


def producer_alone(stack: Stack, events: list[PendingEvent]) -> float:
    """(d) kafka-python alone: the same records in batches of the same size."""
    producer = KafkaProducer(
        **client_settings(stack.settings.kafka),
        acks="all",
        enable_idempotence=True,
        batch_size=BATCH_BYTES,
        linger_ms=500,
    )
    producer.partitions_for(events[0].topic)
    started = time.monotonic()
    for first in range(0, len(events), PRODUCER_BATCH):
        futures = [
            producer.send(
                event.topic,
                value=event.payload,
                key=event.key,
                headers=event.record_headers(),
            )
            for event in events[first : first + PRODUCER_BATCH]
        ]
        producer.flush(30)
        if not all(future.is_done for future in futures):
            raise RuntimeError("the broker did not acknowledge every record in time")
    elapsed = time.monotonic() - started
    producer.close()
    return len(events) / elapsed


def sample(events: int) -> list[PendingEvent]:
    """Return `events` pending events, as the relay fetches them."""
    store = container().outbox.store("aetherlink-bench")
    owner = uuid7()
    shards = store.claim(owner, limit=100, seconds=60)
    fetched: list[PendingEvent] = []
    while len(fetched) < events:
        fetched += store.fetch(
            owner,
            shards,
            max_rows=SAMPLE_PAGE,
            max_bytes=10**9,
            excluded_ids=[event.id for event in fetched],
            held_streams=[],
        )
    store.release(owner)
    store.close()
    return fetched
