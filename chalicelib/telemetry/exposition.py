"""What is published: the ledger's totals, every series there from the start, and what is computed when asked."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from chalicelib.telemetry.totals import (
    AUTOHEAL,
    CRM,
    METRICS,
    Labels,
    Metric,
    Pusher,
    Series,
)

JOBS = (AUTOHEAL, CRM)


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
    wanted = [
        metric for metric in METRICS.values() if job in (None, metric.job) and grouped[metric.name]
    ]
    return generate_latest(
        _Totals([_family(metric, grouped[metric.name]) for metric in wanted])
    ).decode()


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
    return list(
        zip(
            bounds,
            accumulate(parts.get(f"le={bound}", 0.0) for bound in bounds),
            strict=True,
        )
    )
