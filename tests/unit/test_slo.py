"""The generated rules: their alerts, names and texts, and that committed files are current."""

import re
from pathlib import Path

import pytest

from chalicelib.autoheal import runbooks
from infra.paths import ROOT
from infra.slo import __main__ as command
from infra.slo import durations, outputs, read, rules
from infra.slo.durations import Scale
from tests.slo.generated import alerting, built

REQUIRED_ALERTS = {
    *("AutohealHeartbeatSLOBreach", "AutohealFailureRateSLOBreach", "AutohealServiceDown"),
    *(
        "AutohealAuditWriteLatencySLOBreach",
        "AutohealErrorBudgetBurnFast",
        "AutohealErrorBudgetBurnSlow",
    ),
    *("AutohealFailureRateBurnFast", "AutohealAvailabilityBurnFast", "AutohealNoEvents15m"),
    *("AutohealActionFailureSpike", "AutohealDisabledInDev", "AutohealStaleActions"),
}
HEALED = {name: book for name, book in runbooks.load().items() if not book.drill}
OUR_ALERTS = {"OutboxStalled", "OutboxParkedStreams", "ApiErrorBudgetBurn", *HEALED}


def test_the_rules_have_exactly_the_required_alerts() -> None:
    assert set(alerting()) == REQUIRED_ALERTS | OUR_ALERTS


def test_the_public_recorded_names_exist() -> None:
    recorded = {rule["record"] for rule in built() if "record" in rule}
    assert recorded >= {
        *(
            "autoheal:burn_fast",
            "autoheal:burn_slow",
            "autoheal:heartbeat:age_seconds",
            "autoheal:slice_bad:ratio",
        ),
        *(
            "autoheal:error_budget:ratio",
            "autoheal:slo_objective:ratio",
            "autoheal:error_budget_remaining:ratio",
        ),
        *(
            f"autoheal:sli_error:ratio_rate{window}"
            for window in ("5m", "30m", "1h", "6h", "3d", "30d")
        ),
    }


def test_a_recorded_name_is_recorded_before_it_is_used() -> None:
    recorded: set[str] = set()
    for rule in built():
        used = set(re.findall(r"autoheal:[a-z0-9_:]+", rule["expr"]))
        assert used <= recorded, f"{rule.get('record') or rule.get('alert')} uses {used - recorded}"
        recorded |= {rule["record"]} if "record" in rule else set()


@pytest.mark.parametrize("name", sorted(REQUIRED_ALERTS | OUR_ALERTS))
def test_an_alert_leads_to_a_heading_of_a_runbook(name: str) -> None:
    page, _, anchor = alerting()[name]["annotations"]["runbook_url"].partition("#")
    headings = re.findall(r"^#+ (.+)$", (ROOT / page).read_text(), re.MULTILINE)
    assert anchor in {
        re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings
    }


@pytest.mark.parametrize("runbook", HEALED.values(), ids=lambda runbook: runbook.alertname)
def test_an_alert_for_the_healer_is_annotated_and_inhibited_by_no_other_service(
    runbook: runbooks.Runbook,
) -> None:
    rule = alerting()[runbook.alertname]
    assert rule["annotations"]["autoheal"] == "true"
    # Warnings are inhibited by criticals of the same, or no, objective.
    assert rule["labels"]["severity"] == "critical"
    assert "slo" not in rule["labels"]


def test_only_alerts_with_a_runbook_are_sent_to_the_healer() -> None:
    asking = {name for name, rule in alerting().items() if rule["annotations"].get("autoheal")}
    assert asking == set(HEALED)


def test_compressed_rules_differ_only_in_divided_times() -> None:
    for real, short in zip(built(), built(60), strict=True):
        windows, shorter = (
            re.findall(r"(?:\[|offset )(\d\w+)", rule["expr"]) for rule in (real, short)
        )
        assert [durations.seconds(window) for window in windows] == [
            60 * durations.seconds(window) for window in shorter
        ]
        if "for" in real:
            assert durations.seconds(real["for"]) == pytest.approx(
                60 * durations.seconds(short["for"])
            )
        assert all(
            real.get(key) == short.get(key) for key in ("record", "alert", "labels", "annotations")
        )
    [breach] = [rule for rule in built(60) if rule.get("alert") == "AutohealHeartbeatSLOBreach"]
    assert "autoheal:heartbeat:age_seconds > 5\n" in breach["expr"]


def test_rules_are_not_evaluated_more_often_than_every_second() -> None:
    groups = rules.build(read.objectives(), read.alerts(), Scale(60))
    assert {group["name"]: group["interval"] for group in groups} == {
        "autoheal.sli": "1s",
        "autoheal.alerts": "1s",
        "autoheal.fast": "1s",
        "autoheal.budget": "5s",
    }


def test_committed_files_are_up_to_date_with_the_objectives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert command.main(["--check"]) == 0
    files = outputs.committed(read.objectives(), read.alerts())
    monkeypatch.setattr(outputs, "committed", lambda *_: files | {"docs/slo.md": "another"})
    assert command.main(["--check"]) == 1


def test_compressed_rules_are_written_to_a_separate_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["--compress", "60", "--out", str(tmp_path), "--json"]) == 0
    assert str(tmp_path / "rules" / outputs.RULES) in capsys.readouterr().out
    assert "interval: 1s" in (tmp_path / "rules" / outputs.RULES).read_text()
    assert command.main(["--compress", "60"]) == 2
    assert "--compress needs --out" in capsys.readouterr().err
