"""A fake meter."""

from collections import defaultdict


class FakeMeter:
    """Remembers every measurement."""

    def __init__(self) -> None:
        self.counts: dict[str, float] = defaultdict(float)
        self.gauges: dict[str, float] = {}
        self.observed: dict[str, list[float]] = defaultdict(list)
        self.flushes = 0

    def count(self, name: str, times: float = 1) -> None:
        self.counts[name] += times

    def gauge(self, name: str, value: float) -> None:
        self.gauges[name] = value

    def observe(self, name: str, value: float) -> None:
        self.observed[name].append(value)

    def flush(self) -> None:
        self.flushes += 1
