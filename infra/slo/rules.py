"""Recording and alerting rules of objectives, see docs/decisions/0007-slo-rules.md."""

import re
from typing import Any, Final

from infra.slo.alerts import Alert, Alerts
from infra.slo.durations import Scale, seconds
from infra.slo.objectives import BurnAlert, Objectives, Slo

BASE: Final = "5m"
"""Events are counted over this window, and the counts are summed over longer ones."""
BUDGET_INTERVAL: Final = "5m"
FAST_INTERVAL: Final = "15s"
HEALED: Final = {"autoheal": "true"}
"""Label and annotation of alerts for the healer: Alertmanager routes by the label, and the healer
asks for the annotation."""
BAD = "autoheal:sli_bad:rate5m"
TOTAL = "autoheal:sli_total:rate5m"
SLICE = "autoheal:slice_bad:ratio"
OBJECTIVE = "autoheal:slo_objective:ratio"
BUDGET = "autoheal:error_budget:ratio"
REMAINING: Final = "autoheal:error_budget_remaining:ratio"
ONE_SERIES: Final = re.compile(r"sum\s*\((?!.*\b(by|without)\b)", re.DOTALL)
"""Queries that give one series without labels as they are."""

Rule = dict[str, Any]
Group = dict[str, Any]


def error_ratio(window: str) -> str:
    """Return the name of the error ratio over `window`; drills keep the real names."""
    return f"autoheal:sli_error:ratio_rate{window}"


def build(objectives: Objectives, alerts: Alerts, scale: Scale) -> list[Group]:
    """Return the groups of rules, in the order in which they have to be evaluated."""
    interval = scale.interval(objectives.slice)
    burns = _burn_alerts(objectives, scale)
    slow = [_alert(alert, objectives, scale) for alert in alerts.alerts if alert.group == "alerts"]
    fast = [_alert(alert, objectives, scale) for alert in alerts.alerts if alert.group == "fast"]
    groups = [
        (
            "autoheal.sli",
            interval,
            _indicators(objectives, alerts, scale) + _burn_rates(objectives, scale),
        ),
        ("autoheal.alerts", interval, slow + burns),
        ("autoheal.fast", scale.interval(FAST_INTERVAL), fast),
        ("autoheal.budget", scale.interval(BUDGET_INTERVAL), _remaining(objectives, scale)),
    ]
    return [
        {"name": name, "interval": every, "rules": rules} for name, every, rules in groups if rules
    ]


def _indicators(objectives: Objectives, alerts: Alerts, scale: Scale) -> list[Rule]:
    """Return what is measured (ages, slices or events of objectives) and promised."""
    seen = objectives.seen
    rules = [
        {"record": record.record, "expr": scale.expand(record.expr, seen=seen)}
        for record in alerts.records
    ]
    for slo in objectives.slos:
        rules += _measured(slo, scale, seen)
    rules += [
        _labelled(OBJECTIVE, slo, f"vector({slo.ratio.normalize():f})") for slo in objectives.slos
    ]
    return [*rules, {"record": BUDGET, "expr": f"1 - {OBJECTIVE}"}]


def _measured(slo: Slo, scale: Scale, seen: str) -> list[Rule]:
    if slices := slo.sli.slices:
        bad = scale.expand(slices.bad_query, seen=seen).strip()
        was = scale.expand("{{seen " + slices.seen + "}}", seen=seen)
        return [_labelled(SLICE, slo, f"({bad})\nor on() (vector(1) and on() {was})")]
    if events := slo.sli.events:
        bad, total = (
            scale.expand(q, window=BASE, seen=seen).strip()
            for q in (events.error_query, events.total_query)
        )
        # No bad event seen yet is none, not unknown.
        return [
            _labelled(BAD, slo, f"clamp_min({_one(bad)}, 0)\nor vector(0)"),
            _labelled(TOTAL, slo, _one(total)),
        ]
    return []


def _burn_rates(objectives: Objectives, scale: Scale) -> list[Rule]:
    """Return the error ratio and the burn rate over every window."""
    rules: list[Rule] = []
    for window in objectives.ranges:
        rules += _error_ratios(objectives, window, scale)
        rules.append(
            {
                "record": f"autoheal:burn_rate{window}",
                "expr": f"{error_ratio(window)} / on(slo) {BUDGET}",
            },
        )
    for name, pair in objectives.windows.items():
        short = f"autoheal:burn_rate{pair.short}"
        long = f"autoheal:burn_rate{pair.long}"
        # The smaller of the two: it is above a factor where both are. Nothing where one of
        # them is missing.
        rules.append(
            {
                "record": f"autoheal:burn_{name}",
                "expr": f"({short} < {long}) or ({long} <= {short})",
            }
        )
    interval = f"{seconds(scale.interval(objectives.slice)):g}"
    for window in sorted(
        {pair.long for pair in objectives.windows.values()}, key=objectives.ranges.index
    ):
        length = scale.duration(window)
        events = f"sum_over_time({BAD}[{length}]) * {interval}"
        bad = f"{events}\nor sum_over_time({SLICE}[{length}])"
        rules.append({"record": f"autoheal:bad_events:{window}", "expr": bad})
    return rules


