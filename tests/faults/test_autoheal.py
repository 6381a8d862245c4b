"""The healer is killed between DISPATCHING and the answer: no second command is ever sent."""

import http.server
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import requests

from chalicelib.autoheal.actions import State
from chalicelib.autoheal.dependencies import Dependencies
from chalicelib.autoheal.heal import Healer
from chalicelib.autoheal.records import ChangeRecord
from chalicelib.autoheal.settle import Settler
from chalicelib.bootstrap import container
from chalicelib.config.reader import from_env
from infra.local.emulator import Emulator
from infra.local.ports import free_port
from infra.local.ssm import LocalSsm
from infra.paths import ROOT
from tests.builders.alerts import delivery, raw_alert
from tests.conftest import Compose
from tests.contract.autoheal_suites import create_tables
from tests.fakes.alertmanager import FakeAlertmanager
from tests.fakes.escalation import FakeEscalation

SECONDS = 30.0


class Between:
    """A proxy of Systems Manager that forwards a SendCommand or drops it, and never answers."""

    def __init__(self, ssm: LocalSsm, *, passes_on: bool) -> None:
        self.seen = threading.Event()
        self.released = threading.Event()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if passes_on:
                    kept = {
                        k: v
                        for k, v in self.headers.items()
                        if k.lower() not in ("host", "content-length")
                    }
                    requests.post(ssm.url, data=body, headers=kept, timeout=10)
                outer.seen.set()
                outer.released.wait(SECONDS)

            def log_message(self, *_: object) -> None:
                """Keep quiet."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self._thread = threading.Thread(target=self.server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self.released.set()
        self.server.shutdown()
        self.server.server_close()
        self._thread.join(10)


@dataclass
class World:
    environment: dict[str, str]
    dependencies: Dependencies
    ssm: LocalSsm
    escalation: FakeEscalation

    def killed_while_sending(self, raw: Any, *, passes_on: bool) -> None:
        """Let a process handle `raw`, and kill it when its command is on the way."""
        between = Between(self.ssm, passes_on=passes_on)
        environment = {
            **os.environ,
            **self.environment,
            "AWS_ENDPOINT_URL_SSM": between.url,
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.heal_process"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert process.stdin is not None
        process.stdin.write(delivery(raw))
        process.stdin.close()
        try:
            assert between.seen.wait(SECONDS)
        finally:
            process.kill()
            process.wait()
            if process.stdout:
                process.stdout.close()
            between.close()

    def commands(self) -> list[str]:
        [action] = self.dependencies.store.actions(None, limit=9)[0]
        listed = self.ssm.client().list_commands()["Commands"]
        return [command["CommandId"] for command in listed if command["Comment"] == action.comment]

    def state(self) -> State:
        [action] = self.dependencies.store.actions(None, limit=9)[0]
        return action.state


@pytest.fixture
def world(
    emulator: Emulator, ssm: LocalSsm, composed: Compose, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    prefix = f"t{uuid4().hex[:12]}"
    create_tables(emulator.client("dynamodb"), prefix)
    environment = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL_DYNAMODB": emulator.url,
        "AWS_ENDPOINT_URL_SSM": ssm.url,
        "STAGE": "local",
        "AUTOHEAL_TABLE_PREFIX": prefix,
        "AUTOHEAL_ENABLED": "true",
        "AUTOHEAL_DRY_RUN": "false",
        "SSM_TIMEOUT_SECONDS": "20",
        "ALERTMANAGER_URL": f"http://127.0.0.1:{free_port()}",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    composed(from_env(environment))
    escalation = FakeEscalation()
    dependencies = container().autoheal.dependencies
    policy = replace(dependencies.policy, dispatch_grace_seconds=0, poll_seconds=0.2)
    yield World(
        environment,
        replace(dependencies, alerts=FakeAlertmanager(), escalation=escalation, policy=policy),
        ssm,
        escalation,
    )


def _wait_for_grace(world: World) -> None:
    """The killed process allowed itself a minute: look as if it had passed."""
    [action] = world.dependencies.store.due(
        State.DISPATCHING, datetime.now(UTC) + timedelta(hours=1), limit=9
    )
    due = replace(action, version=action.version + 1, next_check=datetime.now(UTC))
    assert world.dependencies.store.move(action, due, ChangeRecord(), seconds=5)


def test_an_accepted_command_is_found_again_and_no_other_is_sent(
    world: World,
) -> None:
    raw = raw_alert(starts_at=datetime.now(UTC))
    world.killed_while_sending(raw, passes_on=True)
    assert world.state() is State.DISPATCHING
    again = Healer(world.dependencies).receive(delivery(raw), seconds=28).outcomes[0]
    assert again.reason == "in_progress"
    _wait_for_grace(world)
    Settler(world.dependencies).run(SECONDS)
    assert (world.state(), len(world.commands())) == (State.SUCCEEDED, 1)
    assert world.escalation.notices == []


def test_a_command_that_was_not_accepted_is_escalated_and_not_sent_again(world: World) -> None:
    raw = raw_alert(starts_at=datetime.now(UTC))
    world.killed_while_sending(raw, passes_on=False)
    assert world.state() is State.DISPATCHING
    _wait_for_grace(world)
    Settler(world.dependencies).run(10)
    assert (world.state(), world.commands()) == (State.UNKNOWN, [])
    assert [subject for subject, _ in world.escalation.notices] == [
        "TcpEndpointDownFast on AetherLinkService=crm-api: UNKNOWN"
    ]
    again = Healer(world.dependencies).receive(delivery(raw), seconds=28).outcomes[0]
    assert again.reason in ("attempts_spent", "cooldown")
    assert world.commands() == []
