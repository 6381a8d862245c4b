"""What a warm function measures: kept here, added to the ledger now and then, never in anybody's way.

Once there is trouble with the ledger it is left alone for a while; what was measured is
kept and added later. What a function had not added when it was ended is lost: at most the
last 10 seconds of a busy one.
"""

import threading
from collections.abc import Callable
from typing import Final

from chalicelib.shared.clock import Clock
from chalicelib.shared.errors import AetherLinkError
from chalicelib.telemetry import logs, names
from chalicelib.telemetry.totals import METRICS, Increments, MetricTotals

EVERY_SECONDS: Final = 10.0
EVERY_REQUESTS: Final = 100
LEFT_ALONE_SECONDS: Final = 30.0
"""How long a ledger that was away is not asked."""

FindLedger = Callable[[], MetricTotals]


class _Waiting:
    """Increments on their way to the ledger. For several threads at once."""

    def __init__(self, ledger: FindLedger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._increments = Increments()
        self._not_before = 0.0
        self._lock = threading.Lock()

    def keep(self, more: Increments) -> None:
        with self._lock:
            self._increments.merge(more)

    def add(self) -> None:
        """Add everything to the ledger, or keep it while the ledger is away."""
        with self._lock:
            if not self._increments.values or self._clock.monotonic() < self._not_before:
                return
            taken = self._increments.take()
        try:
            self._ledger().add(taken)
        except AetherLinkError as problem:
            logs.warning(names.METRICS_NOT_PUSHED, code=problem.code, cause=problem.cause)
            with self._lock:
                self._increments.merge(taken)
                self._not_before = self._clock.monotonic() + LEFT_ALONE_SECONDS


class RequestMetrics:
    """Counts requests: the first at once, then every 100 requests or 10 seconds, whichever is first."""

    def __init__(self, ledger: FindLedger | None, clock: Clock) -> None:
        """Add to what `ledger` gives when it is first needed; None counts nothing."""
        self._waiting = _Waiting(ledger, clock) if ledger else None
        self._clock = clock
        self._requests = 0
        self._due = clock.monotonic()

    def count(self, *, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request; `route` is the path's pattern. Never fails."""
        if self._waiting is None:
            return
        counted = Increments().add(names.CRM_REQUESTS, method=method, route=route, code=str(status))
        self._waiting.keep(counted.observe(names.CRM_REQUEST_SECONDS, seconds, code=str(status)))
        self._requests += 1
        now = self._clock.monotonic()
        if self._requests >= EVERY_REQUESTS or now >= self._due:
            self._requests = 0
            self._due = now + EVERY_SECONDS
            self._waiting.add()


class TotalsMeter:
    """A `Meter` that adds counters and distributions to the ledger, of those metrics that it has.

    A gauge is no sum: it is read where it is true when it is asked for, and not kept here.
    """

    def __init__(self, ledger: FindLedger, clock: Clock) -> None:
        """Add to what `ledger` gives, at each flush."""
        self._waiting = _Waiting(ledger, clock)

    def count(self, name: str, times: float = 1) -> None:
        """Add to a counter."""
        if name in METRICS and times:
            self._waiting.keep(Increments().add(name, times))

    def gauge(self, name: str, value: float) -> None:
        """Do nothing."""

    def observe(self, name: str, value: float) -> None:
        """Add one to a distribution."""
        if name in METRICS:
            self._waiting.keep(Increments().observe(name, value))

    def flush(self) -> None:
        """Add it all to the ledger."""
        self._waiting.add()
