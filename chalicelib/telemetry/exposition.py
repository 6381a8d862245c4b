"""Metric totals in Prometheus' text format."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from chalicelib.telemetry.catalog import METRICS, Metric
from chalicelib.telemetry.series import Labels, Series

_Parts = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class _Collector:
    """What prometheus_client asks for when it writes: the metrics, as families."""

    families: list[Any]

    def collect(self) -> list[Any]:
        return self.families


def render(totals: Mapping[Series, float], job: str | None = None) -> str:
    """Return `totals`, or those of one `job`, as Prometheus text."""
    # Imported here, since few functions render metrics and all of them start.
    from prometheus_client.exposition import generate_latest

    grouped: dict[str, dict[Labels, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    for series, value in totals.items():
        grouped[series.metric][series.labels][series.part] = value
    families = [
        _family(metric, grouped[metric.name])
        for metric in METRICS.values()
        if job in (None, metric.job) and grouped[metric.name]
    ]
    return generate_latest(_Collector(families)).decode()


def _family(metric: Metric, values: Mapping[Labels, _Parts]) -> Any:
    from prometheus_client.core import Metric as Family

    family = Family(metric.name.removesuffix("_total"), metric.help, metric.kind)
    for pairs, parts in sorted(values.items()):
        labels = dict(pairs)
        if not metric.buckets:
            family.add_sample(metric.name, labels, parts[""])
            continue
        for bound, value in _cumulative(metric, parts):
            family.add_sample(f"{metric.name}_bucket", {**labels, "le": bound}, value)
        family.add_sample(f"{metric.name}_sum", labels, parts.get("sum", 0.0))
        family.add_sample(f"{metric.name}_count", labels, parts.get("count", 0.0))
    return family


def _cumulative(metric: Metric, parts: _Parts) -> list[tuple[str, float]]:
    """Return the buckets as Prometheus wants them: each includes all smaller ones."""
    bounds = [*(f"{limit:g}" for limit in metric.buckets), "+Inf"]
    counts = accumulate(parts.get(f"le={bound}", 0.0) for bound in bounds)
    return list(zip(bounds, counts, strict=True))
