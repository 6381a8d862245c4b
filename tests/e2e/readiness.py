"""Asking the readiness checks about a real stack, and planting what they are to find."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import requests

from infra.local.stack import Stack
from infra.readiness.__main__ import CHECKS
from infra.readiness.check import Finding, State, run
from infra.readiness.target import Target
from tests.e2e.waiting import until

BY_NAME = {check.name: check for check in CHECKS}


def watch(stack: Stack, **changes: Any) -> None:
    """Let Prometheus scrape the stack, with `changes`, each second; `rules` replaces its rules."""
    targets = stack.healing.scrape_targets(str(stack.status()["api"]))
    rules = {"rules": changes.pop("rules")} if "rules" in changes else {}
    stack.healing.prometheus.start(replace(targets, **changes), interval="1s", **rules)


def configure(target: Target, **body: Any) -> None:
    """Change the healer's configuration."""
    response = requests.put(
        f"{target.api}/autoheal/config",
        json=body,
        headers={"Authorization": f"Bearer {target.token}"},
        timeout=30,
    )
    assert response.ok, response.text


def reset(stack: Stack, target: Target) -> None:
    """Undo what earlier tests left behind: mode, chaos, breakers, and events not relayed."""
    configure(target, mode="dry_run", chaos={"percent": 0})
    dynamodb = stack.emulator.client("dynamodb")
    table = "aetherlink-autoheal-local-state"
    for item in dynamodb.scan(TableName=table)["Items"]:
        if item["pk"]["S"].startswith("BRK#"):
            dynamodb.delete_item(TableName=table, Key={"pk": item["pk"]})
    with stack.postgres.connect() as database:
        database.execute_simple("DELETE FROM outbox_event")


def failure(target: Target, name: str) -> Finding:
    """Return how the check `name` fails now."""
    finding = _failure(target, name)
    assert finding is not None, f"{name} does not fail"
    return finding


def awaited_failure(target: Target, name: str, *, naming: str = "") -> Finding:
    """Await that the check `name` fails and its finding contains `naming`; return the finding."""

    def failure_naming() -> Finding | None:
        finding = _failure(target, name)
        return finding if finding is not None and naming in finding.found else None

    finding = until(failure_naming)
    assert finding is not None
    return finding


def await_success(target: Target, *names: str) -> None:
    """Await that the checks `names` no longer fail."""
    checks = [BY_NAME[name] for name in names]
    until(lambda: all(finding.state is not State.FAIL for finding in run(checks, target)))


def _failure(target: Target, name: str) -> Finding | None:
    [finding] = run([BY_NAME[name]], target)
    if finding.state is not State.FAIL:
        return None
    assert finding.remedy == BY_NAME[name].remedy
    return finding


@contextmanager
def function_variables(stack: Stack, function: str, **variables: str) -> Iterator[None]:
    """Let a function have other environment variables within the block."""
    functions = stack.emulator.client("lambda")
    name = stack.emulator.function(function)
    before = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]

    def update(variables: dict[str, str]) -> None:
        functions.update_function_configuration(
            FunctionName=name, Environment={"Variables": variables}
        )

    update(before | variables)
    try:
        yield
    finally:
        update(before)
