"""The contract of `Commander`, for the fake and the adapter on the local Systems Manager."""

import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib.adapters.ssm import SsmCommander, client
from chalicelib.autoheal.actions import Action, State, action_id
from chalicelib.autoheal.ports import (
    Commander,
    CommandState,
    CommandStatus,
    SendRefused,
    SendUnsure,
)
from chalicelib.shared.errors import Unavailable
from chalicelib.shared.ids import uuid7
from infra.local.demo_services import FAIL, HANG, DemoServices
from infra.local.ports import free_port
from infra.local.ssm import LocalSsm
from tests.fakes.clock import FakeClock
from tests.fakes.commander import FakeCommander

RESTART = {"document": "AetherLink-RestartService", "version": "1"}
SECONDS = 30.0


def action(service: str = "crm-api", **values: Any) -> Action:
    now = datetime.now(UTC)
    target = f"AetherLinkService={service}"
    parameters = {"Service": service}
    identity = action_id(str(uuid7()), 1)
    planned = Action(
        identity, "e", 1, "A", {}, target, "cmd", parameters, State.DISPATCHING, 2, now, now
    )
    return replace(planned, **values)


def ended(commander: Commander, command_id: str) -> CommandStatus:
    waiting = threading.Event()
    for _ in range(int(SECONDS / 0.05)):
        status = commander.status(command_id)
        if status.state not in (CommandState.RUNNING, CommandState.MISSING):
            return status
        waiting.wait(0.05)
    raise AssertionError("no end")


@dataclass
class Suite:
    commander: Commander
    since: datetime
    behave: Callable[[str, str], None]


@pytest.fixture(params=["fake", "local"])
def suite(request: pytest.FixtureRequest) -> Iterator[Suite]:
    if request.param == "fake":
        clock = FakeClock()
        fake = FakeCommander(clock)

        def behave(name: str, how: str) -> None:
            fake.outcome = CommandStatus(CommandState.FAILED, 3, f"{name} cannot be started")

        yield Suite(fake, clock.now(), behave)
        return
    services: DemoServices = request.getfixturevalue("services")
    ssm: LocalSsm = request.getfixturevalue("ssm")
    yield Suite(
        SsmCommander(ssm.client, stage="local"),
        datetime.now(UTC) - timedelta(minutes=1),
        services.behave,
    )
    services.behave("crm-api", "")


def test_a_command_runs_and_its_result_is_known(suite: Suite) -> None:
    command_id = suite.commander.send(action(), **RESTART, timeout_seconds=60)
    status = ended(suite.commander, command_id)
    assert (status.state, status.rc) == (CommandState.SUCCEEDED, 0)


def test_a_failed_command_has_its_exit_code_and_output(suite: Suite) -> None:
    suite.behave("crm-api", FAIL)
    status = ended(suite.commander, suite.commander.send(action(), **RESTART, timeout_seconds=60))
    assert (status.state, status.rc, status.detail) == (
        CommandState.FAILED,
        3,
        "crm-api cannot be started",
    )


def test_a_command_is_found_by_its_comment_and_only_by_it(suite: Suite) -> None:
    sent = action()
    never = action()
    command_id = suite.commander.send(sent, **RESTART, timeout_seconds=60)
    assert suite.commander.find(sent.comment, suite.since) == command_id
    assert suite.commander.find(never.comment, suite.since) is None
    ended(suite.commander, command_id)


def test_an_unknown_command_is_missing_and_not_failed(suite: Suite) -> None:
    assert (
        suite.commander.status("0197a3c0-5f3e-7cc4-9d0a-2b8b6f0f1e11").state is CommandState.MISSING
    )


def test_the_demo_service_is_really_restarted(ssm: LocalSsm, services: DemoServices) -> None:
    services.kill("crm-api")
    assert not services.answers("crm-api")
    commander = SsmCommander(ssm.client, stage="local")
    assert (
        ended(commander, commander.send(action(), **RESTART, timeout_seconds=60)).state
        is CommandState.SUCCEEDED
    )
    assert services.answers("crm-api")


def test_a_target_without_machines_is_a_failure(ssm: LocalSsm) -> None:
    commander = SsmCommander(ssm.client, stage="local")
    command_id = commander.send(action("unknown"), **RESTART, timeout_seconds=60)
    assert ended(commander, command_id).state is CommandState.NO_TARGETS


def test_a_command_that_hangs_is_cancelled(ssm: LocalSsm, services: DemoServices) -> None:
    services.behave("crm-api", HANG)
    commander = SsmCommander(ssm.client, stage="local")
    command_id = commander.send(action(), **RESTART, timeout_seconds=60)
    while commander.status(command_id).state is not CommandState.RUNNING:
        threading.Event().wait(0.05)
    threading.Event().wait(0.3)
    commander.cancel(command_id)
    assert ended(commander, command_id).state is CommandState.CANCELLED
    services.behave("crm-api", "")


@pytest.mark.parametrize(
    "wrong",
    [
        {"parameters": {"Service": "x; rm -rf /"}},
        {"parameters": {"Service": "$(id)"}},
        {"parameters": {}},
        {"parameters": {"Service": "crm-api", "Extra": "x"}},
    ],
)
def test_parameters_that_the_document_does_not_allow_are_refused(
    ssm: LocalSsm, wrong: dict[str, Any]
) -> None:
    with pytest.raises(SendRefused):
        SsmCommander(ssm.client, stage="local").send(action(**wrong), **RESTART, timeout_seconds=60)


def test_an_unknown_document_is_refused(ssm: LocalSsm) -> None:
    with pytest.raises(SendRefused, match="InvalidDocument"):
        SsmCommander(ssm.client, stage="local").send(
            action(), document="AetherLink-Other", version="1", timeout_seconds=60
        )


def test_a_document_of_another_stage_is_not_run(ssm: LocalSsm) -> None:
    with pytest.raises(SendRefused, match="InvalidDocument"):
        SsmCommander(ssm.client, stage="prod").send(action(), **RESTART, timeout_seconds=60)


def test_no_connection_is_a_refusal_and_no_answer_is_unsure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_SSM", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(SendRefused):
        SsmCommander(lambda: client(timeout_seconds=0.3), stage="local").send(
            action(), **RESTART, timeout_seconds=60
        )
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        monkeypatch.setenv("AWS_ENDPOINT_URL_SSM", f"http://127.0.0.1:{mute.getsockname()[1]}")
        commander = SsmCommander(lambda: client(timeout_seconds=0.3), stage="local")
        with pytest.raises(SendUnsure):
            commander.send(action(), **RESTART, timeout_seconds=60)
        with pytest.raises(Unavailable):
            commander.status("x")
