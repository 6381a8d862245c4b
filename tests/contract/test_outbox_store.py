"""What any `OutboxStore` does; the fake and PostgreSQL pass the same suite."""

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


class Suite:
    """A store, another connection to the same one, and how to append."""

    def __init__(
        self, store: OutboxStore, other: OutboxStore, append: Callable[..., object]
    ) -> None:
        self.store = store
        self.other = other
        self.append = append

    def fetch(self, owner: UUID, shards: list[int], **limits: Any) -> list[tuple[str, int]]:
        chosen = {"rows": 100, "size": 10**6, "known": [], "held": [], **limits}
        return [
            (event.stream_key, event.stream_seq)
            for event in self.store.fetch(owner, shards, **chosen)
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
        connect = lambda: driver.connect(
            settings.database.relay_url, settings.database, name="test"
        )
        return PostgresOutboxStore(
            ReconnectingConnection(connect), dead_letter_topic="dlq", dead_letter_bytes=1000
        )

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

    one = store()
    two = store()
    yield Suite(one, two, write)
    one.close()
    two.close()


def test_a_shard_is_leased_to_one_owner_until_it_is_given_back(suite: Suite) -> None:
    me = uuid4()
    other = uuid4()
    assert sorted(suite.store.claim(me, limit=100, seconds=30)) == list(range(SHARDS))
    assert suite.other.claim(other, limit=100, seconds=30) == []
    assert sorted(suite.store.claim(me, limit=100, seconds=30)) == list(range(SHARDS)), (
        "one's own lease is renewed"
    )
    suite.store.release(me)
    assert len(suite.other.claim(other, limit=3, seconds=30)) == 3


def test_a_shard_that_is_not_due_is_not_leased(suite: Suite) -> None:
    me = uuid4()
    suite.store.claim(me, limit=100, seconds=30)
    suite.store.release(me, retry_after=60)
    assert suite.store.claim(me, limit=100, seconds=30) == []


def test_events_come_in_order_with_what_is_known_or_held_left_out(suite: Suite) -> None:
    me = uuid4()
    for stream in ("job:1", "job:2", "job:1", "job:3"):
        suite.append(stream)
    shards = suite.store.claim(me, limit=100, seconds=30)
    everything = suite.store.fetch(me, shards, rows=100, size=10**6, known=[], held=[])
    assert [(e.stream_key, e.stream_seq) for e in everything] == [
        ("job:1", 1),
        ("job:2", 1),
        ("job:1", 2),
        ("job:3", 1),
    ]
    assert suite.fetch(me, shards, rows=2) == [("job:1", 1), ("job:2", 1)]
    assert suite.fetch(me, shards, known=[everything[0].id]) == [
        ("job:2", 1),
        ("job:1", 2),
        ("job:3", 1),
    ]
    assert suite.fetch(me, shards, held=["job:1", 'odd "\\,{}']) == [
        ("job:2", 1),
        ("job:3", 1),
    ]


def test_the_payload_comes_back_byte_for_byte_within_the_size_asked_for(
    suite: Suite,
) -> None:
    me = uuid4()
    payloads = ['{"a":"é\u2028"}'.encode(), b"x" * 500, b"\x1e\x1f\x00\xff", b""]
    for number, payload in enumerate(payloads):
        suite.append(f"job:{number}", payload)
    shards = suite.store.claim(me, limit=100, seconds=30)
    found = suite.store.fetch(me, shards, rows=100, size=10**6, known=[], held=[])
    assert [event.payload for event in found] == payloads
    assert len(suite.fetch(me, shards, size=1)) == 1, "one comes, however large"
    assert len(suite.fetch(me, shards, size=505)) == 1


def test_only_the_owner_of_the_lease_is_given_events(suite: Suite) -> None:
    suite.append("job:1")
    shards = suite.store.claim(uuid4(), limit=100, seconds=30)
    assert suite.fetch(uuid4(), shards) == []


def test_marked_events_are_gone_and_marking_twice_does_no_harm(suite: Suite) -> None:
    me = uuid4()
    suite.append("job:1")
    suite.append("job:1")
    shards = suite.store.claim(me, limit=100, seconds=30)
    first = suite.store.fetch(me, shards, rows=1, size=10**6, known=[], held=[])[0]
    assert suite.store.mark([Acknowledged(first.id, first.event_id, 2, 77)]) == 1
    assert suite.store.mark([Acknowledged(first.id, first.event_id, 2, 78)]) == 0
    assert suite.fetch(me, shards) == [("job:1", 2)]


def test_a_parked_stream_waits_with_all_that_follows_and_leaves_one_copy(
    suite: Suite,
) -> None:
    me = uuid4()
    suite.append("job:1", b'{"n":1}')
    suite.append("job:2")
    shards = suite.store.claim(me, limit=100, seconds=30)
    poison = suite.store.fetch(me, shards, rows=1, size=10**6, known=[], held=[])[0]
    assert [
        suite.store.refuse(poison, "too large"),
        suite.store.refuse(poison, "too large"),
    ] == [1, 2]
    suite.store.park(poison, "too large")
    suite.append("job:1")
    found = suite.store.fetch(me, shards, rows=100, size=10**6, known=[], held=[])
    assert [(event.stream_key, event.topic) for event in found] == [
        ("job:2", "t"),
        ("dlq:job:1", "dlq"),
    ]
    assert (found[1].payload, found[1].key) == (b'{"n":1}', b"job:1")
    assert poison.event_id in found[1].headers
