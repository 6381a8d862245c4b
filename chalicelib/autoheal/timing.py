"""How long audit writes take. There is an objective for it, so each write is measured."""

import threading
from collections.abc import Callable
from typing import TypeVar

from chalicelib.shared.clock import Clock
from chalicelib.telemetry import names
from chalicelib.telemetry.increments import Increments

T = TypeVar("T")


class WriteTimes:
    """Keeps measured times until they are added to the totals. Safe for several threads."""

    def __init__(self) -> None:
        self._increments = Increments()
        self._lock = threading.Lock()

    def timed(self, clock: Clock, write: Callable[[], T]) -> T:
        """Call `write`, keep how long it took, and return its result."""
        started = clock.monotonic()
        try:
            return write()
        finally:
            seconds = clock.monotonic() - started
            with self._lock:
                self._increments.observe(names.AUTOHEAL_AUDIT_WRITE, seconds)

    def drain_into(self, increments: Increments) -> Increments:
        """Move the measured times into `increments`; return these."""
        with self._lock:
            return increments.merge(self._increments.take())
