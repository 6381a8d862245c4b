"""Checks of Prometheus: pushes, targets, rules, and the Alertmanager that it notifies."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

import yaml

from infra.paths import ROOT
from infra.readiness.check import Wrong, check
from infra.readiness.target import Target
from infra.slo.outputs import RULES

COMMITTED = ROOT / "infra" / "prometheus" / "rules" / RULES
PUSHED = ("autoheal", "crm")
MAX_PUSH_AGE_SECONDS = 180.0
"""Seconds; what objectives.yml calls fresh."""
MAX_NAMED = 5


@check(
    "pushes",
    "metrics were pushed within 3 minutes",
    "runbook docs/runbooks/autoheal.md#autohealservicedown",
)
def _pushes(target: Target) -> str:
    ages = {
        labels["job"]: age
        for labels, age in target.query("time() - max by (job) (push_time_seconds)")
    }
    missing = [job for job in PUSHED if job not in ages]
    if missing:
        raise Wrong(f"nothing was ever pushed for {', '.join(missing)}")
    late = [f"{job} {ages[job]:.0f} s ago" for job in PUSHED if ages[job] > MAX_PUSH_AGE_SECONDS]
    if late:
        raise Wrong(f"the last push is too old: {', '.join(late)}")
    refused = target.query(
        "max by (job) (push_failure_time_seconds) > max by (job) (push_time_seconds)"
    )
    if refused:
        raise Wrong(f"the pushgateway refuses what {refused[0][0].get('job')} pushes")
    return ", ".join(f"{job} {ages[job]:.0f} s ago" for job in PUSHED)


@check(
    "targets",
    "everything that is watched can be reached",
    "Status > Targets in Prometheus says why not",
)
def _targets(target: Target) -> str:
    answer = target.get_json(target.prometheus, "/api/v1/targets", state="active")
    active = answer["data"]["activeTargets"]
    down = [
        f"{scraped['labels']['job']} {scraped['labels']['instance']}"
        for scraped in active
        if scraped["health"] != "up"
    ]
    if down or not active:
        raise Wrong(f"not up: {', '.join(down[:MAX_NAMED]) or 'there are no targets'}")
    return f"{len(active)} targets are up"


@check(
    "rules",
    "the recording rules are loaded",
    "load infra/prometheus/rules (`make slo` here), then /-/reload",
)
def _rules(target: Target) -> str:
    return _loaded(target, "recording", "record")


@check(
    "alerts",
    "the alerts are loaded",
    "load infra/prometheus/rules (`make slo` here), then /-/reload",
)
def _alerts(target: Target) -> str:
    return _loaded(target, "alerting", "alert")


def _loaded(target: Target, sort: str, key: str) -> str:
    groups = target.get_json(target.prometheus, "/api/v1/rules")["data"]["groups"]
    loaded = [rule for group in groups for rule in group["rules"] if rule["type"] == sort]
    missing = missing_rules(loaded, key)
    if missing:
        raise Wrong(f"{len(missing)} rules are not loaded: {', '.join(missing[:MAX_NAMED])}")
    broken = [
        f"{rule['name']}: {rule.get('lastError', '')}" for rule in loaded if rule["health"] == "err"
    ]
    if broken:
        raise Wrong(f"a rule cannot be evaluated: {broken[0]}"[:300])
    return f"all {len(loaded)} are loaded and healthy"


def missing_rules(loaded: Iterable[dict[str, Any]], key: str) -> list[str]:
    """Return the committed rules that Prometheus lacks, by name; `key` is record or alert."""
    committed = yaml.safe_load(COMMITTED.read_text())["groups"]
    names = Counter(rule[key] for group in committed for rule in group["rules"] if key in rule)
    return sorted(names - Counter(rule["name"] for rule in loaded))


@check(
    "alerts-told",
    "Prometheus notifies our Alertmanager",
    "alerting: in infra/prometheus/prometheus.yml",
)
def _alertmanagers(target: Target) -> str:
    answer = target.get_json(target.prometheus, "/api/v1/alertmanagers")
    alertmanagers = answer["data"]["activeAlertmanagers"]
    urls = [alertmanager["url"].split("/api/")[0] for alertmanager in alertmanagers]
    if target.alertmanager.rstrip("/") not in urls:
        others = ", ".join(urls) or "no Alertmanager"
        raise Wrong(f"Prometheus notifies {others}, not {target.alertmanager}")
    return f"Prometheus notifies {', '.join(urls)}"


CHECKS = (_pushes, _targets, _rules, _alerts, _alertmanagers)
