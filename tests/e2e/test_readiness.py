"""Readiness of a real stack: whole while it is well, and each check fails when its cause is planted, with a remedy."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import requests
import yaml

from chalicelib.security.identity import Role
from infra.local.identity import DEFAULT_TENANT
from infra.local.ports import Ports, free_port
from infra.local.stack import Stack
from infra.readiness.__main__ import CHECKS, main
from infra.readiness.check import Finding, State, run
from infra.readiness.target import Target
from infra.readiness.watching import COMMITTED
from tests.e2e.healer import SCHEDULED, until

pytestmark = pytest.mark.e2e
NAMES = {one.name: one for one in CHECKS}


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    home = Path(tempfile.mkdtemp(prefix="aetherlink-e2e-"))
    home.chmod(0o711)
    made = Stack(home, Ports.free(), fast=True, broker="embedded")
    try:
        made.up()
        watch(made)
        made.emulator.invoke("MetricsPush", SCHEDULED)
        yield made
    finally:
        made.down()
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def target(stack: Stack) -> Target:
    return Target.of_stack(stack)


def watch(stack: Stack, **changes: Any) -> None:
    """Let Prometheus watch the stack, or something else, each second."""
    watched = stack.healing.scrape_targets(str(stack.status()["api"]))
    rules = {"rules": changes.pop("rules")} if "rules" in changes else {}
    stack.healing.prometheus.start(replace(watched, **changes), interval="1s", **rules)


def change(target: Target, **body: Any) -> None:
    """Turn the healer's switch."""
    headers = {"Authorization": f"Bearer {target.token}"}
    answer = requests.put(f"{target.api}/autoheal/config", json=body, headers=headers, timeout=30)
    assert answer.ok, answer.text


def fails(target: Target, name: str, *, soon: bool = False) -> Finding:
    """Return how the check `name` failed; `soon` awaits it."""

    def once() -> Finding | None:
        [found] = run([NAMES[name]], target)
        return found if found.state is State.FAIL else None

    found = until(once) if soon else once()
    assert found is not None, f"{name} does not fail"
    assert found.remedy == NAMES[name].remedy
    return found


def holds(target: Target, *names: str) -> None:
    """Await that the checks `names` are well again."""
    until(
        lambda: all(
            one.state is not State.FAIL for one in run([NAMES[name] for name in names], target)
        )
    )


@contextmanager
def told(stack: Stack, function: str, **variables: str) -> Iterator[None]:
    """Let a function have other variables within the block."""
    functions = stack.emulator.client("lambda")
    listed = functions.list_functions()["Functions"]
    one = next(one for one in listed if function in one["FunctionName"])
    before = one["Environment"]["Variables"]
    name = one["FunctionName"]
    functions.update_function_configuration(
        FunctionName=name, Environment={"Variables": before | variables}
    )
    try:
        yield
    finally:
        functions.update_function_configuration(
            FunctionName=name, Environment={"Variables": before}
        )


