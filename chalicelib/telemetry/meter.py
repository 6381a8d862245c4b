"""Measuring, as a dependency: rooms report what they measured, and a `Meter` sends it on."""

from typing import Protocol


class Meter(Protocol):
    """Takes measurements; `flush` sends them on. Never fails its caller."""

    def count(self, name: str, times: float = 1) -> None:
        """Add to a counter."""
        ...

    def gauge(self, name: str, value: float) -> None:
        """Set the present value of a gauge."""
        ...

    def observe(self, name: str, value: float) -> None:
        """Add an observation to a distribution."""
        ...

    def flush(self) -> None:
        """Send what was measured since the last flush."""
        ...


class Meters:
    """A `Meter` that passes each measurement to several others."""

    def __init__(self, *meters: Meter) -> None:
        """Pass measurements to each of `meters`, in order."""
        self._meters = meters

    def count(self, name: str, times: float = 1) -> None:
        """Add to a counter."""
        for meter in self._meters:
            meter.count(name, times)

    def gauge(self, name: str, value: float) -> None:
        """Set the present value of a gauge."""
        for meter in self._meters:
            meter.gauge(name, value)

    def observe(self, name: str, value: float) -> None:
        """Add an observation to a distribution."""
        for meter in self._meters:
            meter.observe(name, value)

    def flush(self) -> None:
        """Flush each meter."""
        for meter in self._meters:
            meter.flush()
