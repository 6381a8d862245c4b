"""Administration of the outbox, over HTTP and from the shell, on real services."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urljoin
from uuid import uuid4

import pg8000.dbapi
import pytest
from chalice.test import Client

import app
from chalicelib.adapters.postgres import driver
from chalicelib.adapters.postgres.inbox import PostgresInbox
from chalicelib.adapters.postgres.replay_store import PostgresReplayStore
from chalicelib.bootstrap import container
from chalicelib.config import Settings
from chalicelib.outbox.inbox import Receipt, once
from chalicelib.shared.errors import Invalid
from infra.local.postgres import Postgres
from infra.ops.__main__ import main
from tests.conftest import Compose
from tests.integration.api.client import Api
from tests.integration.test_relay import CREATED, MOVED, World, world

__all__ = ["world"]
TOO_LARGE = b'"' + b"x" * 1_200_000 + b'"'


@pytest.fixture
def ops(world: World, composed: Compose) -> Iterator[Api]:
    composed(world.settings.changed(relay={"max_attempts": 2}))
    with Client(app.app, stage_name="local") as client:
        yield Api(client, world.tenant, "ops")


def _streams(world: World) -> dict[str, list[int]]:
    numbers: dict[str, list[int]] = {}
    for record in world.read(CREATED, MOVED):
        stream_seq = int(dict(record.headers())["stream_seq"])
        numbers.setdefault(record.key().decode(), []).append(stream_seq)
    return {stream: sorted(sequence) for stream, sequence in numbers.items()}


def _audit(postgres: Postgres) -> list[list[Any]]:
    with postgres.connect() as connection:
        return list(
            connection.execute_simple(
                "SELECT actor, action, stream_key FROM outbox_audit ORDER BY id"
            ).rows
        )


def test_a_parked_stream_is_listed_and_after_discard_its_rest_is_sent_in_order(
    world: World, ops: Api, postgres: Postgres
) -> None:
    world.append(
        ("job:1", CREATED, TOO_LARGE),
        ("job:1", MOVED, b"{}"),
        ("job:1", MOVED, b"{}"),
        ("job:2", CREATED, b"{}"),
    )
    world.run()
    backlog = ops("GET", "/api/outbox").json_body
    assert (backlog["pending"], backlog["parkedStreams"], backlog["parkedEvents"]) == (0, 1, 3)
    [parked] = ops("GET", "/api/outbox/streams?state=parked").json_body["items"]
    assert (parked["streamKey"], parked["events"], parked["attempts"]) == ("job:1", 3, 2)
    assert "record may have" in parked["lastError"]
    assert backlog["parked"] == [parked]
    discarded = ops("POST", "/api/outbox/streams/job%3A1/discard")
    assert discarded.json_body == {"streamKey": "job:1", "discarded": parked["eventId"]}
    world.run()
    assert _streams(world) == {"job:1": [2, 3], "job:2": [1]}
    assert _audit(postgres) == [["developer", "discard", "job:1"]]
    assert ops("GET", "/api/outbox").json_body["parkedStreams"] == 0


def test_a_requeued_stream_is_sent_in_order_once_the_cause_is_removed(
    world: World, ops: Api, postgres: Postgres
) -> None:
    world.append(("job:1", "aetherlink.nowhere", b"{}"), ("job:1", CREATED, b"{}"))
    world.run()
    assert ops("GET", "/api/outbox").json_body["parkedStreams"] == 1
    world.append(("job:1", CREATED, b"{}"))
    with postgres.connect() as connection:
        connection.execute_unnamed("UPDATE outbox_event SET topic = $1", (CREATED,))
    assert ops("POST", "/api/outbox/streams/job:1/requeue").json_body == {
        "streamKey": "job:1",
        "requeued": 3,
    }
    world.run()
    assert _streams(world) == {"job:1": [1, 2, 3]}
    assert _audit(postgres) == [["developer", "requeue", "job:1"]]


def test_the_parked_stream_of_another_tenant_does_not_exist(world: World, ops: Api) -> None:
    world.append(("job:1", "aetherlink.nowhere", b"{}"))
    world.run()
    other_tenant = Api(ops.client, uuid4(), "admin")
    assert other_tenant("GET", "/api/outbox/streams").json_body["items"] == []
    for action in ("requeue", "discard"):
        assert other_tenant("POST", f"/api/outbox/streams/job:1/{action}").status_code == 404
    assert Api(ops.client, world.tenant, "sales")("GET", "/api/outbox").status_code == 403
    assert ops("GET", "/api/outbox/streams?state=flowing").status_code == 400
    assert ops("POST", "/api/outbox/streams/job%0A1/requeue").status_code == 400


def test_a_replay_sends_the_requested_events_again_with_its_header(
    world: World, ops: Api, postgres: Postgres, composed: Compose
) -> None:
    world.append(
        *((f"job:{number}", CREATED, b"{}") for number in range(20)),
        ("job:0", MOVED, b"{}"),
    )
    world.run()
    now = datetime.now(UTC)
    period = {
        "since": (now - timedelta(hours=1)).isoformat(),
        "until": (now + timedelta(hours=1)).isoformat(),
    }
    assert (
        ops(
            "POST",
            "/api/outbox/replay",
            {"since": period["until"], "until": period["since"]},
        ).status_code
        == 422
    )
    other_tenant = Api(ops.client, uuid4(), "ops")
    assert other_tenant("POST", "/api/outbox/replay", period).json_body["count"] == 0
    answer = ops("POST", "/api/outbox/replay", {"eventType": "JobCreated", **period})
    assert (answer.status_code, answer.json_body["count"]) == (202, 21)
    assert container().outbox.replayer().run(30) == 21
    address = urljoin("/api/outbox/replay", answer.headers["Location"])
    done = ops("GET", address).json_body
    assert (done["replayed"], done["done"]) == (21, True)
    assert other_tenant("GET", address).status_code == 404
    records = world.read(CREATED, MOVED)
    again = [record for record in records if "replay" in dict(record.headers())]
    assert {dict(record.headers())["replay"].decode() for record in again} == {done["id"]}
    assert {dict(record.headers())["event_id"] for record in again} == {
        dict(record.headers())["event_id"] for record in records if record not in again
    }
    assert container().outbox.replayer().run(5) == 0
    assert [row[1] for row in _audit(postgres)] == ["replay", "replay"]


def test_a_replay_goes_on_where_a_killed_replayer_stopped(
    world: World, ops: Api, postgres: Postgres
) -> None:
    world.append(*((f"job:{number}", CREATED, b"{}") for number in range(30)))
    world.run()
    now = datetime.now(UTC)
    ops(
        "POST",
        "/api/outbox/replay",
        {"since": "2020-01-01T00:00:00Z", "until": (now + timedelta(hours=1)).isoformat()},
    )
    store = PostgresReplayStore(container().outbox.connection("killed-replayer"))
    page = store.take(rows=10, seconds=0)
    assert page is not None
    store.advance(page)
    store.close()
    assert container().outbox.replayer().run(30) == 20


def test_the_shell_offers_the_same_for_all_tenants(
    world: World,
    ops: Api,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def shell(*arguments: str) -> Any:
        code = main(["--json", "outbox", *arguments])
        printed = capsys.readouterr()
        return json.loads(printed.out) if code == 0 else printed.err

    world.append(("job:1", "aetherlink.nowhere", b"{}"), ("job:2", CREATED, b"{}"))
    assert shell("status")["pending"] == 2
    world.run()
    assert [stream["streamKey"] for stream in shell("parked")["parked"]] == ["job:1"]
    assert shell("requeue", "job:1") == {"streamKey": "job:1", "requeued": 1}
    assert "no parked stream" in shell("discard", "job:1")
    replayed = shell("replay", "--since", "2020-01-01T00:00:00Z", "--until", "2100-01-01T00:00:00Z")
    assert (replayed["replayed"], replayed["done"]) == (2, True)
    assert "created" in shell("upkeep")


def test_a_consumer_acts_once_on_each_event_however_often_it_arrives(
    database: Settings, postgres: Postgres
) -> None:
    effects: list[int] = []
    with driver.connect(postgres.database_url(), database.database, name="consumer") as connection:
        inbox = PostgresInbox(connection, "billing")
        inbox.create_table()
        for sequence in (2, 1, 2, 1, 3):
            receipt = Receipt("job:1", sequence, uuid4())
            once(inbox, receipt, lambda sequence=sequence: effects.append(sequence))  # type: ignore[misc]
            connection.commit()
        assert effects == [2, 1, 3]
        receipt = Receipt("job:1", 4, uuid4())
        assert inbox.admit(receipt)
        connection.rollback()
        assert inbox.admit(receipt), "a receipt that was rolled back is not kept"
        assert not inbox.admit(Receipt("job:9", 1, receipt.event_id)), (
            "an event is also identified by its id"
        )
        assert PostgresInbox(connection, "search").admit(receipt), "each consumer has its own inbox"
        assert inbox.prune(timedelta(seconds=-60)) == 4
        connection.rollback()
        connection.execute_simple("DROP TABLE inbox")


@pytest.mark.parametrize("missing", ["event_id", "stream_seq", "key"])
def test_a_record_that_is_not_an_event_is_refused_with_the_field(missing: str) -> None:
    headers = [("event_id", str(uuid4()).encode()), ("stream_seq", b"1")]
    headers = [(name, value) for name, value in headers if name != missing]
    with pytest.raises(Invalid) as refused:
        Receipt.read(None if missing == "key" else b"job:1", headers)
    assert refused.value.errors[0].field == missing


def test_the_audit_trail_cannot_be_changed(database: Settings) -> None:
    with driver.connect(database.database.relay_url, database.database, name="test") as connection:
        connection.autocommit = True
        for statement in (
            "UPDATE outbox_audit SET actor = 'x'",
            "DELETE FROM outbox_audit",
        ):
            with pytest.raises(pg8000.dbapi.DatabaseError):
                connection.execute_simple(statement)
