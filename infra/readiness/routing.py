"""Alertmanager: which receivers its running configuration notifies of which alert."""

import re
from collections.abc import Mapping
from typing import Any

import yaml

from chalicelib.autoheal import runbooks
from infra.drill.targets import DRILL_LABEL
from infra.readiness.check import Wrong, check
from infra.readiness.target import Target
from infra.slo.rules import HEALED

HEALER = "autoheal"
MATCHER = re.compile(r'\s*([A-Za-z_]\w*)\s*(=~|!~|!=|=)\s*"?(.*?)"?\s*$')
OWN_ALERT = "AutohealServiceDown"


@check(
    "routes",
    "alerts go to the healer, the healer's own to people",
    "deploy infra/alertmanager/alertmanager.yml",
)
def _route(target: Target) -> str:
    status = target.get_json(target.alertmanager, "/api/v2/status")
    if problem := problem_of(yaml.safe_load(status["config"]["original"])):
        raise Wrong(problem)
    return f"{len(runbooks.load())} alerts go to the healer; its own go to people"


def problem_of(configuration: Mapping[str, Any]) -> str:
    """Return what is wrong with an Alertmanager's configuration; empty where nothing is."""
    route = configuration["route"]
    for name, runbook in runbooks.load().items():
        labels = DRILL_LABEL if runbook.drill else HEALED
        if HEALER not in receivers(route, {"alertname": name, **labels}):
            return f"{name} is not sent to the receiver {HEALER}"
    notified = receivers(route, {"alertname": OWN_ALERT})
    if HEALER in notified:
        return f"{OWN_ALERT} is sent to the healer, which never heals itself"
    by_name = {receiver["name"]: receiver for receiver in configuration["receivers"]}
    if not by_name[HEALER].get("webhook_configs"):
        return f"the receiver {HEALER} has no webhook"
    silent = [name for name in notified if set(by_name[name]) <= {"name"}]
    return f"{OWN_ALERT} goes to {', '.join(silent)}, which notifies no one" if silent else ""


def receivers(route: Mapping[str, Any], labels: Mapping[str, str]) -> list[str]:
    """Return the receivers of an alert with `labels`, as Alertmanager picks them: children first.

    Raises:
        Wrong: a matcher cannot be parsed.
    """
    names: list[str] = []
    for child in route.get("routes") or []:
        if all(_matches(matcher, labels) for matcher in child.get("matchers") or []):
            names += receivers({"receiver": route["receiver"], **child}, labels)
            if not child.get("continue"):
                break
    return names or [str(route["receiver"])]


def _matches(matcher: str, labels: Mapping[str, str]) -> bool:
    match = MATCHER.match(matcher)
    if match is None:
        raise Wrong(f"a matcher cannot be parsed: {matcher}")
    name, operator, value = match.groups()
    label = labels.get(name, "")
    pattern = value if "~" in operator else re.escape(value)
    equal = re.fullmatch(pattern, label) is not None
    return equal is not operator.startswith("!")


CHECKS = (_route,)
