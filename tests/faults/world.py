"""Real parts behind proxies, writers that never stop, relays to torment, and the evidence for the checker."""

import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from uuid import UUID, uuid4

import pg8000.dbapi
from confluent_kafka import Consumer, TopicPartition
from kafka import KafkaAdminClient

from chalicelib.adapters.postgres import driver
from chalicelib.adapters.postgres.outbox_append import append
from chalicelib.config import Settings
from chalicelib.config.database import DatabaseSettings
from chalicelib.outbox.envelope import Envelope
from chalicelib.shared.errors import Unavailable
from chalicelib.shared.ids import uuid7
from infra.local.kafka.apache import ApacheKafka
from infra.local.ports import free_port
from infra.local.postgres import Postgres
from infra.ops import migrate, topics
from infra.paths import ROOT
from tests.fakes.clock import START
from tests.faults.checker import Committed, Delivered, Findings, check
from tests.integration.proxy import Proxy

TOPICS = (
    "aetherlink.events.jobcreated",
    "aetherlink.events.jobstatuschanged",
    "aetherlink.events.jobupdated",
)
ROLLED_BACK = 0.15
DELAYED = 0.1
"""Shares of the writers' transactions that roll back, and that linger before they commit."""

EVERYTHING = """
SELECT event_id::text, stream_key, stream_seq, parked FROM outbox_event
WHERE tenant_id = $1::uuid AND stream_key NOT LIKE 'dlq:%'
UNION ALL SELECT event_id::text, stream_key, stream_seq, false FROM outbox_archive
WHERE tenant_id = $1::uuid AND stream_key NOT LIKE 'dlq:%'
"""


class World:
    """One PostgreSQL, one Kafka, each behind a proxy."""

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="aetherlink-faults-"))
        self.home.chmod(0o711)
        self.postgres = Postgres(self.home / "postgres", free_port(), fast=True)
        broker_port = free_port()
        self.kafka_proxy = Proxy(broker_port)
        self.postgres_proxy = Proxy(self.postgres.port)
        cache = ROOT / ".local" / "cache"
        self.kafka = ApacheKafka(
            self.home / "kafka", broker_port, cache, advertised_port=self.kafka_proxy.port
        )

    def __enter__(self) -> "World":
        self.kafka_proxy.__enter__()
        self.postgres_proxy.__enter__()
        self.postgres.start()
        self.postgres.create_database()
        migrate.upgrade(self.postgres.database_url())
        passwords = self.postgres.passwords()
        migrate.set_passwords(
            self.postgres.database_url(), {role: passwords[role] for role in migrate.LOGIN_ROLES}
        )
        self.kafka.start({})
        admin = KafkaAdminClient(bootstrap_servers=self.kafka.bootstrap_servers)
        stamped = {
            "num_partitions": 3,
            "replication_factor": 1,
            "configs": {"message.timestamp.type": "LogAppendTime"},
        }
        admin.create_topics(
            dict.fromkeys(topics.names(Settings()), stamped), wait_for_metadata=True
        )
        admin.close()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kafka_proxy.__exit__(kind, problem, trace)
        self.postgres_proxy.__exit__(kind, problem, trace)
        self.kafka.kill()
        self.postgres.kill()
        shutil.rmtree(self.home, ignore_errors=True)

    def environment(self, **settings: str) -> dict[str, str]:
        """Return the settings of a relay that reaches everything through the proxies."""
        url = self.postgres.database_url("aetherlink_relay").replace(
            f":{self.postgres.port}/", f":{self.postgres_proxy.port}/"
        )
        return {
            **os.environ,
            "STAGE": "local",
            "RELAY_DATABASE_URL": url,
            "KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{self.kafka_proxy.port}",
            "RELAY_POLL_SECONDS": "0.1",
            "RELAY_BACKOFF_BASE_SECONDS": "0.1",
            "RELAY_BACKOFF_MAX_SECONDS": "1",
            "RELAY_LEASE_MARGIN_SECONDS": "0.5",
            "KAFKA_REQUEST_TIMEOUT_MS": "2000",
            "KAFKA_DELIVERY_TIMEOUT_MS": "3000",
            "DATABASE_STATEMENT_TIMEOUT_MS": "3000",
            "DATABASE_CONNECT_TIMEOUT_SECONDS": "2",
            **settings,
        }

    def relay(self, *arguments: str, **settings: str) -> "subprocess.Popen[bytes]":
        """Start a relay process."""
        command = [sys.executable, "-m", "tests.faults.relay_process", *arguments]
        with (self.home / "relay.log").open("ab") as log:
            return subprocess.Popen(
                command, cwd=ROOT, env=self.environment(**settings), stdout=log, stderr=log
            )

    def drain(self, seconds: float = 60.0) -> None:
        """Let a healthy relay finish what is left."""
        relay = self.relay("--until-idle", "--seconds", str(seconds), RELAY_WAVE_ROWS="2000")
        relay.wait(seconds + 30)
        if relay.returncode:
            log = (self.home / "relay.log").read_text()
            raise AssertionError(f"the relay ended with {relay.returncode}:\n{log[-3000:]}")
        with self.postgres.connect() as connection:
            [[left]] = connection.execute_simple(
                "SELECT count(*) FROM outbox_event WHERE NOT parked"
            ).rows
        assert not left, f"{left} events are left after {seconds} s"

    def idle_of_leases(self) -> None:
        """Forget the leases of the dead, instead of waiting until they end."""
        with self.postgres.connect() as connection:
            connection.execute_simple(
                "UPDATE outbox_shard SET owner = NULL, lease_until = '-infinity'"
            )


