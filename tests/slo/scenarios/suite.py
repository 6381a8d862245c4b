"""A suite of scenarios: what happens to a healthy system, and which alerts fire when."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from infra.slo import durations
from tests.slo.scenarios.healthy import healthy
from tests.slo.scenarios.series import Series, encode

FIRING: Final = 'count by (alertname, slo) (ALERTS{alertstate="firing"})'
GROUPS: Final = ("autoheal.sli", "autoheal.alerts", "autoheal.fast", "autoheal.budget")
RULES: Final = "../rules/autoheal.rules.yml"

Firing = tuple[str, ...]
"""Alerts as `name` or `name/objective`: all that fire, no others."""


@dataclass(frozen=True, slots=True)
class Value:
    """What an expression gives at a time: values by their labels, such as `{slo="x"}`."""

    at: str
    expr: str
    samples: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Notification:
    """One alert exactly as Alertmanager receives it."""

    at: str
    alert: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is different from a healthy system, and what follows; `firing` is by time."""

    name: str
    changes: Series
    firing: Mapping[str, Firing]
    values: Sequence[Value] = ()
    notifications: Sequence[Notification] = ()
    empty: bool = False

    @property
    def length(self) -> float:
        """Return after how many seconds the last expectation is checked."""
        times = [
            *self.firing,
            *(value.at for value in self.values),
            *(notification.at for notification in self.notifications),
        ]
        return max(_seconds(at) for at in times)


@dataclass(frozen=True, slots=True)
class Suite:
    """Scenarios whose rules are evaluated every `every`, on samples every `step`, or as often."""

    name: str
    every: str
    scenarios: Sequence[Scenario]
    step: str = ""

    @property
    def evaluations(self) -> int:
        """Return how often all rules are evaluated: what the test costs."""
        return sum(
            round(scenario.length / durations.seconds(self.every)) for scenario in self.scenarios
        )

    def test(self) -> dict[str, Any]:
        """Return promtool's test file."""
        return {
            "rule_files": [RULES],
            "evaluation_interval": self.every,
            "group_eval_order": list(GROUPS),
            "tests": [self._test(scenario) for scenario in self.scenarios],
        }

    def _test(self, scenario: Scenario) -> dict[str, Any]:
        interval = self.step or self.every
        step = round(durations.seconds(interval))
        samples = round(scenario.length) // step + 1
        series = {} if scenario.empty else healthy()
        series |= scenario.changes
        test: dict[str, Any] = {
            "name": scenario.name,
            "interval": interval,
            "input_series": [
                {
                    "series": name,
                    "values": encode([values(at * step) for at in range(samples)]),
                }
                for name, values in series.items()
                if values is not None
            ],
        }
        if scenario.notifications:
            test["alert_rule_test"] = [_alert(expected) for expected in scenario.notifications]
        expected = [
            {"expr": FIRING, "eval_time": at, "exp_samples": _firing(alerts)}
            for at, alerts in scenario.firing.items()
        ]
        expected += [_value(value) for value in scenario.values]
        return test | {"promql_expr_test": expected}


def _seconds(text: str) -> float:
    """Return the length of a time such as 1h30m."""
    return sum(
        int(match[1]) * durations.UNITS[match[2]] for match in durations.PATTERN.finditer(text)
    )


def _firing(names: Firing) -> list[dict[str, Any]]:
    counts: dict[str, int] = {}
    for name in names:
        alert, _, slo = name.partition("/")
        labels = f'{{alertname="{alert}"' + (f', slo="{slo}"' if slo else "") + "}"
        counts[labels] = counts.get(labels, 0) + 1
    return [{"labels": labels, "value": count} for labels, count in counts.items()]


def _value(value: Value) -> dict[str, Any]:
    samples = [{"labels": labels, "value": number} for labels, number in value.samples.items()]
    return {"expr": value.expr, "eval_time": value.at, "exp_samples": samples}


def _alert(expected: Notification) -> dict[str, Any]:
    alert = {
        "exp_labels": dict(expected.labels),
        "exp_annotations": dict(expected.annotations),
    }
    return {"eval_time": expected.at, "alertname": expected.alert, "exp_alerts": [alert]}
