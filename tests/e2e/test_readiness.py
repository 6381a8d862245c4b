"""Readiness of a real stack: each check passes, and fails once its cause is planted."""

import json
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
import requests

from chalicelib.security.identity import Role
from infra.local.identity import DEFAULT_TENANT
from infra.local.ports import free_port
from infra.local.stack import Stack
from infra.readiness.__main__ import CHECKS, main
from infra.readiness.check import State, run
from infra.readiness.target import Target
from tests.e2e.conftest import ports_environment
from tests.e2e.readiness import (
    BY_NAME,
    await_success,
    configure,
    failure,
    function_variables,
)

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.usefixtures("watched_stack"),
]


def test_a_healthy_stack_is_ready(
    stack: Stack,
    target: Target,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for setting, port in ports_environment(stack).items():
        monkeypatch.setenv(setting, port)
    configure(target, mode="dry_run")  # so that the audit has an event
    assert main(["--home", str(stack.home), "--json", "--wait", "60"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["ready"]
    states = {check["name"]: check["state"] for check in result["checks"]}
    assert set(states) == set(BY_NAME)
    assert {name for name, state in states.items() if state == "skip"} == {
        "console",
        "backups",
    }
    assert main(["--home", str(stack.home), "--live"]) == 1
    output = capsys.readouterr().out
    assert "✗ mode" in output
    assert "the healer's mode is dry_run: it heals nothing" in output
    assert 'remedy: PUT /autoheal/config {"mode": "live"}' in output


def test_without_a_stack_the_command_refers_to_make_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--home", str(tmp_path)]) == 2
    assert "make up" in capsys.readouterr().err


def test_another_deployment_needs_all_its_addresses(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--api", "https://api.test"]) == 2
    assert "--prometheus, --alertmanager, --stage" in capsys.readouterr().err


def test_an_api_that_is_down_fails_every_check_that_asks_it(target: Target) -> None:
    down = replace(target, api=f"http://127.0.0.1:{free_port()}")
    findings = {finding.name: finding for finding in run(CHECKS, down)}
    for name in (
        "health",
        "dependencies",
        "sign-in",
        "audit-filters",
        "audit-csv",
        "console",
        "chaos",
        "mode",
    ):
        assert findings[name].state is State.FAIL, name
        assert "does not answer" in findings[name].found


def test_a_token_without_the_role_fails_the_checks_that_need_it(
    stack: Stack, target: Target
) -> None:
    sales = replace(target, token=stack.issuer.token(Role.SALES, DEFAULT_TENANT))
    for name in ("audit-filters", "audit-csv", "mode", "breakers", "outbox-lag"):
        assert "403" in failure(sales, name).found


def test_a_database_that_is_down_is_found(stack: Stack, target: Target) -> None:
    stack.postgres.stop()
    try:
        assert "postgres" in failure(target, "dependencies").found
        assert "Unavailable" in failure(target, "migrations").found
        assert "outbox" in failure(target, "outbox-lag").found
    finally:
        stack.postgres.start()
    await_success(target, "dependencies", "migrations", "outbox-lag")


def test_an_outdated_schema_is_found(stack: Stack, target: Target) -> None:
    with stack.postgres.connect() as database:
        [[head]] = database.execute_unnamed("SELECT version_num FROM alembic_version", ()).rows
        database.execute_simple("UPDATE alembic_version SET version_num = '0001'")
        try:
            finding = failure(target, "migrations")
            assert finding.found == f"the schema is at 0001, the code needs {head}"
            assert "infra.ops migrate" in finding.remedy
        finally:
            database.execute_simple(f"UPDATE alembic_version SET version_num = '{head}'")
    await_success(target, "migrations")


def test_an_outbox_that_does_not_move_is_found(stack: Stack, target: Target) -> None:
    token = stack.issuer.token(Role.SALES, uuid4())
    with stack.postgres.connect() as database:
        database.execute_simple(
            "UPDATE outbox_shard"
            " SET owner = gen_random_uuid(), lease_until = now() + interval '1 hour'"
        )
        try:
            created = requests.post(
                f"{target.api}/api/crm/accounts",
                json={"name": "Late"},
                headers={"Authorization": f"Bearer {token}"},
                timeout=30,
            )
            assert created.status_code == 201
            database.execute_simple(
                "UPDATE outbox_event SET occurred_at = now() - interval '5 minutes'"
            )
            assert "1 events wait, the oldest for 30" in failure(target, "outbox-lag").found
            database.execute_simple("UPDATE outbox_stream SET parked = true")
            assert failure(target, "outbox-parked").found.endswith("streams are parked")
        finally:
            database.execute_simple("UPDATE outbox_stream SET parked = false")
            database.execute_simple("UPDATE outbox_shard SET owner = NULL, lease_until = now()")
            database.execute_simple("DELETE FROM outbox_event")
    await_success(target, "outbox-lag", "outbox-parked")


def test_missing_topics_and_too_few_partitions_are_found(target: Target) -> None:
    wide = replace(target, settings=target.settings.changed(outbox={"topic_partitions": 99}))
    assert "3 of 99" in failure(wide, "topics").found
    other = replace(
        target,
        settings=target.settings.changed(outbox={"topic_template": f"other-{uuid4().hex}"}),
    )
    assert "other-" in failure(other, "topics").found
    nowhere = target.settings.changed(kafka={"bootstrap_servers": f"127.0.0.1:{free_port()}"})
    assert failure(replace(target, settings=nowhere), "topics").found


def test_chaos_that_is_switched_on_is_found(target: Target) -> None:
    configure(target, chaos={"percent": 2.5})
    assert failure(target, "chaos").found == "2.5 % of the actions fail on purpose"
    configure(target, chaos={"percent": 0})
    await_success(target, "chaos")


def test_an_open_breaker_is_found(stack: Stack, target: Target) -> None:
    dynamodb = stack.emulator.client("dynamodb")
    key = {"pk": {"S": "BRK#TcpEndpointDownFast"}}
    table = "aetherlink-autoheal-local-state"
    dynamodb.put_item(
        TableName=table, Item={**key, "state": {"S": "closed"}, "failures": {"N": "3"}}
    )
    assert failure(target, "breakers").found == "not closed: TcpEndpointDownFast after 3 failures"
    dynamodb.delete_item(TableName=table, Key=key)
    await_success(target, "breakers")


def test_a_secret_in_a_function_s_environment_is_found(stack: Stack, target: Target) -> None:
    with function_variables(
        stack, "OutboxUpkeep", DATABASE_URL="postgresql://user:secret@host/database"
    ):
        finding = failure(target, "secrets")
        assert "carries DATABASE_URL in plain text" in finding.found
        assert "secret@" not in finding.found
    with function_variables(stack, "OutboxUpkeep", NOTE=target.secrets["CURSOR_SECRET"]):
        assert "carries NOTE in plain text" in failure(target, "secrets").found
    await_success(target, "secrets")


def test_tables_without_expiry_or_recovery_are_found(stack: Stack, target: Target) -> None:
    dynamodb = stack.emulator.client("dynamodb")
    table = "aetherlink-autoheal-local-audit"
    expiry = {"AttributeName": "expires_at", "Enabled": False}
    dynamodb.update_time_to_live(TableName=table, TimeToLiveSpecification=expiry)
    assert table in failure(target, "expiry").found
    dynamodb.update_time_to_live(
        TableName=table, TimeToLiveSpecification=expiry | {"Enabled": True}
    )
    off = {"PointInTimeRecoveryEnabled": False}
    dynamodb.update_continuous_backups(TableName=table, PointInTimeRecoverySpecification=off)
    assert table in failure(target, "recovery").found
    on = {"PointInTimeRecoveryEnabled": True}
    dynamodb.update_continuous_backups(TableName=table, PointInTimeRecoverySpecification=on)
    await_success(target, "expiry", "recovery")
