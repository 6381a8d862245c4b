"""Readiness of a real stack's monitoring: each check fails once its cause is planted."""

from pathlib import Path

import pytest
import yaml

from infra.local.ports import free_port
from infra.local.stack import Stack
from infra.readiness.target import Target
from infra.readiness.watching import COMMITTED
from tests.e2e.healer import SCHEDULED
from tests.e2e.readiness import (
    await_success,
    awaited_failure,
    failure,
    watch,
)

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.usefixtures("watched_stack"),
]


def test_a_pushgateway_that_is_down_is_found(stack: Stack, target: Target) -> None:
    stack.healing.pushgateway.stop()
    try:
        awaited_failure(target, "targets", naming="pushgateway")
        awaited_failure(target, "pushes", naming="nothing was ever pushed")
    finally:
        stack.healing.pushgateway.start()
    stack.emulator.invoke("MetricsPush", SCHEDULED)
    await_success(target, "targets", "pushes")


def test_a_push_that_is_too_old_is_found(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.readiness.watching.MAX_PUSH_AGE_SECONDS", -1.0)
    assert "the last push is too old" in failure(target, "pushes").found


def test_missing_and_broken_rules_are_found(stack: Stack, target: Target, tmp_path: Path) -> None:
    rules = yaml.safe_load(COMMITTED.read_text())
    for group in rules["groups"]:
        group["rules"] = [
            rule
            for rule in group["rules"]
            if "AutohealServiceDown" not in rule.values()
            and "autoheal:burn_slow" not in rule.values()
        ]
    (tmp_path / "fewer.yml").write_text(yaml.safe_dump(rules))
    watch(stack, rules=tmp_path / "*.yml")
    assert failure(target, "alerts").found == "1 rules are not loaded: AutohealServiceDown"
    assert failure(target, "rules").found == "1 rules are not loaded: autoheal:burn_slow"
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
    assert "a rule cannot be evaluated: both" in awaited_failure(target, "rules").found
    watch(stack)
    await_success(target, "alerts", "rules")


def test_a_prometheus_that_alerts_another_alertmanager_is_found(
    stack: Stack, target: Target
) -> None:
    watch(stack, alertmanager=f"127.0.0.1:{free_port()}")
    assert target.alertmanager in awaited_failure(target, "alerts-told").found
    watch(stack)
    await_success(target, "alerts-told")


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (
            'autoheal="true"',
            'autoheal="never"',
            "TcpEndpointDownFast is not sent to the receiver autoheal",
        ),
        ('alertname=~"Autoheal.*"', 'alertname=~"Nothing.*"', ""),
        (
            "      receiver: chat\n      group_by: [alertname, slo]",
            "      receiver: autoheal",
            "never heals itself",
        ),
    ],
)
def test_alerts_that_are_routed_wrongly_are_found(
    stack: Stack, target: Target, old: str, new: str, problem: str
) -> None:
    alertmanager = stack.healing.alertmanager
    file = alertmanager.configuration
    right = file.read_text()
    assert old in right
    try:
        file.write_text(right.replace(old, new))
        alertmanager.reload()
        if problem:
            assert problem in failure(target, "routes").found
        else:
            await_success(target, "routes")  # the last route still notifies people
    finally:
        file.write_text(right)
        alertmanager.reload()
    await_success(target, "routes")
