"""A buffer in front of the metric totals: a function measures often and writes seldom."""

import threading
from collections.abc import Callable
from typing import Final

from chalicelib.shared.clock import Clock
from chalicelib.shared.errors import AetherLinkError
from chalicelib.telemetry import logs, names
from chalicelib.telemetry.increments import Increments
from chalicelib.telemetry.totals import MetricTotals

LEFT_ALONE_SECONDS: Final = 30.0
"""How long the totals are not written to after they could not be reached."""

TotalsSource = Callable[[], MetricTotals]


class IncrementBuffer:
    """Increments on their way to the totals. Safe for use by several threads at once.

    When the totals cannot be reached, the increments are kept and added later. What has not
    been added when the function is stopped is lost.
    """

    def __init__(self, totals: TotalsSource, clock: Clock) -> None:
        """Write to what `totals` returns; it is called when it is first needed."""
        self._totals = totals
        self._clock = clock
        self._increments = Increments()
        self._not_before = 0.0
        self._lock = threading.Lock()

    def keep(self, increments: Increments) -> None:
        """Keep `increments` until the next flush."""
        with self._lock:
            self._increments.merge(increments)

    def flush(self) -> None:
        """Add everything to the totals, or keep it while they cannot be reached. Never fails."""
        with self._lock:
            if not self._increments.values or self._clock.monotonic() < self._not_before:
                return
            taken = self._increments.take()
        try:
            self._totals().add(taken)
        except AetherLinkError as problem:
            logs.warning(names.METRICS_NOT_PUSHED, code=problem.code, cause=problem.cause)
            with self._lock:
                self._increments.merge(taken)
                self._not_before = self._clock.monotonic() + LEFT_ALONE_SECONDS
