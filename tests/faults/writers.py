"""Threads that append events to many streams, with rollbacks and delayed commits."""

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import pg8000.dbapi

from chalicelib.adapters.postgres import driver
from chalicelib.adapters.postgres.outbox_append import append
from chalicelib.config.database import DatabaseSettings
from chalicelib.outbox.envelope import Envelope
from chalicelib.shared.errors import Unavailable
from chalicelib.shared.ids import uuid7
from tests.fakes.clock import START
from tests.faults.checker import Findings, check
from tests.faults.evidence import TOPICS, committed_events, delivered_records
from tests.faults.world import World

ROLLED_BACK = 0.15
DELAYED = 0.1
"""Shares of the transactions that are rolled back, and that wait before they commit."""

MAX_DELAY_SECONDS = 0.25
RECONNECT_SECONDS = 0.2
TOO_LARGE = b'"' + b"x" * 1_100_000 + b'"'

Event = tuple[str, str, bytes]
"""Stream, topic and payload."""


class Writers:
    """Writers of one tenant, and what they know about their events."""

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
            threading.Thread(target=self._write_on, args=(number,), daemon=True)
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

    def poison(self, kind: str) -> None:
        """Append an event that no broker takes, and another one to the same stream.

        `kind` is "too large", or a part of the name of a topic that does not exist.
        """
        stream = f"job:{uuid4()}"
        refused: Event = (stream, f"no topic {kind}", b"{}")
        if kind == "too large":
            refused = (stream, TOPICS[0], TOO_LARGE)
        connection = self._connect()
        self._transaction(connection, [refused, (stream, TOPICS[1], b"{}")])
        connection.close()
        self.poisoned.append(stream)

    def settle(self) -> Findings:
        """Send what is left with an undisturbed relay; compare the database with the topics."""
        self.world.drain()
        return check(
            committed_events(self.world, self.tenant),
            delivered_records(self.world, self.tenant),
            poisoned=self.poisoned,
            acknowledged_to_writers=self.acknowledged,
        )

    def _write_on(self, number: int) -> None:
        dice = random.Random(number)
        connection: driver.Connection | None = None
        while not self._stop.wait(self._pause * dice.random()):
            streams = sorted(dice.sample(self.streams, dice.randint(1, 4)))
            events = [
                (stream, dice.choice(TOPICS), b'{"n":1}')
                for stream in streams
                for _ in range(dice.randint(1, 2))
            ]
            commit = dice.random() >= ROLLED_BACK
            delay = dice.random() * MAX_DELAY_SECONDS if dice.random() < DELAYED else 0.0
            try:
                connection = connection or self._connect()
                self._transaction(connection, events, commit=commit, delay=delay)
            except (Unavailable, pg8000.dbapi.Error, OSError):
                connection = None
                self._stop.wait(RECONNECT_SECONDS)

    def _transaction(
        self,
        connection: driver.Connection,
        events: list[Event],
        *,
        commit: bool = True,
        delay: float = 0.0,
    ) -> None:
        connection.tenant = self.tenant
        connection.execute_simple(driver.BEGIN)
        ids = []
        for stream, topic, payload in events:
            event_id = uuid7()
            ids.append(str(event_id))
            envelope = Envelope(
                event_id, self.tenant, stream, "JobUpdated", 1, topic, payload, START
            )
            append(connection, envelope, shards=8)
        if delay:
            self._stop.wait(delay)
        if commit:
            connection.commit()
            self.acknowledged += ids
        else:
            connection.rollback()

    def _connect(self) -> driver.Connection:
        url = self.world.postgres.database_url("aetherlink_api")
        return driver.connect(url, DatabaseSettings(connect_timeout_seconds=2), name="writer")
