"""The metric totals of functions that do not live long.

A pushgateway keeps what was pushed last and adds nothing up. So counters and histogram
buckets are added up in a store, in the same transaction as the state change where there is
one, and whatever publishes them publishes the whole set.
"""

from collections.abc import Mapping
from typing import Protocol

from chalicelib.telemetry.increments import Increments
from chalicelib.telemetry.series import Series


class MetricTotals(Protocol):
    """The store of the totals. Raises `errors.Unavailable` while it cannot be reached."""

    def add(self, increments: Increments) -> None:
        """Add all of `increments`."""
        ...

    def totals(self) -> Mapping[Series, float]:
        """Return every total."""
        ...
