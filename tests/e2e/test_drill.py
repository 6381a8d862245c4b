"""The drill on a stack of its own: passed when all is well, and each broken link named."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest
import requests

from chalicelib.security.identity import Role
from infra.drill import drill
from infra.drill.__main__ import main
from infra.drill.clocks import TICK
from infra.drill.report import Report
from infra.local.errors import ServiceFailed
from infra.local.identity import DEFAULT_TENANT
from infra.local.ports import Ports
from infra.local.stack import Stack
from tests.e2e.healer import until

pytestmark = pytest.mark.e2e


@dataclass
class Stage:
    """A stack to drill."""

    stack: Stack
    api: str

    def drill(self, *acts: int, keep_mode: bool = False) -> Report:
        return drill.run(
            self.stack, self.api, drill.Plan(acts=acts, keep_mode=keep_mode), lambda _: None
        )

    def mode(self, change: str = "") -> str:
        """Return the healer's mode, after a `change` where one is wanted."""
        headers = {"Authorization": f"Bearer {self.stack.issuer.token(Role.ADMIN, DEFAULT_TENANT)}"}
        wanted = ("PUT", {"mode": change}) if change else ("GET", None)
        answer = requests.request(
            wanted[0],
            f"{self.api}/autoheal/config",
            json=wanted[1],
            headers=headers,
            timeout=30,
        )
        return str(answer.json()["mode"])


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    home = Path(tempfile.mkdtemp(prefix="aetherlink-e2e-"))
    home.chmod(0o711)
    stack = Stack(home, Ports.free(), fast=True, broker="embedded")
    try:
        yield Stage(stack, stack.up())
    finally:
        stack.down()
        shutil.rmtree(home, ignore_errors=True)


def test_the_whole_drill_passes_and_leaves_a_report(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for part, port in asdict(stage.stack.ports).items():
        monkeypatch.setenv(f"AETHERLINK_{part.upper()}_PORT", str(port))
    services = dict(stage.stack.healing.services.ports)
    assert main(["--home", str(stage.stack.home), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["verdict"]["passed"]
    assert told["seconds"] < 360
    fired = {one["alert"] for one in told["firings"] if one["state"] == "firing"}
    assert {
        "TcpEndpointDownFast",
        "AutohealFailureRateSLOBreach",
        "AutohealFailureRateBurnFast",
    } <= fired
    assert {"AutohealHeartbeatSLOBreach", "AutohealServiceDown"} <= fired
    assert any("panels of the dashboard have data" in one["text"] for one in told["moments"])
    spent = {one["slo"]: one["spent"] for one in told["budgets"]}
    assert spent["actions"] > 0.001
    assert len(told["burn"]["actions"]) > 30
    report = stage.stack.home / "drill" / "report.html"
    assert "every link held" in report.read_text()
    assert json.loads(report.with_suffix(".json").read_text()) == told
    assert stage.mode() == "dry_run", "the switch is as it was"
    assert stage.stack.healing.services.ports == services
    assert stage.stack.healing.prometheus.running()


@pytest.mark.parametrize("mode", ["off", "dry_run"])
def test_a_healer_that_is_not_live_is_named(stage: Stage, mode: str) -> None:
    stage.mode(mode)
    report = stage.drill(1, keep_mode=True)
    assert (report.verdict.passed, report.verdict.link) == (False, "the healer acts")
    assert f"delivered, but the healer's mode is {mode}" in report.verdict.what
    assert stage.mode() == mode


def test_a_wrong_token_is_named_and_a_killed_drill_s_traces_are_wiped(stage: Stage) -> None:
    traces = stage.stack.home / drill.FOLDER / "before.json"
    traces.write_text(json.dumps({"mode": "dry_run", "chaos": {"percent": 0, "until": None}}))
    assert stage.mode("live") == "live"
    alertmanager = stage.stack.healing.alertmanager
    file = alertmanager.home / "alertmanager.yml"
    right = file.read_text()
    token = (stage.stack.home / "autoheal-webhook-tokens.secret").read_text()
    try:
        file.write_text(right.replace(token, "wrong"))
        alertmanager.reload()
        report = stage.drill(1)
    finally:
        file.write_text(right)
        alertmanager.reload()
    assert (report.verdict.passed, report.verdict.link) == (
        False,
        "Alertmanager delivers it to the webhook",
    )
    assert "401" in report.verdict.what
    assert "AUTOHEAL_WEBHOOK_TOKENS" in report.verdict.remedy
    assert (stage.mode(), traces.exists()) == ("dry_run", False)


def test_two_at_once_are_refused(stage: Stage) -> None:
    with drill._alone(stage.stack.home / drill.FOLDER), pytest.raises(drill.AnotherDrill):
        stage.drill(1)


def test_what_the_drill_needs_is_named(stage: Stage) -> None:
    blackbox = stage.stack.healing.blackbox
    blackbox.stop()
    try:
        with pytest.raises(ServiceFailed, match="blackbox"):
            stage.drill(1)
    finally:
        blackbox.start()


def test_a_healer_s_function_that_is_gone_is_named(stage: Stage) -> None:
    functions = stage.stack.emulator.client("lambda")
    name = next(
        one["FunctionName"]
        for one in functions.list_functions()["Functions"]
        if TICK in one["FunctionName"]
    )
    functions.delete_function(FunctionName=name)
    until(
        lambda: name not in {one["FunctionName"] for one in functions.list_functions()["Functions"]}
    )
    report = stage.drill(1)
    assert (report.verdict.passed, report.verdict.link) == (
        False,
        "the healer verifies the cure",
    )
    assert "there is no function AutohealTick" in report.verdict.what
