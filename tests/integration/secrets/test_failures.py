"""A secret store that is down or lacks a secret, and secrets that are refused."""

from typing import Any

import pytest

from chalicelib.bootstrap import container
from chalicelib.config import Settings
from chalicelib.security.secrets import PAUSE_SECONDS
from chalicelib.telemetry import logs
from tests.conftest import Compose
from tests.integration.secrets.world import CANARY, REFRESH_SECONDS, SecretsWorld


def test_while_the_store_is_down_the_last_values_stay_in_use(
    world: SecretsWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    assert world.create().status_code == 201
    world.proxy.cut = True
    world.proxy.disconnect()
    world.clock.passed += REFRESH_SECONDS
    del container().crm.engine
    assert world.create().status_code == 201
    world.change_password("aetherlink_api", "changed/3")
    world.keep(api=world.url("aetherlink_api", "changed/3"))
    refused = world.create()
    assert (refused.status_code, refused.json_body["code"]) == (503, "database-unavailable")
    world.proxy.cut = False
    world.clock.passed += PAUSE_SECONDS
    assert world.create().status_code == 201


def test_a_store_that_never_answered_is_a_503_with_retry_after(
    world: SecretsWorld,
) -> None:
    world.proxy.cut = True
    answer = world.create()
    assert (answer.status_code, answer.json_body["code"]) == (503, "secrets-unavailable")
    assert answer.headers["Retry-After"]
    assert world.send("GET", "/health/ready").status_code == 503
    assert world.send("GET", "/health/live").status_code == 200
    world.proxy.cut = False
    assert world.create().status_code == 201


def test_a_missing_secret_is_named_in_the_log_and_not_to_callers(
    world: SecretsWorld, composed: Compose, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors: list[Any] = []
    monkeypatch.setattr(logs, "error", lambda _, **fields: errors.append(fields))
    composed(
        container().settings.changed(database={"url": "secretsmanager:aetherlink/test/nowhere"}),
        world.clock,
    )
    answer = world.create()
    assert (answer.status_code, answer.json_body["code"]) == (500, "misconfigured")
    assert b"nowhere" not in answer.body
    assert "aetherlink/test/nowhere" in errors[0]["cause"]


def test_no_secret_is_shown_when_the_database_refuses_it(
    world: SecretsWorld, database: Settings, capfd: pytest.CaptureFixture[str]
) -> None:
    world.keep(
        api=world.url("aetherlink_api", CANARY),
        relay=world.url("aetherlink_relay", CANARY),
        cursors=CANARY,
    )
    logs._logger.handlers.clear()
    logs.configure("DEBUG")  # to the standard error that is captured
    try:
        answers = [
            world.create(),
            world.send("GET", "/api/crm/accounts"),
            world.send("GET", "/api/outbox", role="ops"),
            world.send("GET", "/health/ready"),
        ]
        report = container().outbox.relay().run(0.3)
    finally:
        logs._logger.handlers.clear()
        logs.configure("INFO")
    assert {answer.status_code for answer in answers} == {503}
    assert report.store_troubles > 0
    output = "".join(capfd.readouterr()) + "".join(
        answer.body.decode() + str(answer.headers) for answer in answers
    )
    assert "28P01" in output, "the log has the cause"
    assert CANARY not in output + repr(container().settings)
