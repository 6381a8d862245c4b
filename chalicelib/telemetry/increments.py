"""Measurements that have not been added to the metric totals yet."""

from dataclasses import dataclass, field
from datetime import datetime

from chalicelib.telemetry.catalog import METRICS
from chalicelib.telemetry.series import Series, sorted_labels


@dataclass
class Increments:
    """What to add to the metric totals. Not safe for use by several threads at once."""

    values: dict[Series, float] = field(default_factory=dict)

    def add(self, metric: str, times: float = 1, **labels: str) -> "Increments":
        """Add `times` to a counter; return these increments."""
        series = Series(metric, sorted_labels(labels))
        self._add(series, times)
        return self

    def at(self, metric: str, moment: datetime, **labels: str) -> "Increments":
        """Record when something last happened; return these increments."""
        series = Series(metric, sorted_labels(labels))
        self.values[series] = max(self.values.get(series, 0.0), moment.timestamp())
        return self

    def observe(self, metric: str, seconds: float, **labels: str) -> "Increments":
        """Add an observation to a histogram; return these increments."""
        pairs = sorted_labels(labels)
        bounds = (f"{limit:g}" for limit in METRICS[metric].buckets if seconds <= limit)
        bound = next(bounds, "+Inf")
        self._add(Series(metric, pairs, f"le={bound}"), 1.0)
        self._add(Series(metric, pairs, "sum"), seconds)
        self._add(Series(metric, pairs, "count"), 1.0)
        return self

    def merge(self, other: "Increments") -> "Increments":
        """Add everything of `other`; return these increments."""
        for series, value in other.values.items():
            if series.latest:
                self.values[series] = max(self.values.get(series, 0.0), value)
            else:
                self._add(series, value)
        return self

    def take(self) -> "Increments":
        """Return everything that was measured, and start again from nothing."""
        taken = Increments(self.values)
        self.values = {}
        return taken

    def _add(self, series: Series, value: float) -> None:
        self.values[series] = self.values.get(series, 0.0) + value
