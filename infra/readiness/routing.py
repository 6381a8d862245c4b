"""Alertmanager: who is told of which alert, by the configuration that it runs with."""

import re
from collections.abc import Mapping
from typing import Any

import yaml

from chalicelib.autoheal import runbooks
from infra.readiness.check import Wrong, check
from infra.readiness.target import Target

HEALER = "autoheal"
MATCHER = re.compile(r'\s*([A-Za-z_]\w*)\s*(=~|!~|!=|=)\s*"?(.*?)"?\s*$')
OWN_ALERT = "AutohealServiceDown"


@check(
    "routes",
    "alerts go to the healer, the healer's own to people",
    "use infra/alertmanager",
)
def _route(target: Target) -> str:
    running = yaml.safe_load(
        target.told(target.alertmanager, "/api/v2/status")["config"]["original"]
    )
    if problem := problem_of(running):
        raise Wrong(problem)
    return f"{len(runbooks.load())} alerts go to the healer; its own go to people"


def problem_of(configuration: Mapping[str, Any]) -> str:
    """Return what is wrong with an Alertmanager's configuration; empty where nothing is."""
    route = configuration["route"]
    for name in runbooks.load():
        if HEALER not in receivers(route, {"alertname": name}):
            return f"{name} is not sent to the receiver {HEALER}"
    told = receivers(route, {"alertname": OWN_ALERT})
    if HEALER in told:
        return f"{OWN_ALERT} is sent to the healer, which never heals itself"
    known = {one["name"]: one for one in configuration["receivers"]}
    if not known[HEALER].get("webhook_configs"):
        return f"the receiver {HEALER} has no webhook"
    silent = [name for name in told if set(known[name]) <= {"name"}]
    return f"{OWN_ALERT} goes to {', '.join(silent)}, who tells nobody" if silent else ""


def receivers(route: Mapping[str, Any], labels: Mapping[str, str]) -> list[str]:
    """Return who is told of an alert with `labels`, as Alertmanager decides it: children first, in order."""
    found: list[str] = []
    for child in route.get("routes") or []:
        if all(_matches(one, labels) for one in child.get("matchers") or []):
            found += receivers({"receiver": route["receiver"], **child}, labels)
            if not child.get("continue"):
                break
    return found or [str(route["receiver"])]


def _matches(matcher: str, labels: Mapping[str, str]) -> bool:
    parts = MATCHER.match(matcher)
    if parts is None:
        raise Wrong(f"a matcher cannot be read: {matcher}")
    name, operator, value = parts.groups()
    there = labels.get(name, "")
    same = re.fullmatch(value, there) is not None if "~" in operator else there == value
    return same is not operator.startswith("!")


CHECKS = (_route,)