def test_a_stack_that_is_well_is_ready(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for part, port in asdict(stack.ports).items():
        monkeypatch.setenv(f"AETHERLINK_{part.upper()}_PORT", str(port))
    change(Target.of_stack(stack), mode="dry_run")  # so that the audit has something to tell
    assert main(["--home", str(stack.home), "--json", "--wait", "60"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["ready"]
    states = {one["name"]: one["state"] for one in found["checks"]}
    assert set(states) == set(NAMES)
    assert {name for name, state in states.items() if state == "skip"} == {
        "console",
        "backups",
    }
    assert main(["--home", str(stack.home), "--live"]) == 1
    shown = capsys.readouterr().out
    assert "✗ mode" in shown
    assert "the healer's mode is dry_run: it heals nothing" in shown
    assert 'remedy: PUT /autoheal/config {"mode": "live"}' in shown


def test_without_a_stack_there_is_nobody_to_ask(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--home", str(tmp_path)]) == 2
    assert "make up" in capsys.readouterr().err


def test_a_deployment_elsewhere_has_to_be_named_whole(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--api", "https://api.test"]) == 2
    assert "--prometheus, --alertmanager, --stage" in capsys.readouterr().err


def test_an_api_that_is_away(target: Target) -> None:
    away = replace(target, api=f"http://127.0.0.1:{free_port()}")
    found = {one.name: one for one in run(CHECKS, away)}
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
        assert found[name].state is State.FAIL, name
        assert "does not answer" in found[name].found


def test_somebody_who_may_not_read_the_audit(stack: Stack, target: Target) -> None:
    sales = replace(target, token=stack.issuer.token(Role.SALES, DEFAULT_TENANT))
    for name in ("audit-filters", "audit-csv", "mode", "breakers", "outbox-lag"):
        assert "403" in fails(sales, name).found


def test_a_database_that_is_away(stack: Stack, target: Target) -> None:
    stack.postgres.stop()
    try:
        assert "postgres" in fails(target, "dependencies").found
        assert "Unavailable" in fails(target, "migrations").found
        assert "outbox" in fails(target, "outbox-lag").found
    finally:
        stack.postgres.start()
    holds(target, "dependencies", "migrations", "outbox-lag")


def test_a_schema_that_is_behind(stack: Stack, target: Target) -> None:
    with stack.postgres.connect() as database:
        [[head]] = database.execute_unnamed("SELECT version_num FROM alembic_version", ()).rows
        database.execute_simple("UPDATE alembic_version SET version_num = '0001'")
        try:
            found = fails(target, "migrations")
            assert found.found == f"the schema is at 0001, the code needs {head}"
            assert "infra.ops migrate" in found.remedy
        finally:
            database.execute_simple(f"UPDATE alembic_version SET version_num = '{head}'")
    holds(target, "migrations")


def test_an_outbox_that_stands_still(stack: Stack, target: Target) -> None:
    token = stack.issuer.token(Role.SALES, uuid4())
    with stack.postgres.connect() as database:
        database.execute_simple(
            "UPDATE outbox_shard SET owner = gen_random_uuid(), lease_until = now() + interval '1 hour'"
        )
        try:
            made = requests.post(
                f"{target.api}/api/crm/accounts",
                json={"name": "Late"},
                headers={"Authorization": f"Bearer {token}"},
                timeout=30,
            )
            assert made.status_code == 201
            database.execute_simple(
                "UPDATE outbox_event SET occurred_at = now() - interval '5 minutes'"
            )
            assert "1 events wait, the oldest for 30" in fails(target, "outbox-lag").found
            database.execute_simple("UPDATE outbox_stream SET parked = true")
            assert fails(target, "outbox-parked").found.endswith("streams are parked")
        finally:
            database.execute_simple("UPDATE outbox_stream SET parked = false")
            database.execute_simple("UPDATE outbox_shard SET owner = NULL, lease_until = now()")
            database.execute_simple("DELETE FROM outbox_event")
    holds(target, "outbox-lag", "outbox-parked")


def test_topics_that_are_missing_or_too_narrow(target: Target) -> None:
    wide = replace(target, settings=target.settings.changed(outbox={"topic_partitions": 99}))
    assert "3 of 99" in fails(wide, "topics").found
    other = replace(
        target,
        settings=target.settings.changed(outbox={"topic_template": f"other-{uuid4().hex}"}),
    )
    assert "other-" in fails(other, "topics").found
    nowhere = target.settings.changed(kafka={"bootstrap_servers": f"127.0.0.1:{free_port()}"})
    assert fails(replace(target, settings=nowhere), "topics").found


def test_failures_on_purpose(target: Target) -> None:
    change(target, chaos={"percent": 2.5})
    assert fails(target, "chaos").found == "2.5 % of the actions fail on purpose"
    change(target, chaos={"percent": 0})
    holds(target, "chaos")


def test_a_runbook_that_failed_too_often(stack: Stack, target: Target) -> None:
    dynamodb = stack.emulator.client("dynamodb")
    key = {"pk": {"S": "BRK#TcpEndpointDownFast"}}
    table = "aetherlink-autoheal-local-state"
    dynamodb.put_item(
        TableName=table, Item={**key, "state": {"S": "closed"}, "failures": {"N": "3"}}
    )
    assert fails(target, "breakers").found == "not closed: TcpEndpointDownFast after 3 failures"
    dynamodb.delete_item(TableName=table, Key=key)
    holds(target, "breakers")


def test_a_pushgateway_that_is_away(stack: Stack, target: Target) -> None:
    stack.healing.pushgateway.stop()
    try:
        assert "pushgateway" in fails(target, "targets", soon=True).found
        assert "nothing was ever pushed" in fails(target, "pushes", soon=True).found
    finally:
        stack.healing.pushgateway.start()
    stack.emulator.invoke("MetricsPush", SCHEDULED)
    holds(target, "targets", "pushes")


def test_a_push_that_is_too_old(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.readiness.watching.LONGEST_PUSH", -1.0)
    assert "the last push is too old" in fails(target, "pushes").found


def test_rules_that_are_missing_or_broken(stack: Stack, target: Target, tmp_path: Path) -> None:
    rules = yaml.safe_load(COMMITTED.read_text())
    for group in rules["groups"]:
        group["rules"] = [
            one
            for one in group["rules"]
            if "AutohealServiceDown" not in one.values()
            and "autoheal:burn_slow" not in one.values()
        ]
    (tmp_path / "fewer.yml").write_text(yaml.safe_dump(rules))
    watch(stack, rules=tmp_path / "*.yml")
    assert fails(target, "alerts").found == "1 rules are not loaded: AutohealServiceDown"
    assert fails(target, "rules").found == "1 rules are not loaded: autoheal:burn_slow"
    broken = {
        "groups": [
            {
                "name": "broken",
                "interval": "1s",
                "rules": [{"record": "both", "expr": "up + on() up"}],
            }
        ]
    }
    (tmp_path / "fewer.yml").write_text(COMMITTED.read_text())
    (tmp_path / "broken.yml").write_text(yaml.safe_dump(broken))
    watch(stack, rules=tmp_path / "*.yml")
    assert "a rule cannot be evaluated: both" in fails(target, "rules", soon=True).found
    watch(stack)
    holds(target, "alerts", "rules")


def test_a_prometheus_that_tells_somebody_else(stack: Stack, target: Target) -> None:
    watch(stack, alertmanager=f"127.0.0.1:{free_port()}")
    assert target.alertmanager in fails(target, "alerts-told", soon=True).found
    watch(stack)
    holds(target, "alerts-told")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "TcpEndpointDownFast|",
            "",
            "TcpEndpointDownFast is not sent to the receiver autoheal",
        ),
        ('alertname=~"Autoheal.*"', 'alertname=~"Nobody.*"', ""),
        (
            "      receiver: chat\n      group_by: [alertname, slo]",
            "      receiver: autoheal",
            "never heals itself",
        ),
    ],
)
def test_alerts_that_go_astray(stack: Stack, target: Target, old: str, new: str, said: str) -> None:
    alertmanager = stack.healing.alertmanager
    file = alertmanager.home / "alertmanager.yml"
    right = file.read_text()
    assert old in right
    try:
        file.write_text(right.replace(old, new))
        alertmanager.reload()
        if said:
            assert said in fails(target, "routes").found
        else:
            holds(target, "routes")  # people are told all the same, by the route that is the last
    finally:
        file.write_text(right)
        alertmanager.reload()
    holds(target, "routes")


def test_a_secret_in_a_function_s_environment(stack: Stack, target: Target) -> None:
    with told(stack, "OutboxUpkeep", DATABASE_URL="postgresql://somebody:secret@host/database"):
        found = fails(target, "secrets")
        assert "carries DATABASE_URL in plain text" in found.found
        assert "secret@" not in found.found
    with told(stack, "OutboxUpkeep", NOTE=target.secrets["CURSOR_SECRET"]):
        assert "carries NOTE in plain text" in fails(target, "secrets").found
    holds(target, "secrets")


def test_tables_that_keep_everything_or_lose_it(stack: Stack, target: Target) -> None:
    dynamodb = stack.emulator.client("dynamodb")
    table = "aetherlink-autoheal-local-audit"
    expiry = {"AttributeName": "expires_at", "Enabled": False}
    dynamodb.update_time_to_live(TableName=table, TimeToLiveSpecification=expiry)
    assert table in fails(target, "expiry").found
    dynamodb.update_time_to_live(
        TableName=table, TimeToLiveSpecification=expiry | {"Enabled": True}
    )
    off = {"PointInTimeRecoveryEnabled": False}
    dynamodb.update_continuous_backups(TableName=table, PointInTimeRecoverySpecification=off)
    assert table in fails(target, "recovery").found
    on = {"PointInTimeRecoveryEnabled": True}
    dynamodb.update_continuous_backups(TableName=table, PointInTimeRecoverySpecification=on)
    holds(target, "expiry", "recovery")
