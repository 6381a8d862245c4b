"""A drill's report: verdict, timeline, firing alerts, and what it cost of the error budgets."""

from dataclasses import asdict, dataclass, field
from typing import Any

import requests

from infra.drill.site import Site
from infra.drill.timeline import Moment, Step, Timeline
from infra.drill.verdict import Verdict
from infra.slo import durations, read

GAP_SECONDS = 4
"""An alert that is missing for no longer than this is still the same firing."""
BURN = "autoheal:burn_fast"


@dataclass(frozen=True, slots=True)
class Firing:
    """A period of an alert; `state` is pending or firing, times are seconds since the start."""

    alert: str
    about: str
    state: str
    begin: float
    end: float


@dataclass(frozen=True, slots=True)
class Budget:
    """What the drill cost of one objective's budget. `errors` is the share of what was bad, 0 to 1.

    `spent` is the share of the whole period's budget that as many minutes of the rules
    cost.
    """

    slo: str
    objective: float
    errors: float
    spent: float


@dataclass(frozen=True, slots=True)
class Report:
    """A drill. `burn` has points (seconds, times the allowed rate) for each objective."""

    verdict: Verdict
    compress: int
    started: float
    seconds: float
    moments: list[Moment]
    firings: list[Firing]
    budgets: list[Budget]
    burn: dict[str, list[tuple[float, float]]]
    page_factor: float
    response: dict[Step, float] = field(default_factory=dict)
    """How many seconds after the break of act 1 each step was taken."""

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)


def gather(site: Site, timeline: Timeline, verdict: Verdict, compress: int) -> Report:
    """Return the report. What Prometheus does not answer is left out."""
    seconds = timeline.seconds()
    objectives = read.objectives()
    fired = []
    burns = {}
    budgets = []
    try:
        fired = _firings(site, timeline, seconds)
        burns = {
            series["metric"]["slo"]: _points(series, timeline)
            for series in _range(site, BURN, timeline, seconds)
        }
        ratios = {
            series["metric"]["slo"]: float(series["value"][1])
            for series in site.prometheus.query(_RATIO)
        }
        lived = seconds * compress / durations.seconds(objectives.period)
        budgets = [
            Budget(
                slo.name,
                slo.objective,
                ratios[slo.name],
                ratios[slo.name] / float(slo.budget) * lived,
            )
            for slo in objectives.slos
            if slo.name in ratios
        ]
    except requests.RequestException as problem:
        timeline.done(
            f"the report is incomplete, Prometheus cannot be reached: {type(problem).__name__}"
        )
    fast = next(iter(objectives.windows.values()))
    return Report(
        verdict,
        compress,
        timeline.started,
        round(seconds, 1),
        list(timeline.moments),
        fired,
        budgets,
        burns,
        float(fast.page or 0),
        dict(timeline.response),
    )


_RATIO = "autoheal:sli_error:ratio_rate30d"


def _firings(site: Site, timeline: Timeline, seconds: float) -> list[Firing]:
    firings = []
    for series in _range(site, "ALERTS", timeline, seconds):
        labels = series["metric"]
        about = labels.get("slo") or labels.get("env") or labels.get("service", "")
        for begin, end in _stretches([at for at, _ in _points(series, timeline)]):
            firings.append(Firing(labels["alertname"], about, labels["alertstate"], begin, end))
    return sorted(firings, key=lambda firing: (firing.begin, firing.alert, firing.about))


def _stretches(times: list[float]) -> list[tuple[float, float]]:
    """Return where `times` go on without a gap."""
    stretches: list[tuple[float, float]] = []
    for at in times:
        if stretches and at - stretches[-1][1] <= GAP_SECONDS:
            stretches[-1] = (stretches[-1][0], at)
        else:
            stretches.append((at, at))
    return stretches


def _range(site: Site, query: str, timeline: Timeline, seconds: float) -> list[dict[str, Any]]:
    return site.over(query, timeline.started, timeline.started + seconds)


def _points(series: dict[str, Any], timeline: Timeline) -> list[tuple[float, float]]:
    return [
        (round(float(at) - timeline.started, 1), float(value)) for at, value in series["values"]
    ]
