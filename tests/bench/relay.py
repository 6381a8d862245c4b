"""How fast the relay is: `python -m tests.bench.relay [--quick] [--json FILE]`.

Side by side in one run, on a real PostgreSQL (durable settings) and a real Apache Kafka:
(a) one awaited send and one UPDATE + COMMIT per event, 100 rows a poll; (b) batches with
SKIP LOCKED and a published flag; (c) this relay; (d) the ceiling: kafka-python alone,
sending the same bytes. Then (c) with a filled archive, its memory at its peak, and the
latency from commit to Kafka at several rates.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psutil
from confluent_kafka import Consumer, KafkaException, TopicPartition
from kafka import KafkaProducer

from chalicelib import bootstrap
from chalicelib.adapters.kafka import BATCH_BYTES
from chalicelib.adapters.postgres import driver
from chalicelib.adapters.postgres.outbox_append import append
from chalicelib.bootstrap import Container, container
from chalicelib.config import Settings
from chalicelib.outbox.envelope import Envelope, PendingEvent
from chalicelib.shared.clock import SystemClock
from chalicelib.shared.ids import uuid7
from infra.local.kafka.apache import ApacheKafka
from infra.local.ports import free_port
from infra.local.postgres import Postgres
from infra.ops import migrate, topics
from infra.paths import ROOT

TOPICS = (
    "aetherlink.events.jobcreated",
    "aetherlink.events.jobstatuschanged",
    "aetherlink.events.jobupdated",
)
TOPIC_SQL = f"(ARRAY[{','.join(repr(topic) for topic in TOPICS)}])"
PAYLOAD_BYTES = 350
"""About the size of a JobCreated."""

FILL = f"""
WITH s AS (
  INSERT INTO outbox_stream (stream_key, tenant_id, shard, last_seq)
  SELECT 'job:' || gen_random_uuid(), gen_random_uuid(), i % 8, 5 FROM generate_series(1, {{streams}}) i RETURNING *)
INSERT INTO outbox_event (event_id, tenant_id, shard, stream_key, stream_seq, topic, event_type, payload)
SELECT gen_random_uuid(), tenant_id, shard, stream_key, q, {TOPIC_SQL}[CASE q WHEN 1 THEN 1 WHEN 5 THEN 3 ELSE 2 END],
  'JobUpdated', convert_to('{{{{"text":"' || repeat('x', {PAYLOAD_BYTES - 11}) || '"}}}}', 'UTF8')
FROM generate_series(1, 5) q, s
"""
ARCHIVE = """
INSERT INTO outbox_archive (id, event_id, tenant_id, shard, stream_key, stream_seq, parked, topic, event_type,
  schema_version, payload, headers, occurred_at, attempts, published_at, kafka_partition, kafka_offset)
SELECT i, gen_random_uuid(), '00000000-0000-0000-0000-000000000001', i % 8, 'job:' || i / 5, i % 5, false, 't',
  'JobUpdated', 1, '{}', '{}', now(), 0, clock_timestamp(), 0, i
