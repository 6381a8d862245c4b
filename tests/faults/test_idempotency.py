"""Requests that die on the way, are repeated blindly, or come all at once: one row, one event, one answer."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import pytest

from chalicelib.config import Settings
from infra.aws.package import ROOT
from infra.local.emulator import Emulator
from infra.local.ports import free_port
from infra.local.postgres import Postgres
from tests.contract.test_lease_store import TABLE, create_table
from tests.faults.request_process import STEPS

BODY = json.dumps({"name": "Ada", "email": "ada@example.test"})
LEASE_SECONDS = 1.0


@dataclass
class World:
    """Real PostgreSQL and a real DynamoDB API, and requests in processes of their own."""

    settings: Settings
    postgres: Postgres
    tenant: UUID
    dynamodb: str

    def start(self, key: str, *arguments: str, body: str = BODY) -> "subprocess.Popen[str]":
        env = {
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
        command = [
            sys.executable,
            "-m",
            "tests.faults.request_process",
            "--tenant",
            str(self.tenant),
            "--key",
            key,
        ]
        command += ["--body", body, "--lease-seconds", str(LEASE_SECONDS), *arguments]
        pipe = subprocess.PIPE
        return subprocess.Popen(
            command, cwd=ROOT, env=env, stdout=pipe, stderr=subprocess.DEVNULL, text=True
        )

    def send(self, key: str, *arguments: str, body: str = BODY) -> list[dict[str, Any]]:
        said, _ = self.start(key, *arguments, body=body).communicate(timeout=60)
        return [json.loads(line) for line in said.splitlines() if line.startswith('{"status"')]

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
    database: Settings, postgres: Postgres, emulator: Emulator, tenant: UUID
) -> Iterator[World]:
    create_table(emulator.client("dynamodb"))
    yield World(database, postgres, tenant, emulator.url)


@pytest.mark.parametrize("step", STEPS)
def test_killed_on_the_way_and_repeated_there_is_one_row_one_event_and_the_right_answer(
    world: World, step: str
) -> None:
    dying = world.start("k", "--die-at", step)
    dying.communicate(timeout=60)
    assert dying.returncode == -9
    deadline = time.monotonic() + 20
    while True:  # the dead one's lease has to end first
        [answer] = world.send("k")
        if answer["status"] != 409 or time.monotonic() > deadline:
            break
    assert answer["status"] == 201, answer
    assert world.counts() == (1, 1)
    assert answer["replayed"] == (step in STEPS[3:]), (
        "what was committed is given again, not done again"
    )
    [again] = world.send("k")
    assert again == {**answer, "replayed": True}


@pytest.mark.parametrize("away", [False, True], ids=["dynamodb-up", "dynamodb-down"])
def test_two_hundred_at_once_make_one_row_one_event_and_one_answer(
    world: World, away: bool
) -> None:
    if away:
        world.dynamodb = f"http://127.0.0.1:{free_port()}"
    processes = [world.start("k", "--times", "25", "--lease-seconds", "20") for _ in range(8)]
    answers = []
    for process in processes:
        said, _ = process.communicate(timeout=120)
        answers += [json.loads(line) for line in said.splitlines() if line.startswith('{"status"')]
    assert len(answers) == 200
    done = [answer for answer in answers if answer["status"] == 201]
    assert len(done) + sum(answer["status"] == 409 for answer in answers) == 200
    assert [answer["replayed"] for answer in done].count(False) == 1
    assert len({answer["body"] for answer in done}) == 1, "replays are byte-identical"
    assert world.counts() == (1, 1)


def test_another_body_is_refused_and_a_refusal_is_not_kept(world: World) -> None:
    bad = json.dumps({"name": ""})
    assert [answer["status"] for answer in world.send("bad", "--times", "2", body=bad)] == [
        400,
        400,
    ]
    assert world.send("bad")[0]["status"] == 201
    [refused] = world.send("bad", body=json.dumps({"name": "Eve"}))
    assert (refused["status"], json.loads(refused["body"])["code"]) == (
        422,
        "idempotency-key-reused",
    )
    strangers = World(world.settings, world.postgres, uuid4(), world.dynamodb)
    assert strangers.send("bad")[0]["status"] == 201
    assert strangers.counts() == (1, 1)


def test_after_a_day_it_runs_anew(world: World) -> None:
    body = json.dumps({"name": "Ada"})
    world.dynamodb = f"http://127.0.0.1:{free_port()}"
    world.send("k", body=body)
    with world.postgres.connect() as connection:
        connection.execute_simple(
            "UPDATE idempotent_request SET created_at = now() - interval '25 hours'"
        )
    [answer] = world.send("k", body=body)
    assert (answer["status"], answer["replayed"]) == (201, False)
    assert world.counts() == (2, 2)
