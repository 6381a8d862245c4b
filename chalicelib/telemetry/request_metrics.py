"""Metrics of HTTP requests, added to the metric totals now and then.

What a function has not added when it is stopped is lost: at most the last 10 seconds of a
busy one.
"""

from typing import Final

from chalicelib.shared.clock import Clock
from chalicelib.telemetry import names
from chalicelib.telemetry.buffer import IncrementBuffer, TotalsSource
from chalicelib.telemetry.increments import Increments

EVERY_SECONDS: Final = 10.0
EVERY_REQUESTS: Final = 100


class RequestMetrics:
    """Counts requests.

    They are added to the totals with the first request, and then every 100 requests or 10
    seconds, whichever comes first.
    """

    def __init__(self, totals: TotalsSource | None, clock: Clock) -> None:
        """Add to what `totals` returns, once it is needed; None counts nothing."""
        self._buffer = IncrementBuffer(totals, clock) if totals else None
        self._clock = clock
        self._requests = 0
        self._due = clock.monotonic()

    def count(self, *, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request; `route` is the path's pattern. Never fails."""
        if self._buffer is None:
            return
        code = str(status)
        increments = Increments()
        increments.add(names.CRM_REQUESTS, method=method, route=route, code=code)
        increments.observe(names.CRM_REQUEST_SECONDS, seconds, code=code)
        self._buffer.keep(increments)
        self._requests += 1
        now = self._clock.monotonic()
        if self._requests >= EVERY_REQUESTS or now >= self._due:
            self._requests = 0
            self._due = now + EVERY_SECONDS
            self._buffer.flush()
