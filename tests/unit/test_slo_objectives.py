"""Objectives as data: what is refused, and what a new objective generates."""

import re
from pathlib import Path
from typing import Any

import pytest

from infra.paths import ROOT
from infra.slo import read
from infra.slo.read import InvalidObjectives
from tests.slo.generated import alerting, built, changed


@pytest.mark.parametrize(
    ("change", "message"),
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
def test_invalid_objectives_are_refused_by_name(tmp_path: Path, change: Any, message: str) -> None:
    with pytest.raises(InvalidObjectives) as refused:
        read.objectives(changed(tmp_path, change))
    assert message in str(refused.value)


def test_an_unreachable_factor_may_be_disabled(tmp_path: Path) -> None:
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


def test_a_new_objective_takes_five_lines(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "slo.md").read_text()
    example = re.search(r"```yaml\n(  - name: checkout.*?)```", page, re.DOTALL)
    assert example is not None
    assert len(example[1].strip().splitlines()) == 5
    path = tmp_path / "objectives.yml"
    path.write_text(read.OBJECTIVES.read_text() + "\n" + example[1])
    generated = built(objectives=path)
    measured = [
        rule["record"] for rule in generated if rule.get("labels", {}).get("slo") == "checkout"
    ]
    assert measured == [
        "autoheal:sli_bad:rate5m",
        "autoheal:sli_total:rate5m",
        "autoheal:slo_objective:ratio",
    ]
    [page_alert] = [
        rule for rule in generated if rule.get("alert") == "AutohealErrorBudgetBurnFast"
    ]
    assert "outbox_freshness|checkout" in page_alert["expr"]


def test_a_raw_ratio_is_recorded_over_every_window(tmp_path: Path) -> None:
    def add(data: Any) -> None:
        raw = {"error_ratio_query": "avg_over_time(mine[{{.window}}])"}
        data["slos"].append({"name": "mine", "objective": 99.0, "sli": {"raw": raw}})

    generated = built(objectives=changed(tmp_path, add))
    mine = {
        rule["record"]: rule["expr"]
        for rule in generated
        if rule.get("labels", {}).get("slo") == "mine"
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


def test_the_stated_shares_of_the_budget_are_correct() -> None:
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
