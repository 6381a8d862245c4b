"""Measuring, as a dependency: rooms say what they saw, a `Meter` knows where it goes."""

from typing import Protocol


class Meter(Protocol):
    """Takes measurements; `flush` sends them on. Never fails its caller."""

    def count(self, name: str, times: float = 1) -> None:
        """Add to a counter."""
        ...

    def gauge(self, name: str, value: float) -> None:
        """Set what something is now."""
        ...

    def observe(self, name: str, value: float) -> None:
        """Add one to a distribution."""
        ...

    def flush(self) -> None:
        """Send what was measured since the last time."""
        ...


class Meters:
    """Several meters that are told the same."""

    def __init__(self, *meters: Meter) -> None:
        """Tell each of `meters`, in order."""
        self._meters = meters

    def count(self, name: str, times: float = 1) -> None:
        """Add to a counter."""
        for meter in self._meters:
            meter.count(name, times)

    def gauge(self, name: str, value: float) -> None:
        """Set what something is now."""
        for meter in self._meters:
            meter.gauge(name, value)

    def observe(self, name: str, value: float) -> None:
        """Add one to a distribution."""
        for meter in self._meters:
            meter.observe(name, value)

    def flush(self) -> None:
        """Have each send what was measured."""
        for meter in self._meters:
            meter.flush()
