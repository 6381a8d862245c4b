"""Fake counters."""

from collections import defaultdict

from chalicelib.shared.errors import AetherLinkError


class FakeCounters:
    """`Counters` in memory; `problem` is raised instead of counting."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = defaultdict(int)
        self.problem: AetherLinkError | None = None

    def add(self, key: str, *, expires_at: int) -> int:
        if self.problem:
            raise self.problem
        self.counts[key] += 1
        return self.counts[key]
