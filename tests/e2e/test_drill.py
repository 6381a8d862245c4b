"""The drill on a real stack: it passes when all is well, and names each link that is broken."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
import requests

from chalicelib.security.identity import Role
from infra.drill import drill
from infra.drill.__main__ import main
from infra.drill.clocks import TICK
from infra.drill.report import Report
from infra.local.cloudformation import BUCKET
from infra.local.errors import ServiceFailed
from infra.local.identity import DEFAULT_TENANT
from infra.local.stack import Stack
from tests.e2e.conftest import ports_environment
from tests.e2e.healer import SCHEDULED
from tests.e2e.waiting import until

pytestmark = pytest.mark.e2e


@dataclass
class DrilledStack:
    """A stack to drill."""

    stack: Stack
    api: str

    def drill(self, *acts: int, keep_mode: bool = False) -> Report:
        plan = drill.Plan(acts=acts, keep_mode=keep_mode)
        return drill.run(self.stack, self.api, plan, lambda _: None)

    def mode(self) -> str:
        """Return the healer's mode."""
        return self._config("GET", None)

    def change_mode(self, mode: str) -> str:
        """Set the healer's mode and return it."""
        return self._config("PUT", {"mode": mode})

    def _config(self, method: str, body: dict[str, str] | None) -> str:
        token = self.stack.issuer.token(Role.ADMIN, DEFAULT_TENANT)
        response = requests.request(
            method,
            f"{self.api}/autoheal/config",
            json=body,
            headers={"Authorization": f"Bearer {token}"},
            timeout=30,
        )
        return str(response.json()["mode"])


@pytest.fixture
def drilled(stack: Stack, api: str) -> DrilledStack:
    return DrilledStack(stack, api)


@pytest.mark.timeout(900)
def test_the_whole_drill_passes_and_leaves_a_report(
    drilled: DrilledStack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for setting, port in ports_environment(drilled.stack).items():
        monkeypatch.setenv(setting, port)
    services = dict(drilled.stack.healing.services.ports)
    assert main(["--home", str(drilled.stack.home), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["verdict"]["passed"]
    assert result["seconds"] < 360
    times = [result["response"][step] for step in ("detect", "act", "verify")]
    assert times == sorted(times), "detected, then acted upon, then verified"
    fired = {firing["alert"] for firing in result["firings"] if firing["state"] == "firing"}
    assert {
        "TcpEndpointDownFast",
        "AutohealFailureRateSLOBreach",
        "AutohealFailureRateBurnFast",
        "AutohealHeartbeatSLOBreach",
        "AutohealServiceDown",
    } <= fired
    moments = [moment["text"] for moment in result["moments"]]
    assert any("panels of the dashboard have data" in text for text in moments)
    spent = {budget["slo"]: budget["spent"] for budget in result["budgets"]}
    assert spent["actions"] > 0.001
    assert len(result["burn"]["actions"]) > 30
    report = drilled.stack.home / "drill" / "report.html"
    assert "every link held" in report.read_text()
    assert json.loads(report.with_suffix(".json").read_text()) == result
    assert drilled.mode() == "dry_run", "the switch is as it was"
    assert drilled.stack.healing.services.ports == services
    assert drilled.stack.healing.prometheus.running()


@pytest.mark.parametrize("mode", ["off", "dry_run"])
def test_a_healer_that_is_not_live_is_named(drilled: DrilledStack, mode: str) -> None:
    drilled.change_mode(mode)
    report = drilled.drill(1, keep_mode=True)
    assert (report.verdict.passed, report.verdict.link) == (False, "the healer acts")
    assert f"delivered, but the healer's mode is {mode}" in report.verdict.what
    assert drilled.mode() == mode


def test_a_wrong_token_is_named_and_the_traces_of_a_killed_drill_are_wiped(
    drilled: DrilledStack,
) -> None:
    traces = drilled.stack.home / drill.FOLDER / "before.json"
    traces.write_text(json.dumps({"mode": "dry_run", "chaos": {"percent": 0, "until": None}}))
    assert drilled.change_mode("live") == "live"
    alertmanager = drilled.stack.healing.alertmanager
    right = alertmanager.configuration.read_text()
    token = (drilled.stack.home / "autoheal-webhook-tokens.secret").read_text()
    try:
        alertmanager.configuration.write_text(right.replace(token, "wrong"))
        alertmanager.reload()
        report = drilled.drill(1)
    finally:
        alertmanager.configuration.write_text(right)
        alertmanager.reload()
    assert not report.verdict.passed
    assert report.verdict.link == "Alertmanager delivers it to the webhook"
    assert "401" in report.verdict.what
    assert "AUTOHEAL_WEBHOOK_TOKENS" in report.verdict.remedy
    assert (drilled.mode(), traces.exists()) == ("dry_run", False)


def test_a_second_drill_at_the_same_time_is_refused(drilled: DrilledStack) -> None:
    folder = drilled.stack.home / drill.FOLDER
    with drill._alone(folder), pytest.raises(drill.AnotherDrill):
        drilled.drill(1)


def test_a_service_that_the_drill_needs_is_named(drilled: DrilledStack) -> None:
    blackbox = drilled.stack.healing.blackbox
    blackbox.stop()
    try:
        with pytest.raises(ServiceFailed, match="blackbox"):
            drilled.drill(1)
    finally:
        blackbox.start()


def test_a_function_of_the_healer_that_is_missing_is_named(drilled: DrilledStack) -> None:
    with without_function(drilled.stack, TICK):
        report = drilled.drill(1)
    assert not report.verdict.passed
    assert report.verdict.link == "the healer verifies the remedy"
    assert "there is no function AutohealTick" in report.verdict.what
    assert drilled.stack.emulator.invoke(TICK, SCHEDULED)["troubles"] == 0, "it is back"


@contextmanager
def without_function(stack: Stack, name: str) -> Iterator[None]:
    """Delete a function for the block, and create it again from what is deployed."""
    functions = stack.emulator.client("lambda")
    full_name = stack.emulator.function(name)
    configuration = functions.get_function_configuration(FunctionName=full_name)
    [bundle] = [
        item["Key"]
        for item in stack.emulator.client("s3").list_objects_v2(Bucket=BUCKET)["Contents"]
        if item["Key"].endswith(".zip")
    ]
    functions.delete_function(FunctionName=full_name)
    until(lambda: full_name not in _function_names(functions))
    try:
        yield
    finally:
        kept = ("Runtime", "Role", "Handler", "Environment", "Timeout", "MemorySize")
        functions.create_function(
            FunctionName=full_name,
            Code={"S3Bucket": BUCKET, "S3Key": bundle},
            **{setting: configuration[setting] for setting in kept},
        )


def _function_names(functions: object) -> set[str]:
    listed = functions.list_functions()["Functions"]  # type: ignore[attr-defined]
    return {function["FunctionName"] for function in listed}
