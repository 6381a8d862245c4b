"""How long audit writes take: an objective of its own, so each write is measured."""

import threading
from collections.abc import Callable
from typing import TypeVar

from chalicelib.shared.clock import Clock
from chalicelib.telemetry import names
from chalicelib.telemetry.increments import Increments

T = TypeVar("T")


class WriteTimes:
    """Keeps what was measured until somebody adds it to the ledger."""

    def __init__(self) -> None:
        self._waiting = Increments()
        self._lock = threading.Lock()

    def timed(self, clock: Clock, write: Callable[[], T]) -> T:
        """Return what `write` does, and keep how long it took."""
        started = clock.monotonic()
        try:
            return write()
        finally:
            with self._lock:
                self._waiting.observe(names.AUTOHEAL_AUDIT_WRITE, clock.monotonic() - started)

    def drain_into(self, increments: Increments) -> Increments:
        """Move what was measured into `increments`, and return them."""
        with self._lock:
            return increments.merge(self._waiting.take())
