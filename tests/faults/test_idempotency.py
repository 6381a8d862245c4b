"""Requests that are killed, repeated, or sent all at once have one row, one event, one answer."""

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from chalicelib.config import Settings
from infra.local.emulator import Emulator
from infra.local.ports import free_port
from infra.local.postgres import Postgres
from tests.contract.test_lease_store import TABLE, create_table
from tests.faults import request_process
from tests.faults.request_process import STEPS
from tests.faults.warm import WarmProcess

BODY = json.dumps({"name": "Ada", "email": "ada@example.test"})
LEASE_SECONDS = 1.0
TIMEOUT_SECONDS = 120.0


class Requests:
    """A process that sends requests, and the responses that it printed."""

    def __init__(self, process: WarmProcess, output: Path) -> None:
        self.process = process
        self._output = output

    def responses(self) -> list[dict[str, Any]]:
        """Wait for the end of the process; return its responses."""
        self.process.wait(TIMEOUT_SECONDS)
        lines = self._output.read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith('{"status"')]


@dataclass
class World:
    """Real PostgreSQL and a real DynamoDB API, and requests in processes of their own."""

    settings: Settings
    postgres: Postgres
    tenant: UUID
    dynamodb: str
    folder: Path

    def start(self, key: str, *arguments: str, body: str = BODY) -> Requests:
        environment = {
            **os.environ,
            "STAGE": "local",
            "OIDC_ENABLED": "false",
            "DATABASE_URL": self.settings.database.url,
            "IDEMPOTENCY_TABLE": TABLE,
            "IDEMPOTENCY_TIMEOUT_SECONDS": "2",
            "AWS_ENDPOINT_URL_DYNAMODB": self.dynamodb,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        defaults = ["--tenant", str(self.tenant), "--key", key, "--body", body]
        defaults += ["--lease-seconds", str(LEASE_SECONDS)]
        output = self.folder / f"{uuid4()}.log"
        process = WarmProcess(request_process.main, [*defaults, *arguments], environment, output)
        return Requests(process, output)

    def send(self, key: str, *arguments: str, body: str = BODY) -> list[dict[str, Any]]:
        return self.start(key, *arguments, body=body).responses()

    def counts(self) -> tuple[int, int]:
        """Return how many contacts and how many events of the tenant there are."""
        with self.postgres.connect() as connection:
            query = (
                "SELECT (SELECT count(*) FROM contact WHERE tenant_id = $1::uuid),"
                " (SELECT count(*) FROM outbox_event WHERE tenant_id = $1::uuid)"
            )
            [[rows, events]] = connection.execute_unnamed(query, (str(self.tenant),)).rows
        return rows, events


@pytest.fixture
def world(
    database: Settings, postgres: Postgres, emulator: Emulator, tenant: UUID, tmp_path: Path
) -> Iterator[World]:
    create_table(emulator.client("dynamodb"))
    yield World(database, postgres, tenant, emulator.url, tmp_path)


@pytest.mark.parametrize("step", STEPS)
def test_a_request_killed_at_a_step_and_repeated_has_one_row_one_event_and_one_answer(
    world: World, step: str
) -> None:
    killed = world.start("k", "--die-at", step)
    killed.responses()
    assert killed.process.returncode == -9
    deadline = time.monotonic() + 20
    while True:  # until the lease of the killed process has expired
        [response] = world.send("k")
        if response["status"] != 409 or time.monotonic() > deadline:
            break
    assert response["status"] == 201, response
    assert world.counts() == (1, 1)
    assert response["replayed"] == (step in STEPS[3:]), (
        "a committed request is answered again, not run again"
    )
    [repeated] = world.send("k")
    assert repeated == {**response, "replayed": True}


@pytest.mark.parametrize("dynamodb_down", [False, True], ids=["dynamodb-up", "dynamodb-down"])
def test_two_hundred_requests_at_once_have_one_row_one_event_and_one_answer(
    world: World, dynamodb_down: bool
) -> None:
    if dynamodb_down:
        world.dynamodb = f"http://127.0.0.1:{free_port()}"
    senders = [world.start("k", "--times", "25", "--lease-seconds", "20") for _ in range(8)]
    responses = [response for sender in senders for response in sender.responses()]
    assert len(responses) == 200
    created = [response for response in responses if response["status"] == 201]
    conflicts = [response for response in responses if response["status"] == 409]
    assert len(created) + len(conflicts) == 200
    assert [response["replayed"] for response in created].count(False) == 1
    assert len({response["body"] for response in created}) == 1, "replays are byte-identical"
    assert world.counts() == (1, 1)


def test_a_key_is_refused_for_another_body_but_free_after_an_invalid_one(world: World) -> None:
    invalid = json.dumps({"name": ""})
    responses = world.send("k", "--times", "2", body=invalid)
    assert [response["status"] for response in responses] == [400, 400]
    assert world.send("k")[0]["status"] == 201
    [refused] = world.send("k", body=json.dumps({"name": "Eve"}))
    assert (refused["status"], json.loads(refused["body"])["code"]) == (
        422,
        "idempotency-key-reused",
    )
    other_tenant = replace(world, tenant=uuid4())
    assert other_tenant.send("k")[0]["status"] == 201
    assert other_tenant.counts() == (1, 1)


def test_after_a_day_a_key_can_be_used_again(world: World) -> None:
    body = json.dumps({"name": "Ada"})
    world.dynamodb = f"http://127.0.0.1:{free_port()}"
    world.send("k", body=body)
    with world.postgres.connect() as connection:
        connection.execute_simple(
            "UPDATE idempotent_request SET created_at = now() - interval '25 hours'"
        )
    [response] = world.send("k", body=body)
    assert (response["status"], response["replayed"]) == (201, False)
    assert world.counts() == (2, 2)
