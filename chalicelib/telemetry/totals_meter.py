"""A meter that adds its measurements to the metric totals."""

from chalicelib.shared.clock import Clock
from chalicelib.telemetry.buffer import IncrementBuffer, TotalsSource
from chalicelib.telemetry.catalog import METRICS
from chalicelib.telemetry.increments import Increments


class TotalsMeter:
    """A `Meter` that adds counters and distributions to the totals, if they are in the catalog.

    Gauges are ignored, since they cannot be summed: their values are read at their source
    when metrics are published.
    """

    def __init__(self, totals: TotalsSource, clock: Clock) -> None:
        """Add to what `totals` returns, at each flush."""
        self._buffer = IncrementBuffer(totals, clock)

    def count(self, name: str, times: float = 1) -> None:
        """Add to a counter."""
        if name in METRICS and times:
            self._buffer.keep(Increments().add(name, times))

    def gauge(self, name: str, value: float) -> None:
        """Ignore a gauge."""

    def observe(self, name: str, value: float) -> None:
        """Add an observation to a distribution."""
        if name in METRICS:
            self._buffer.keep(Increments().observe(name, value))

    def flush(self) -> None:
        """Add all measurements to the totals."""
        self._buffer.flush()
