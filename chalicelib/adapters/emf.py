"""Metrics as log lines in CloudWatch's embedded metric format, which cost a request no call."""

import json
import sys
from collections import defaultdict
from typing import TextIO

from chalicelib.shared.clock import Clock

NAMESPACE = "AetherLink"
MAX_VALUES = 100
"""How many values of a metric one line may have."""


class EmfMeter:
    """A `Meter`. Counters and gauges have one value a line, distributions up to `MAX_VALUES`."""

    def __init__(
        self, clock: Clock, *, stage: str, function: str, out: TextIO | None = None
    ) -> None:
        """Write lines to `out`, with `stage` and `function` as their dimensions.

        The default is standard error, since results go to standard output.
        """
        self._clock = clock
        self._out = out or sys.stderr
        self._dimensions = {"stage": stage, "function": function}
        self._counts: dict[str, float] = defaultdict(float)
        self._gauges: dict[str, float] = {}
        self._observed: dict[str, list[float]] = defaultdict(list)

    def count(self, name: str, times: float = 1) -> None:
        """Add to a counter; adding 0 makes it appear."""
        self._counts[name] += times

    def gauge(self, name: str, value: float) -> None:
        """Set the present value of a gauge."""
        self._gauges[name] = value

    def observe(self, name: str, value: float) -> None:
        """Add an observation to a distribution; only the latest that fit one line are kept."""
        latest = self._observed[name][-MAX_VALUES + 1 :]
        self._observed[name] = [*latest, round(value, 6)]

    def flush(self) -> None:
        """Write one line with all measurements, if there are any."""
        values: dict[str, float | list[float]] = {
            **self._counts,
            **self._gauges,
            **self._observed,
        }
        self._counts.clear()
        self._gauges.clear()
        self._observed.clear()
        if not values:
            return
        metadata = {
            "Timestamp": int(self._clock.now().timestamp() * 1_000),
            "CloudWatchMetrics": [
                {
                    "Namespace": NAMESPACE,
                    "Dimensions": [list(self._dimensions)],
                    "Metrics": [{"Name": name, "Unit": _unit(name)} for name in values],
                }
            ],
        }
        line = json.dumps({"_aws": metadata, **self._dimensions, **values})
        print(line, file=self._out, flush=True)


def _unit(name: str) -> str:
    if name.endswith("_duration_seconds"):
        return "Seconds"
    return "None" if name.endswith("_timestamp") else "Count"
