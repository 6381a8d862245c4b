"""A fake of the metric totals."""

import threading
from collections import defaultdict
from collections.abc import Mapping

from chalicelib.shared.errors import Unavailable
from chalicelib.telemetry.increments import Increments
from chalicelib.telemetry.series import Series


class FakeMetricTotals:
    """A `MetricTotals` in memory."""

    def __init__(self) -> None:
        self.values: dict[Series, float] = defaultdict(float)
        self.lock = threading.Lock()
        self.down = False

    def add(self, increments: Increments) -> None:
        if self.down:
            raise Unavailable("down", cause="test")
        with self.lock:
            for series, value in increments.values.items():
                self.values[series] = (
                    max(self.values[series], value)
                    if series.latest
                    else self.values[series] + value
                )

    def totals(self) -> Mapping[Series, float]:
        return dict(self.values)
