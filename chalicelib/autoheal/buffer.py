"""Request metrics of a warm function: kept here, added to the ledger now and then, never in anybody's way."""

import threading
from collections.abc import Callable
from typing import Final

from chalicelib import logs, names
from chalicelib.autoheal.ledger import Increments, MetricsLedger
from chalicelib.clock import Clock
from chalicelib.errors import AetherLinkError

EVERY_SECONDS: Final = 10.0
EVERY_REQUESTS: Final = 100
LEFT_ALONE_SECONDS: Final = 30.0
"""How long a ledger that was away is not asked; what was counted is kept."""


class RequestMetrics:
    """Counts requests. What a function had not added when it was ended is lost: at most the last 10 seconds."""

    def __init__(self, ledger: Callable[[], MetricsLedger] | None, clock: Clock) -> None:
        """Add to what `ledger` gives when it is first needed; None counts nothing."""
        self._ledger, self._clock = ledger, clock
        self._waiting, self._requests = Increments(), 0
        self._due = clock.monotonic() + EVERY_SECONDS
        self._not_before = 0.0
        self._lock = threading.Lock()

    def count(self, *, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request; `route` is the path's pattern. Never fails."""
        if self._ledger is None:
            return
        with self._lock:
            self._waiting.add(names.CRM_REQUESTS, method=method, route=route, code=str(status))
            self._waiting.observe(names.CRM_REQUEST_SECONDS, seconds, code=str(status))
            self._requests += 1
            now = self._clock.monotonic()
            if now < self._not_before or (self._requests < EVERY_REQUESTS and now < self._due):
                return
            taken, self._requests = self._waiting.take(), 0
            self._due = now + EVERY_SECONDS
        self._add(self._ledger, taken)

    def _add(self, ledger: Callable[[], MetricsLedger], taken: Increments) -> None:
        try:
            ledger().add(taken)
        except AetherLinkError as problem:
            logs.warning(names.METRICS_NOT_PUSHED, cause=problem.cause)
            with self._lock:
                self._waiting.merge(taken)
                self._not_before = self._clock.monotonic() + LEFT_ALONE_SECONDS
