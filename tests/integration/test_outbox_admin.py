"""Operators at the outbox: over HTTP and from the shell, on a real PostgreSQL and a real broker."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pg8000.dbapi
import pytest
from chalice.test import Client

import app
from chalicelib.adapters.postgres import driver
from chalicelib.adapters.postgres.inbox import PostgresInbox
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
    seen: dict[str, list[int]] = {}
    records = world.read(CREATED, MOVED)
    for record in sorted(records, key=lambda one: int(dict(one.headers())["stream_seq"])):
        seen.setdefault(record.key().decode(), []).append(int(dict(record.headers())["stream_seq"]))
    return seen


def _audit(postgres: Postgres) -> list[list[Any]]:
    with postgres.connect() as connection:
        return list(
            connection.execute_simple(
                "SELECT actor, action, stream_key FROM outbox_audit ORDER BY id"
            ).rows
        )


def test_a_parked_stream_is_listed_discarded_and_its_rest_flows_in_order(
    world: World, ops: Api, postgres: Postgres
) -> None:
    world.append(
        ("job:1", CREATED, TOO_LARGE),
        ("job:1", MOVED, b"{}"),
        ("job:1", MOVED, b"{}"),
        ("job:2", CREATED, b"{}"),
    )
    world.run()
    said = ops("GET", "/api/outbox").json_body
    assert (said["pending"], said["parkedStreams"], said["parkedEvents"]) == (0, 1, 3)
    [parked] = ops("GET", "/api/outbox/streams?state=parked").json_body["items"]
    assert (parked["streamKey"], parked["events"], parked["attempts"]) == ("job:1", 3, 2)
    assert "record may have" in parked["lastError"]
    assert said["parked"] == [parked]
    discarded = ops("POST", "/api/outbox/streams/job%3A1/discard")
    assert discarded.json_body == {"streamKey": "job:1", "discarded": parked["eventId"]}
    world.run()
    assert _streams(world) == {"job:1": [2, 3], "job:2": [1]}
    assert _audit(postgres) == [["developer", "discard", "job:1"]]
    assert ops("GET", "/api/outbox").json_body["parkedStreams"] == 0


def test_a_requeued_stream_flows_in_order_once_the_cause_is_gone(
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


def test_another_tenant_s_parked_stream_does_not_exist(world: World, ops: Api) -> None:
    world.append(("job:1", "aetherlink.nowhere", b"{}"))
    world.run()
    stranger = Api(ops.client, uuid4(), "admin")
    assert stranger("GET", "/api/outbox/streams").json_body["items"] == []
    for action in ("requeue", "discard"):
        assert stranger("POST", f"/api/outbox/streams/job:1/{action}").status_code == 404
    assert Api(ops.client, world.tenant, "sales")("GET", "/api/outbox").status_code == 403
    assert ops("GET", "/api/outbox/streams?state=flowing").status_code == 400
    assert ops("POST", "/api/outbox/streams/job%0A1/requeue").status_code == 400


def test_a_replay_sends_again_what_was_asked_for_marked_and_throttled(
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
    stranger = Api(ops.client, uuid4(), "ops")
    assert stranger("POST", "/api/outbox/replay", period).json_body["count"] == 0
    answer = ops("POST", "/api/outbox/replay", {"eventType": "JobCreated", **period})
    assert (answer.status_code, answer.json_body["count"]) == (202, 21)
    assert container().outbox.replayer().run(30) == 21
    done = ops("GET", answer.headers["Location"]).json_body
    assert (done["replayed"], done["done"]) == (21, True)
    assert stranger("GET", answer.headers["Location"]).status_code == 404
    records = world.read(CREATED, MOVED)
    again = [record for record in records if "replay" in dict(record.headers())]
    assert {dict(record.headers())["replay"].decode() for record in again} == {done["id"]}
    assert {dict(record.headers())["event_id"] for record in again} == {
        dict(record.headers())["event_id"] for record in records if record not in again
    }
    assert container().outbox.replayer().run(5) == 0
    assert [row[1] for row in _audit(postgres)] == ["replay", "replay"]


def test_a_replay_goes_on_where_a_replayer_died(world: World, ops: Api, postgres: Postgres) -> None:
    world.append(*((f"job:{number}", CREATED, b"{}") for number in range(30)))
    world.run()
    now = datetime.now(UTC)
    ops(
        "POST",
        "/api/outbox/replay",
        {"since": "2020-01-01T00:00:00Z", "until": (now + timedelta(hours=1)).isoformat()},
    )
    dying = container().outbox.replayer()
    dying._policy = replace(dying._policy, page_rows=10)
    store = dying._store
    page = store.take(rows=10, seconds=0)
    assert page is not None
    store.advance(page)
    store.close()
    assert container().outbox.replayer().run(30) == 20


def test_the_shell_does_the_same_for_every_tenant(
    world: World,
    ops: Api,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def shell(*arguments: str) -> Any:
        monkeypatch.setattr("sys.argv", ["ops", "--json", "outbox", *arguments])
        code = main()
        said = capsys.readouterr()
        return json.loads(said.out) if code == 0 else said.err

    world.append(("job:1", "aetherlink.nowhere", b"{}"), ("job:2", CREATED, b"{}"))
    assert shell("status")["pending"] == 2
    world.run()
    assert [one["streamKey"] for one in shell("parked")["parked"]] == ["job:1"]
    assert shell("requeue", "job:1") == {"streamKey": "job:1", "requeued": 1}
    assert "no parked stream" in shell("discard", "job:1")
    replayed = shell("replay", "--since", "2020-01-01T00:00:00Z", "--until", "2100-01-01T00:00:00Z")
    assert (replayed["replayed"], replayed["done"]) == (2, True)
    assert "created" in shell("upkeep")


def test_a_consumer_acts_once_on_each_event_however_often_it_comes(
    database: Settings, postgres: Postgres
) -> None:
    acted: list[int] = []
    with driver.connect(postgres.database_url(), database.database, name="consumer") as connection:
        inbox = PostgresInbox(connection, "billing")
        inbox.create_table()
        for sequence in (2, 1, 2, 1, 3):
            receipt = Receipt("job:1", sequence, uuid4())
            once(inbox, receipt, lambda sequence=sequence: acted.append(sequence))  # type: ignore[misc]
            connection.commit()
        assert acted == [2, 1, 3]
        lost = Receipt("job:1", 4, uuid4())
        assert inbox.admit(lost)
        connection.rollback()
        assert inbox.admit(lost), "what was rolled back was not seen"
        assert not inbox.admit(Receipt("job:9", 1, lost.event_id)), (
            "the same event id is the same event"
        )
        assert PostgresInbox(connection, "search").admit(lost), (
            "another consumer has an inbox of its own"
        )
        assert inbox.prune(timedelta(seconds=-60)) == 4
        connection.rollback()
        connection.execute_simple("DROP TABLE inbox")


@pytest.mark.parametrize("missing", ["event_id", "stream_seq", "key"])
def test_a_foreign_record_is_refused_by_name(missing: str) -> None:
    headers = [("event_id", str(uuid4()).encode()), ("stream_seq", b"1")]
    headers = [(name, value) for name, value in headers if name != missing]
    with pytest.raises(Invalid) as refused:
        Receipt.read(None if missing == "key" else b"job:1", headers)
    assert refused.value.errors[0].field == missing


def test_the_trail_cannot_be_changed(database: Settings) -> None:
    with driver.connect(database.database.relay_url, database.database, name="test") as connection:
        connection.autocommit = True
        for statement in (
            "UPDATE outbox_audit SET actor = 'x'",
            "DELETE FROM outbox_audit",
        ):
            with pytest.raises(pg8000.dbapi.DatabaseError):
                connection.execute_simple(statement)
