"""What is published: the ledger's totals, every series there from the start, and what is computed when asked."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from chalicelib import names
from chalicelib.autoheal.actions import Result
from chalicelib.autoheal.audit import Kind
from chalicelib.autoheal.ledger import AUTOHEAL, CRM, METRICS, Labels, Metric, Pusher, Series
from chalicelib.autoheal.modes import Mode
from chalicelib.autoheal.policy import Parts

COUNTED = (Result.EXECUTED, Result.FAILED, Result.DRY_RUN, Result.COOLDOWN_SKIP, Result.ERROR, Result.CHAOS)
JOBS = (AUTOHEAL, CRM)


ZERO = (
    names.OUTBOX_PUBLISHED,
    names.OUTBOX_REFUSED,
    names.OUTBOX_PARKED,
    names.OUTBOX_LEASE_MISSES,
)
BAD = ("500", "503")
"""How our side fails; other codes are born when they are first seen."""


def series(parts: Parts, stage: str, routes: Iterable[tuple[str, str]] = ()) -> dict[Series, float]:
    """Return every series of the healer and of the API's `routes`: method and path.

    A counter that is born at 1 would show no increase, so all start at 0.
    """
    found = _born() | _born_with(routes)
    for alertname in parts.runbooks:
        found[Series(names.AUTOHEAL_ACTION_FAILURES, (("alertname", alertname),))] = 0.0
        found[Series(names.AUTOHEAL_COOLDOWN, (("alertname", alertname),))] = 0.0
        for result in COUNTED:
            found[Series(names.AUTOHEAL_ACTIONS, (("alertname", alertname), ("result", str(result))))] = 0.0
    now = parts.clock.now().timestamp()
    for one, value in parts.ledger.totals().items():
        found[one] = max(0.0, round(value - now, 3)) if one.metric == names.AUTOHEAL_COOLDOWN else value
    enabled = parts.config().mode is not Mode.OFF
    found[Series(names.AUTOHEAL_ENABLED, (("env", stage),))] = float(enabled)
    return found


def _born() -> dict[Series, float]:
    found = {Series(names.AUTOHEAL_EVENTS, (("kind", str(kind)),)): 0.0 for kind in Kind}
    found[Series(names.AUTOHEAL_AUDIT_WRITE, (), "count")] = 0.0
    found |= {Series(name): 0.0 for name in ZERO}
    return found


def _born_with(routes: Iterable[tuple[str, str]]) -> dict[Series, float]:
    found = {
        Series(names.CRM_REQUESTS, (("code", code), ("method", method), ("route", route))): 0.0
        for method, route in routes
        for code in BAD
    }
    for code in ("200", *BAD) if found else ():
        found[Series(names.CRM_REQUEST_SECONDS, (("code", code),), "count")] = 0.0
    return found


def publish(found: Mapping[Series, float], pusher: Pusher) -> dict[str, int]:
    """Put the whole set to the pushgateway, job by job; return how many lines each has. Raises `Unavailable`."""
    lines = {}
    for job in JOBS:
        text = render(found, job)
        if text.strip():
            pusher.put(job, text)
            lines[job] = text.count("\n")
    return lines


@dataclass(frozen=True, slots=True)
class _Totals:
    """What prometheus_client asks for when it writes: the metrics, as families."""

    families: list[Any]

    def collect(self) -> list[Any]:
        return self.families


def render(totals: Mapping[Series, float], job: str | None = None) -> str:
    """Return `totals` (of one `job`) as Prometheus text."""
    from prometheus_client.exposition import generate_latest

    grouped: dict[str, dict[Labels, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    for one, value in totals.items():
        grouped[one.metric][one.labels][one.part] = value
    wanted = [metric for metric in METRICS.values() if job in (None, metric.job) and grouped[metric.name]]
    return generate_latest(_Totals([_family(metric, grouped[metric.name]) for metric in wanted])).decode()


def _family(metric: Metric, found: Mapping[Labels, Mapping[str, float]]) -> Any:
    from prometheus_client.core import Metric as Family

    made = Family(metric.name.removesuffix("_total"), metric.help, metric.kind)
    for labels, parts in sorted(found.items()):
        if not metric.buckets:
            made.add_sample(metric.name, dict(labels), parts[""])
            continue
        for bound, value in _cumulative(metric, parts):
            made.add_sample(f"{metric.name}_bucket", {**dict(labels), "le": bound}, value)
        made.add_sample(f"{metric.name}_sum", dict(labels), parts.get("sum", 0.0))
        made.add_sample(f"{metric.name}_count", dict(labels), parts.get("count", 0.0))
    return made


def _cumulative(metric: Metric, parts: Mapping[str, float]) -> list[tuple[str, float]]:
    """Return the buckets as Prometheus has them: each with all that is in the smaller ones."""
    bounds = [*(f"{limit:g}" for limit in metric.buckets), "+Inf"]
    return list(zip(bounds, accumulate(parts.get(f"le={bound}", 0.0) for bound in bounds), strict=True))
