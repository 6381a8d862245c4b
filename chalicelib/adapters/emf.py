"""Metrics as log lines in CloudWatch's embedded metric format: no call, no cost to a request; CloudWatch reads them."""

import json
import sys
from collections import defaultdict
from typing import TextIO

from chalicelib.shared.clock import Clock

NAMESPACE = "AetherLink"
MAX_VALUES = 100
"""What the format takes for one metric in one line."""


class EmfMeter:
    """A `Meter`. Counters and gauges are one value a line, distributions up to `MAX_VALUES`."""

    def __init__(
        self, clock: Clock, *, stage: str, function: str, out: TextIO | None = None
    ) -> None:
        """Write lines to `out`, with `stage` and `function` as their dimensions.

        By default that is standard error: results go to standard output.
        """
        self._clock = clock
        self._out = out or sys.stderr
        self._dimensions = {"stage": stage, "function": function}
        self._counts: dict[str, float] = defaultdict(float)
        self._gauges: dict[str, float] = {}
        self._observed: dict[str, list[float]] = defaultdict(list)

    def count(self, name: str, times: float = 1) -> None:
        """Add to a counter; a count of 0 makes it known."""
        self._counts[name] += times

    def gauge(self, name: str, value: float) -> None:
        """Set what something is now."""
        self._gauges[name] = value

    def observe(self, name: str, value: float) -> None:
        """Add one to a distribution; of more than fit a line, the latest are kept."""
        self._observed[name] = [*self._observed[name][-MAX_VALUES + 1 :], round(value, 6)]

    def flush(self) -> None:
        """Write one line with everything, if there is anything."""
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
        about = {
            "Timestamp": int(self._clock.now().timestamp() * 1_000),
            "CloudWatchMetrics": [
                {
                    "Namespace": NAMESPACE,
                    "Dimensions": [list(self._dimensions)],
                    "Metrics": [{"Name": name, "Unit": _unit(name)} for name in values],
                }
            ],
        }
        print(
            json.dumps({"_aws": about, **self._dimensions, **values}),
            file=self._out,
            flush=True,
        )


def _unit(name: str) -> str:
    if name.endswith("_duration_seconds"):
        return "Seconds"
    return "None" if name.endswith("_timestamp") else "Count"