class Writers:
    """Threads that append events to many streams, with rollbacks and delayed commits, through everything."""

    def __init__(
        self,
        world: World,
        *,
        threads: int = 2,
        streams: int = 60,
        per_second: float = 400.0,
    ) -> None:
        self.world = world
        self.tenant = uuid4()
        self.streams = [f"job:{uuid4()}" for _ in range(streams)]
        self.acknowledged: list[str] = []
        self.poisoned: list[str] = []
        self._pause = threads * 3 / per_second
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._write, args=(number,), daemon=True)
            for number in range(threads)
        ]

    @contextmanager
    def at_work(self) -> Iterator["Writers"]:
        """Write while the block runs."""
        for thread in self._threads:
            thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            for thread in self._threads:
                thread.join(30)

    def write(
        self,
        events: list[tuple[str, str, bytes]],
        *,
        fate: str = "commit",
        delay: float = 0.0,
    ) -> None:
        """Append (stream, topic, payload) each in one transaction of its own connection."""
        self._transaction(self._connect(), events, fate, delay, close=True)

    def poison(self, kind: str) -> None:
        """Append an event that no broker takes, and one behind it."""
        stream = f"job:{uuid4()}"
        bad = (
            (stream, TOPICS[0], b'"' + b"x" * 1_100_000 + b'"')
            if kind == "too large"
            else (stream, f"no topic {kind}", b"{}")
        )
        self.write([bad, (stream, TOPICS[1], b"{}")])
        self.poisoned.append(stream)

    def settle(self) -> Findings:
        """Let a healthy relay finish, then compare database and topics."""
        self.world.drain()
        return check(
            self._committed(),
            self._delivered(),
            poisoned=self.poisoned,
            acknowledged_to_writers=self.acknowledged,
        )

    def _write(self, number: int) -> None:
        dice = random.Random(number)
        connection: driver.Connection | None = None
        while not self._stop.wait(self._pause * dice.random()):
            chosen = sorted(dice.sample(self.streams, dice.randint(1, 4)))
            events = [
                (stream, dice.choice(TOPICS), b'{"n":1}')
                for stream in chosen
                for _ in range(dice.randint(1, 2))
            ]
            fate = "rollback" if dice.random() < ROLLED_BACK else "commit"
            delay = dice.random() / 4 if dice.random() < DELAYED else 0.0
            try:
                connection = connection or self._connect()
                self._transaction(connection, events, fate, delay)
            except (Unavailable, pg8000.dbapi.Error, OSError):
                connection = None
                self._stop.wait(0.2)

    def _transaction(
        self,
        connection: driver.Connection,
        events: list[tuple[str, str, bytes]],
        fate: str,
        delay: float,
        *,
        close: bool = False,
    ) -> None:
        connection.tenant = self.tenant
        connection.execute_simple(driver.BEGIN)
        ids = []
        for stream, topic, payload in events:
            ids.append(uuid7())
            append(
                connection,
                Envelope(ids[-1], self.tenant, stream, "JobUpdated", 1, topic, payload, START),
                shards=8,
            )
        if delay:
            self._stop.wait(delay)
        if fate == "rollback":
            connection.rollback()
        else:
            connection.commit()
            self.acknowledged += [str(one) for one in ids]
        if close:
            connection.close()

    def _connect(self) -> driver.Connection:
        url = self.world.postgres.database_url("aetherlink_api")
        return driver.connect(url, DatabaseSettings(connect_timeout_seconds=2), name="writer")

    def _committed(self) -> list[Committed]:
        with self.world.postgres.connect() as connection:
            return [
                Committed(*row)
                for row in connection.execute_unnamed(EVERYTHING, (str(self.tenant),)).rows
            ]

    def _delivered(self) -> list[Delivered]:
        consumer = Consumer(
            {
                "bootstrap.servers": self.world.kafka.bootstrap_servers,
                "group.id": str(uuid4()),
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
            }
        )
        places = [TopicPartition(topic, partition, 0) for topic in TOPICS for partition in range(3)]
        found = []
        open_places = len(places)
        try:
            consumer.assign(places)
            deadline = time.monotonic() + 60
            while open_places and time.monotonic() < deadline:
                for message in consumer.consume(2000, timeout=0.1):
                    if message.error():
                        open_places -= 1
                        continue
                    headers = dict(message.headers())
                    if UUID(headers["tenant_id"].decode()) == self.tenant:
                        found.append(
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
        assert not open_places, "the topics could not be read to their ends"
        return found