FROM generate_series(1, COUNT) i
"""


class Bench:
    """The parts, and each way of draining them."""

    def __init__(self, home: Path) -> None:
        self.postgres = Postgres(home / "postgres", free_port())
        self.kafka = ApacheKafka(home / "kafka", free_port(), ROOT / ".local" / "cache")
        self.settings = Settings()

    def start(self) -> None:
        """Start the parts; make schema and topics."""
        self.postgres.start()
        self.postgres.create_database()
        migrate.upgrade(self.postgres.database_url())
        passwords = self.postgres.passwords()
        migrate.set_passwords(
            self.postgres.database_url(), {role: passwords[role] for role in migrate.LOGIN_ROLES}
        )
        self.kafka.start(topics.wanted(Settings()))
        self.settings = Settings().changed(
            database={
                "url": self.postgres.database_url("aetherlink_api"),
                "relay_url": self.postgres.database_url("aetherlink_relay"),
                "statement_timeout_ms": 300_000,
            },
            kafka={"bootstrap_servers": self.kafka.bootstrap_servers},
        )

    def stop(self) -> None:
        """Stop the parts."""
        self.kafka.kill()
        self.postgres.kill()

    def sql(self, statement: str) -> Any:
        """Run a statement as the superuser, however long it takes."""
        url = self.postgres.database_url("postgres")
        with driver.connect(url, self.settings.database, name="bench") as connection:
            connection.autocommit = True
            return connection.execute_simple(statement).rows

    def fill(self, events: int) -> None:
        """Put `events` into the outbox, 5 to a stream."""
        self.sql("TRUNCATE outbox_event, outbox_stream")
        self.sql(FILL.format(streams=events // 5))
        self.sql("VACUUM ANALYZE outbox_event")

    def original(self, seconds: float) -> float:
        """(a) Return events a second of one awaited send and one commit per event."""
        producer = KafkaProducer(
            bootstrap_servers=self.kafka.bootstrap_servers, acks="all", linger_ms=0
        )
        done = 0
        until = time.monotonic() + seconds
        started = time.monotonic()
        with driver.connect(
            self.settings.database.relay_url, self.settings.database, name="bench"
        ) as connection:
            while time.monotonic() < until:
                rows = connection.execute_simple(
                    "SELECT event_id, topic, event_type, payload FROM outbox_event WHERE NOT parked ORDER BY id"
                    " LIMIT 100"
                ).rows
                for event_id, topic, kind, payload in rows:
                    producer.send(topic, payload, key=kind.encode()).get(10)
                    connection.execute_simple("begin")
                    connection.execute_unnamed(
                        "UPDATE outbox_event SET parked = true WHERE event_id = $1",
                        (event_id,),
                    )
                    connection.execute_simple("commit")
                    done += 1
        producer.close()
        return done / (time.monotonic() - started)

    def naive(self) -> float:
        """(b) Return events a second of batches with SKIP LOCKED and a published flag."""
        producer = KafkaProducer(
            bootstrap_servers=self.kafka.bootstrap_servers, acks="all", linger_ms=5
        )
        done = 0
        started = time.monotonic()
        with driver.connect(
            self.settings.database.relay_url, self.settings.database, name="bench"
        ) as connection:
            while True:
                connection.execute_simple("begin")
                rows = connection.execute_simple(
                    "SELECT event_id, topic, stream_key, payload FROM outbox_event WHERE NOT parked ORDER BY id"
                    " LIMIT 1000 FOR UPDATE SKIP LOCKED"
                ).rows
                if not rows:
                    connection.execute_simple("commit")
                    break
                futures = [
                    producer.send(topic, payload, key=key.encode())
                    for _, topic, key, payload in rows
                ]
                producer.flush(30)
                for future in futures:
                    future.get(10)
                ids = "{" + ",".join(str(row[0]) for row in rows) + "}"
                connection.execute_unnamed(
                    "UPDATE outbox_event SET parked = true WHERE event_id = ANY($1::uuid[])",
                    (ids,),
                )
                connection.execute_simple("commit")
                done += len(rows)
        producer.close()
        return done / (time.monotonic() - started)

    def ours(self, events: int) -> tuple[float, float]:
        """(c) Return events a second of this relay, in a process of its own, and its peak memory in MB."""
        env = {
            **os.environ,
            "STAGE": "local",
            "RELAY_DATABASE_URL": self.settings.database.relay_url,
            "KAFKA_BOOTSTRAP_SERVERS": self.kafka.bootstrap_servers,
        }
        command = [sys.executable, "-c", RELAY_PROGRAM]
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        watched = psutil.Process(process.pid)
        peak = 0
        while process.poll() is None:
            try:
                peak = max(peak, watched.memory_info().rss)
            except psutil.NoSuchProcess:
                break
            time.sleep(0.05)
        said = json.loads(process.stdout.read())  # type: ignore[union-attr]
        assert said["published"] == events, said
        return events / said["seconds"], peak / 1e6

    def ceiling(self, events: list[PendingEvent]) -> float:
        """(d) Return events a second of kafka-python alone, sending the same bytes in the same flights."""
        producer = KafkaProducer(
            bootstrap_servers=self.kafka.bootstrap_servers,
            acks="all",
            enable_idempotence=True,
            batch_size=BATCH_BYTES,
            linger_ms=500,
        )
        producer.partitions_for(events[0].topic)
        started = time.monotonic()
        for first in range(0, len(events), 2_000):
            futures = [
                producer.send(
                    event.topic,
                    value=event.payload,
                    key=event.key,
                    headers=event.record_headers(),
                )
                for event in events[first : first + 2_000]
            ]
            producer.flush(30)
        assert all(future.is_done for future in futures)
        seconds = time.monotonic() - started
        producer.close()
        return len(events) / seconds

    def sample(self, events: int) -> list[PendingEvent]:
        """Return what waits in the outbox, as the relay fetches it."""
        store = container().outbox.store("aetherlink-bench")
        owner = uuid7()
        shards = store.claim(owner, limit=100, seconds=60)
        sample: list[PendingEvent] = []
        while len(sample) < events:
            sample += store.fetch(
                owner,
                shards,
                max_rows=20_000,
                max_bytes=10**9,
                excluded_ids=[event.id for event in sample],
                held_streams=[],
            )
        store.release(owner)
        store.close()
        return sample

    def latency(self, per_second: float, seconds: float) -> dict[str, float]:
        """Return the time from commit to a consumer's hands, in ms: p50, p99 and the largest."""
        committed: dict[str, float] = {}
        received: dict[str, float] = {}
        stop = threading.Event()
        ready = threading.Event()
        reader = threading.Thread(target=self._receive, args=(received, stop, ready), daemon=True)
        reader.start()
        ready.wait(20)
        relay = threading.Thread(
            target=lambda: container().outbox.relay().run(seconds + 10), daemon=True
        )
        relay.start()
        time.sleep(2)
        writers = max(
            1, round(per_second / 50)
        )  # a commit waits for the disk: one connection makes few
        started = time.monotonic()

        def write(number: int) -> None:
            with driver.connect(
                self.settings.database.url, self.settings.database, name="bench"
            ) as connection:
                due = started + number / per_second
                while due - started < seconds:
                    time.sleep(max(0.0, due - time.monotonic()))
                    event_id = self._commit(connection, tenant)
                    committed[event_id] = time.monotonic()
                    due += writers / per_second

        tenant = uuid4()
        with ThreadPoolExecutor(writers) as pool:
            list(pool.map(write, range(writers)))
        deadline = time.monotonic() + 15
        while len(received) < len(committed) and time.monotonic() < deadline:
            time.sleep(0.1)
        stop.set()
        reader.join(10)
        relay.join(30)
        took = sorted((received[event_id] - at) * 1_000 for event_id, at in committed.items())
        rate = len(took) / seconds
        return {
            "rate": rate,
            "p50": statistics.median(took),
            "p99": took[int(len(took) * 0.99) - 1],
            "max": took[-1],
        }

    def _commit(self, connection: driver.Connection, tenant: UUID) -> str:
        connection.tenant = tenant
        connection.execute_simple(driver.BEGIN)
        event_id = uuid7()
        body = b'{"text":"' + b"x" * (PAYLOAD_BYTES - 11) + b'"}'
        append(
            connection,
            Envelope(
                event_id,
                tenant,
                f"job:{uuid4()}",
                "JobCreated",
                1,
                "aetherlink.events.jobcreated",
                body,
                SystemClock().now(),
            ),
            shards=8,
        )
        connection.commit()
        return str(event_id)

    def _receive(
        self, received: dict[str, float], stop: threading.Event, ready: threading.Event
    ) -> None:
        consumer = Consumer(
            {
                "bootstrap.servers": self.kafka.bootstrap_servers,
                "group.id": str(uuid4()),
                "fetch.wait.max.ms": 5,
            }
        )
        topic = TOPICS[0]
        deadline = time.monotonic() + 20
        while True:
            try:
                ends = [
                    consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=10)[1]
                    for p in range(3)
                ]
                break
            except KafkaException:  # a broker that has just started still chooses its leaders
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
        consumer.assign([TopicPartition(topic, p, end) for p, end in enumerate(ends)])
        ready.set()
        while not stop.is_set():
            message = consumer.poll(0.05)
            if message is not None and not message.error():
                received[dict(message.headers())["event_id"].decode()] = time.monotonic()
        consumer.close()


