"""Objectives: what is refused, what is made of them, and that what is committed is what they make."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from chalicelib.autoheal import runbooks
from infra.slo import __main__ as command
from infra.slo import durations, outputs, read, rules
from infra.slo.durations import Scale
from infra.slo.read import InvalidObjectives
from infra.slo.rules import Rule
from tests.slo import __main__ as rule_tests_command
from tests.slo.mutations import mutants
from tests.slo.scenarios.series import encode

ROOT = Path(__file__).parents[2]
OWNERS_TWELVE = {
    *("AutohealHeartbeatSLOBreach", "AutohealFailureRateSLOBreach", "AutohealServiceDown"),
    *(
        "AutohealAuditWriteLatencySLOBreach",
        "AutohealErrorBudgetBurnFast",
        "AutohealErrorBudgetBurnSlow",
    ),
    *("AutohealFailureRateBurnFast", "AutohealAvailabilityBurnFast", "AutohealNoEvents15m"),
    *("AutohealActionFailureSpike", "AutohealDisabledInDev", "AutohealStaleActions"),
}
HEALED = {name: one for name, one in runbooks.load().items() if not one.drill}
OURS = {"OutboxStalled", "OutboxParkedStreams", "ApiErrorBudgetBurn", *HEALED}


def changed(tmp_path: Path, change: Any) -> Path:
    """Return a file of our objectives after `change`, which is given the data, or replaces text."""
    text = read.OBJECTIVES.read_text()
    if callable(change):
        data = yaml.safe_load(text)
        change(data)
        text = yaml.safe_dump(data)
    else:
        before, after = change
        assert before in text
        text = text.replace(before, after)
    path = tmp_path / "objectives.yml"
    path.write_text(text)
    return path


def built(scale: int = 1, objectives: Path = read.OBJECTIVES) -> list[Rule]:
    groups = rules.build(read.objectives(objectives), read.alerts(), Scale(scale))
    return [rule for group in groups for rule in group["rules"]]


def alerting() -> dict[str, Rule]:
    return {rule["alert"]: rule for rule in built() if "alert" in rule}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            ("objective: 99.5", "objective: 93"),
            "actions: its budget burns 14.29 times too fast at most",
        ),
        (("objective: 99.5", "objective: 93"), "set the objective above 93.06"),
        (
            ("objective: 95", "objective: 100"),
            "slos.audit_latency.objective: Input should be less than 100",
        ),
        (
            ("objective: 95", "objective: 0"),
            "slos.audit_latency.objective: Input should be greater than 0",
        ),
        (
            ("long: 6h, short: 30m", "long: 30m, short: 6h"),
            "x-windows.slow: short (6h) has to be shorter than long (30m)",
        ),
        (
            ("long: 3d, short: 6h", "long: 30d, short: 6h"),
            "x-windows.trickle: 30d is not shorter than x-period (30d)",
        ),
        (("long: 1h", "long: one hour"), "'one hour' is no duration: write a whole number"),
        (
            ("name: api_success", "name: actions"),
            "two objectives are named actions: rename one",
        ),
        (("name: api_success", "name: API"), "slos.API.name: String should match pattern"),
        (
            (
                "objective: 99.5\n    description: Requests",
                "percent: 9\n    description: R",
            ),
            "slos.api_success.percent: unknown",
        ),
        (
            ('job="crm"}[{{.window}}]))\n    alerting', 'job="crm"}[5m]))\n    alerting'),
            "api_success.sli.events.total_query",
        ),
        (
            ('job="crm"}[{{.window}}]))\n    alerting', 'job="crm"}[5m]))\n    alerting'),
            "has no {{.window}}: write",
        ),
        (
            ("x-period", "x-perod"),
            "x-perod: unknown key: remove it, or correct its spelling",
        ),
        (("x-period: 30d", ""), "x-period: Field required"),
        (("slos:", "slos: ["), "cannot be read"),
        (lambda data: data.update(slos=[]), "there is no objective: add one"),
        (
            lambda data: data["slos"][0]["sli"].update(raw={"error_ratio_query": "x[{{.window}}]"}),
            "needs exactly one of",
        ),
    ],
)
def test_what_cannot_work_is_refused_by_name(tmp_path: Path, change: Any, said: str) -> None:
    with pytest.raises(InvalidObjectives) as refused:
        read.objectives(changed(tmp_path, change))
    assert said in str(refused.value)


def test_a_factor_out_of_reach_may_be_switched_off(tmp_path: Path) -> None:
    def lower(data: Any) -> None:
        data["slos"][2] |= {
            "objective": 93.0,
            "alerting": {"page_alert": {"disable": True}},
        }

    names = {
        rule["alert"] for rule in built(objectives=changed(tmp_path, lower)) if "alert" in rule
    }
    assert "AutohealFailureRateBurnFast" not in names
    assert "AutohealErrorBudgetBurnSlow" in names


def test_every_alert_that_was_asked_for_is_there_and_no_other() -> None:
    assert set(alerting()) == OWNERS_TWELVE | OURS


def test_the_names_that_others_rely_on_are_recorded() -> None:
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


def test_every_recorded_name_that_is_used_is_recorded_before() -> None:
    recorded: set[str] = set()
    for rule in built():
        used = set(re.findall(r"autoheal:[a-z0-9_:]+", rule["expr"]))
        assert used <= recorded, f"{rule.get('record') or rule.get('alert')} uses {used - recorded}"
        recorded |= {rule["record"]} if "record" in rule else set()


@pytest.mark.parametrize("name", sorted(OWNERS_TWELVE | OURS))
def test_an_alert_leads_to_a_heading_of_a_runbook(name: str) -> None:
    page, _, anchor = alerting()[name]["annotations"]["runbook_url"].partition("#")
    headings = re.findall(r"^#+ (.+)$", (ROOT / page).read_text(), re.MULTILINE)
    assert anchor in {
        re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings
    }


@pytest.mark.parametrize("runbook", HEALED.values(), ids=lambda one: one.alertname)
def test_what_the_healer_heals_is_annotated_and_never_inhibited_by_another_subject(
    runbook: runbooks.Runbook,
) -> None:
    rule = alerting()[runbook.alertname]
    assert rule["annotations"]["autoheal"] == "true"
    assert (
        rule["labels"]["severity"] == "critical"
    )  # warnings are inhibited by criticals of the same, or no, objective
    assert "slo" not in rule["labels"]


def test_only_what_the_healer_heals_asks_for_it() -> None:
    asking = {name for name, rule in alerting().items() if rule["annotations"].get("autoheal")}
    assert asking == set(HEALED)


def test_the_shares_of_the_budget_are_true() -> None:
    objectives = read.objectives()
    shares = {
        (name, kind): objectives.share(pair, factor)
        for name, pair in objectives.windows.items()
        for kind, factor in (("page", pair.page), ("ticket", pair.ticket))
        if factor
    }
    assert shares == pytest.approx(
        {
            ("fast", "page"): 2,
            ("slow", "page"): 5,
            ("slow", "ticket"): 2,
            ("trickle", "ticket"): 10,
        }
    )
    page = alerting()["AutohealErrorBudgetBurnFast"]["annotations"]["description"]
    assert "14.4x (2 % of it in 1h) or 6x (5 % of it in 6h)" in page


def test_an_objective_of_one_s_own_takes_five_lines(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "slo.md").read_text()
    example = re.search(r"```yaml\n(  - name: checkout.*?)```", page, re.DOTALL)
    assert example is not None
    assert len(example[1].strip().splitlines()) == 5
    path = tmp_path / "objectives.yml"
    path.write_text(read.OBJECTIVES.read_text() + "\n" + example[1])
    made = built(objectives=path)
    measured = [rule["record"] for rule in made if rule.get("labels", {}).get("slo") == "checkout"]
    assert measured == [
        "autoheal:sli_bad:rate5m",
        "autoheal:sli_total:rate5m",
        "autoheal:slo_objective:ratio",
    ]
    [page_alert] = [rule for rule in made if rule.get("alert") == "AutohealErrorBudgetBurnFast"]
    assert "outbox_freshness|checkout" in page_alert["expr"]


def test_a_ratio_of_one_s_own_is_taken_over_every_window(tmp_path: Path) -> None:
    def add(data: Any) -> None:
        raw = {"error_ratio_query": "avg_over_time(mine[{{.window}}])"}
        data["slos"].append({"name": "mine", "objective": 99.0, "sli": {"raw": raw}})

    made = built(objectives=changed(tmp_path, add))
    mine = {
        rule["record"]: rule["expr"] for rule in made if rule.get("labels", {}).get("slo") == "mine"
    }
    assert mine["autoheal:sli_error:ratio_rate6h"] == "sum(avg_over_time(mine[6h]))\nor vector(0)"
    assert {name.rpartition("rate")[2] for name in mine if "ratio_rate" in name} == {
        "5m",
        "30m",
        "1h",
        "6h",
        "3d",
        "30d",
    }


def test_compressed_rules_are_the_same_with_every_time_divided() -> None:
    for real, short in zip(built(), built(60), strict=True):
        windows, shorter = (
            re.findall(r"(?:\[|offset )(\d\w+)", one["expr"]) for one in (real, short)
        )
        assert [durations.seconds(one) for one in windows] == [
            60 * durations.seconds(one) for one in shorter
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


def test_committed_files_are_what_the_objectives_make(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert command.main(["--check"]) == 0
    found = outputs.committed(read.objectives(), read.alerts())
    monkeypatch.setattr(outputs, "committed", lambda *_: found | {"docs/slo.md": "another"})
    assert command.main(["--check"]) == 1


def test_committed_rule_tests_are_what_the_scenarios_make(monkeypatch: pytest.MonkeyPatch) -> None:
    assert rule_tests_command.main(["--check"]) == 0
    files = rule_tests_command.rule_tests()
    monkeypatch.setattr(
        rule_tests_command, "rule_tests", lambda: files | {"docs/slo.md": "another"}
    )
    assert rule_tests_command.main(["--check"]) == 1


def test_a_drill_s_rules_go_into_a_folder_of_their_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["--compress", "60", "--out", str(tmp_path), "--json"]) == 0
    assert str(tmp_path / "rules" / outputs.RULES) in capsys.readouterr().out
    assert "interval: 1s" in (tmp_path / "rules" / outputs.RULES).read_text()
    assert command.main(["--compress", "60"]) == 2
    assert "--compress needs --out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([0, 60, 120, 180], "0+60x3"),
        ([1, 1, 1], "1+0x2"),
        ([5], "5"),
        ([0, 1, 2, 2, 2], "0+1x2 2+0x1"),
        ([1, None, None, 3], "1 _x2 3"),
        ([3, 2, 1], "3-1x2"),
        ([0.5, 0.75, 1.0], "0.5+0.25x2"),
    ],
)
def test_samples_are_written_as_promtool_reads_them(values: list[float | None], text: str) -> None:
    assert encode(values) == text


def test_each_kind_of_thing_that_may_be_wrong_has_mutants() -> None:
    groups = rules.build(read.objectives(), read.alerts(), Scale())
    found = mutants(groups)
    assert {one.kind for one in found} == {
        "threshold",
        "window",
        "comparison",
        "edge",
        "for",
    }
    for one in found:
        assert one.applied(groups) != groups
    assert len({(one.group, one.position, one.key, one.value) for one in found}) == len(found)