def _error_ratios(objectives: Objectives, window: str, scale: Scale) -> list[Rule]:
    """Return the error ratio over `window`: one rule for all, and one for each raw ratio.

    Without traffic the ratio is 0: nothing failed. Bad and total events are smeared over
    BASE by their rates, which cancels out in the ratio, but for the 5 minutes before the
    window.
    """
    length = scale.duration(window)
    bad, total = (f"sum_over_time({name}[{length}])" for name in (BAD, TOTAL))
    if window == BASE:
        bad = BAD
        total = TOTAL
    expr = f"avg_over_time({SLICE}[{length}])\nor {bad} / ({total} > 0)\nor {BAD} * 0"
    rules: list[Rule] = [{"record": error_ratio(window), "expr": expr}]
    for slo in objectives.slos:
        if slo.sli.raw:
            query = scale.expand(
                slo.sli.raw.error_ratio_query, window=window, seen=objectives.seen
            ).strip()
            rules.append(_labelled(error_ratio(window), slo, f"{_one(query)}\nor vector(0)"))
    return rules


def _remaining(objectives: Objectives, scale: Scale) -> list[Rule]:
    """Return which part of the period's budget is left: 1 all of it, below 0 overspent."""
    period = objectives.period
    left = {"record": REMAINING, "expr": f"1 - {error_ratio(period)} / on(slo) {BUDGET}"}
    return [*_error_ratios(objectives, period, scale), left]


def _burn_alerts(objectives: Objectives, scale: Scale) -> list[Rule]:
    rules: list[Rule] = []
    for kind, hold, severity in (("page", "2m", "critical"), ("ticket", "15m", "warning")):
        by_alert: dict[str, list[str]] = {}
        for slo in objectives.slos:
            alert: BurnAlert = getattr(slo.alerting, f"{kind}_alert")
            if not alert.disable:
                by_alert.setdefault(alert.name, []).append(slo.name)
        for name, slos in by_alert.items():
            factors = [
                (pair, window)
                for pair, window in objectives.windows.items()
                if getattr(window, kind)
            ]
            matcher = "" if len(slos) == len(objectives.slos) else f'{{slo=~"{"|".join(slos)}"}}'
            arms = []
            shares = []
            for pair, window in factors:
                factor = getattr(window, kind)
                few = f"autoheal:bad_events:{window.long} < {objectives.min_bad:g}"
                arms.append(f"(autoheal:burn_{pair}{matcher} > {factor:g} unless on(slo) {few})")
                shares.append(
                    f"{factor:g}x ({objectives.share(window, factor):.3g} % of it in {window.long})"
                )
            if arms:
                rules.append(_burn_alert(objectives, name, kind, "\nor ".join(arms), shares))
                rules[-1] |= {"for": scale.duration(hold)}
                rules[-1]["labels"] |= {"severity": severity}
    return rules


def _burn_alert(objectives: Objectives, name: str, kind: str, expr: str, shares: list[str]) -> Rule:
    verb = "pages" if kind == "page" else "opens a ticket"
    return {
        "alert": name,
        "expr": expr,
        "for": "",
        "labels": {"severity": "", "service": objectives.service},
        "annotations": {
            "summary": "The error budget of {{ $labels.slo }} burns "
            + ("fast" if kind == "page" else "slowly"),
            "description": '{{ $value | printf "%.1f" }} times as fast as its '
            + objectives.period
            + " budget allows; "
            f"{verb} above {' or '.join(shares)}.",
            **_links(objectives, name, "api" if name.startswith("Api") else "autoheal"),
        },
    }


def _alert(alert: Alert, objectives: Objectives, scale: Scale) -> Rule:
    rule: Rule = {
        "alert": alert.alert,
        "expr": scale.expand(alert.expr, seen=objectives.seen).strip(),
    }
    if alert.hold:
        rule["for"] = scale.duration(alert.hold)
    annotations = {"summary": alert.summary, "description": alert.description}
    if alert.heal:
        annotations |= HEALED
    rule["labels"] = _labels(alert, objectives)
    rule["annotations"] = annotations | _links(objectives, alert.alert, alert.runbook)
    return rule


def _labels(alert: Alert, objectives: Objectives) -> dict[str, str]:
    labels: dict[str, str] = {"severity": alert.severity}
    if alert.heal:  # the service is that of the series
        labels |= HEALED
    else:
        labels["service"] = alert.service or objectives.service
    if alert.slo:
        labels["slo"] = alert.slo
    return labels | alert.labels


def _links(objectives: Objectives, alert: str, page: str) -> dict[str, str]:
    links = {"runbook_url": f"{objectives.runbooks}{page}.md#{alert.lower()}"}
    return links | ({"dashboard": objectives.dashboard} if objectives.dashboard else {})


def _labelled(record: str, slo: Slo, expr: str) -> Rule:
    return {"record": record, "expr": expr, "labels": {"slo": slo.name}}


def _one(query: str) -> str:
    """Return `query` so that it gives one series without labels, whatever it was."""
    return query if ONE_SERIES.match(query) else f"sum({query})"