RELAY_PROGRAM = """
import json, time
from chalicelib.bootstrap import container
relay = container().outbox.relay()
started = time.monotonic()
report = relay.run(1000, until_idle=True)
print(json.dumps({"published": report.published, "seconds": time.monotonic() - started}))
"""


def measure(
    bench: Bench,
    events: int,
    archived: list[int],
    rates: list[int],
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Run everything; return the figures."""
    bench.fill(events)
    original = bench.original(8)
    say(f"(a) one send, one commit an event   {original:9.0f} events/s")
    bench.fill(events)
    naive = bench.naive()
    say(f"(b) batches, SKIP LOCKED, a flag    {naive:9.0f} events/s")
    bench.fill(events)
    sample = bench.sample(events)
    runs = []
    for _ in range(3):
        bench.fill(events)
        ours, memory = bench.ours(events)
        runs.append((ours, memory, bench.ceiling(sample)))
    ours = statistics.median(run[0] for run in runs)
    ceiling = statistics.median(run[2] for run in runs)
    memory = max(run[1] for run in runs)
    say(f"(c) this relay                      {ours:9.0f} events/s, {memory:.0f} MB at its peak")
    say(f"(d) kafka-python alone              {ceiling:9.0f} events/s")
    say(
        f"    (c) is {ours / ceiling:.2f} of (d), {ours / original:.0f} x (a), {ours / naive:.1f} x (b)"
    )
    filled: list[dict[str, float]] = []
    there = 0
    for wanted in archived:
        while there < wanted:
            step = min(1_000_000, wanted - there)
            bench.sql(ARCHIVE.replace("COUNT", str(step)))
            there += step
        if wanted:
            bench.sql("VACUUM ANALYZE outbox_archive")
            bench.sql("CHECKPOINT")  # what filling it left to do is not the relay's
        best = 0.0
        for _ in range(2):
            bench.fill(events)
            speed, used = bench.ours(events)
            best = max(best, speed)
            memory = max(memory, used)
        filled.append({"archived": wanted, "per_second": best})
        say(f"    with {wanted:>10,} archived        {best:9.0f} events/s")
    return {
        "events": events,
        "original": original,
        "naive": naive,
        "ours": ours,
        "ceiling": ceiling,
        "memory_mb": memory,
        "archived": filled,
        "latency": latencies(bench, rates, say),
    }


def latencies(bench: Bench, rates: list[int], say: Callable[[str], None]) -> list[dict[str, float]]:
    """Return the time from commit to Kafka at each of `rates`, events a second."""
    measured = []
    for rate in rates:
        bench.sql("TRUNCATE outbox_event, outbox_stream")
        one = bench.latency(rate, 20)
        measured.append({"wanted": rate, **one})
        spread = ", ".join(f"{name} {one[name]:.0f} ms" for name in ("p50", "p99", "max"))
        say(f"    commit to Kafka at {one['rate']:6.0f}/s: {spread}")
    return measured


def main() -> int:
    """Run the bench; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.relay", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="20,000 events, no filled archive, one latency"
    )
    parser.add_argument("--latency", action="store_true", help="latencies alone")
    parser.add_argument("--json", type=Path, help="write the figures there")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="aetherlink-bench-") as folder:
        Path(folder).chmod(0o711)
        bench = Bench(Path(folder))
        try:
            bench.start()
            bootstrap.use(Container(bench.settings))
            say = lambda line: print(line, flush=True)
            if chosen.latency:
                figures: dict[str, Any] = {"latency": latencies(bench, [1, 100, 1_000], say)}
            else:
                full = (100_000, [0, 1_000_000, 10_000_000], [1, 100, 1_000])
                figures = measure(bench, *((20_000, [0], [100]) if chosen.quick else full), say)
        finally:
            bench.stop()
    if chosen.json:
        chosen.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
