"""What every `OutboxStore` does; the fake and PostgreSQL pass the same suite."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest

from chalicelib.adapters.postgres import driver
from chalicelib.adapters.postgres.outbox_append import append
from chalicelib.adapters.postgres.outbox_store import PostgresOutboxStore
from chalicelib.adapters.postgres.reconnecting import ReconnectingConnection
from chalicelib.config import Settings
from chalicelib.outbox.envelope import Envelope
from chalicelib.outbox.ports import Acknowledged, OutboxStore
from chalicelib.shared.ids import uuid7
from tests.fakes.clock import START, FakeClock
from tests.fakes.outbox import FakeOutbox

SHARDS = 8
UNLIMITED: dict[str, Any] = {
    "max_rows": 100,
    "max_bytes": 10**6,
    "excluded_ids": [],
    "held_streams": [],
}


class Suite:
    """A store, another connection to the same one, and how to append."""

    def __init__(
        self, store: OutboxStore, other: OutboxStore, append: Callable[..., object]
    ) -> None:
        self.store = store
        self.other = other
        self.append = append

    def fetch(self, owner: UUID, shards: list[int], **limits: Any) -> list[tuple[str, int]]:
        arguments = {**UNLIMITED, **limits}
        return [
            (event.stream_key, event.stream_seq)
            for event in self.store.fetch(owner, shards, **arguments)
        ]


@pytest.fixture(params=["fake", "postgres"])
def suite(request: pytest.FixtureRequest) -> Iterator[Suite]:
    if request.param == "fake":
        fake = FakeOutbox(FakeClock(), shards=SHARDS)
        yield Suite(fake, fake, lambda stream, payload=b"{}": fake.append(stream, payload=payload))
        return
    settings: Settings = request.getfixturevalue("database")
    tenant = uuid4()

    def store() -> PostgresOutboxStore:
        connection = ReconnectingConnection(
            lambda: driver.connect(settings.database.relay_url, settings.database, name="test")
        )
        return PostgresOutboxStore(connection, dead_letter_topic="dlq", dead_letter_bytes=1000)

    def write(stream: str, payload: bytes = b"{}") -> None:
        connection = driver.connect(settings.database.url, settings.database, name="test")
        connection.tenant = tenant
        connection.execute_simple(driver.BEGIN)
        append(
            connection,
            Envelope(
                uuid7(),
                tenant,
                stream,
                "JobCreated",
                1,
                "t",
                payload,
                START,
                {"a": "\u2028\x1f"},
            ),
            shards=SHARDS,
        )
        connection.commit()
        connection.close()

    first = store()
    second = store()
    yield Suite(first, second, write)
    first.close()
    second.close()


def test_a_shard_is_leased_to_one_owner_until_it_is_released(suite: Suite) -> None:
    owner = uuid4()
    other = uuid4()
    assert sorted(suite.store.claim(owner, limit=100, seconds=30)) == list(range(SHARDS))
    assert suite.other.claim(other, limit=100, seconds=30) == []
    assert sorted(suite.store.claim(owner, limit=100, seconds=30)) == list(range(SHARDS)), (
        "an owner extends its own lease"
    )
    suite.store.release(owner)
    assert len(suite.other.claim(other, limit=3, seconds=30)) == 3


def test_a_shard_that_is_not_due_cannot_be_claimed(suite: Suite) -> None:
    owner = uuid4()
    suite.store.claim(owner, limit=100, seconds=30)
    suite.store.release(owner, retry_after=60)
    assert suite.store.claim(owner, limit=100, seconds=30) == []


def test_events_are_fetched_in_order_without_excluded_ids_and_held_streams(suite: Suite) -> None:
    owner = uuid4()
    for stream in ("job:1", "job:2", "job:1", "job:3"):
        suite.append(stream)
    shards = suite.store.claim(owner, limit=100, seconds=30)
    everything = suite.store.fetch(owner, shards, **UNLIMITED)
    assert [(event.stream_key, event.stream_seq) for event in everything] == [
        ("job:1", 1),
        ("job:2", 1),
        ("job:1", 2),
        ("job:3", 1),
    ]
    assert suite.fetch(owner, shards, max_rows=2) == [("job:1", 1), ("job:2", 1)]
    assert suite.fetch(owner, shards, excluded_ids=[everything[0].id]) == [
        ("job:2", 1),
        ("job:1", 2),
        ("job:3", 1),
    ]
    assert suite.fetch(owner, shards, held_streams=["job:1", 'odd "\\,{}']) == [
        ("job:2", 1),
        ("job:3", 1),
    ]


def test_payloads_are_fetched_byte_for_byte_within_the_size_limit(
    suite: Suite,
) -> None:
    owner = uuid4()
    payloads = ['{"a":"é\u2028"}'.encode(), b"x" * 500, b"\x1e\x1f\x00\xff", b""]
    for number, payload in enumerate(payloads):
        suite.append(f"job:{number}", payload)
    shards = suite.store.claim(owner, limit=100, seconds=30)
    events = suite.store.fetch(owner, shards, **UNLIMITED)
    assert [event.payload for event in events] == payloads
    assert len(suite.fetch(owner, shards, max_bytes=1)) == 1, (
        "the first event is fetched, however large"
    )
    assert len(suite.fetch(owner, shards, max_bytes=505)) == 1


def test_only_the_owner_of_the_lease_can_fetch_events(suite: Suite) -> None:
    suite.append("job:1")
    shards = suite.store.claim(uuid4(), limit=100, seconds=30)
    assert suite.fetch(uuid4(), shards) == []


def test_marked_events_leave_the_outbox_and_marking_twice_does_no_harm(suite: Suite) -> None:
    owner = uuid4()
    suite.append("job:1")
    suite.append("job:1")
    shards = suite.store.claim(owner, limit=100, seconds=30)
    first = suite.store.fetch(owner, shards, **{**UNLIMITED, "max_rows": 1})[0]
    assert suite.store.mark([Acknowledged(first.id, first.event_id, 2, 77)]) == 1
    assert suite.store.mark([Acknowledged(first.id, first.event_id, 2, 78)]) == 0
    assert suite.fetch(owner, shards) == [("job:1", 2)]


def test_a_parked_stream_waits_with_all_that_follows_and_has_one_dead_letter(
    suite: Suite,
) -> None:
    owner = uuid4()
    suite.append("job:1", b'{"n":1}')
    suite.append("job:2")
    shards = suite.store.claim(owner, limit=100, seconds=30)
    poison = suite.store.fetch(owner, shards, **{**UNLIMITED, "max_rows": 1})[0]
    assert [
        suite.store.refuse(poison, "too large"),
        suite.store.refuse(poison, "too large"),
    ] == [1, 2]
    suite.store.park(poison, "too large")
    suite.append("job:1")
    events = suite.store.fetch(owner, shards, **UNLIMITED)
    assert [(event.stream_key, event.topic) for event in events] == [
        ("job:2", "t"),
        ("dlq:job:1", "dlq"),
    ]
    assert (events[1].payload, events[1].key) == (b'{"n":1}', b"job:1")
    assert poison.event_id in events[1].headers
