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
