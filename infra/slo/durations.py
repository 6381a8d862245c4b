"""Durations as Prometheus writes them, and one factor that makes all of them shorter."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

UNITS: Final = {
    "w": 604_800.0,
    "d": 86_400.0,
    "h": 3_600.0,
    "m": 60.0,
    "s": 1.0,
    "ms": 0.001,
}
PATTERN: Final = re.compile(r"(\d+)(ms|[wdhms])")
SHORTEST_INTERVAL: Final = 1.0
"""Seconds. Rules are not evaluated more often, however much they are compressed."""
PLACEHOLDER: Final = re.compile(
    r"\{\{\s*(\.window|duration|seconds|seen)\s*([^{}]*(?:\{[^{}]*\})?)\s*\}\}"
)


def seconds(text: str) -> float:
    """Return how many seconds `text`, such as 1h or 250ms, lasts.

    Raises:
        ValueError: it is no duration; the text says what one is.
    """
    match = PATTERN.fullmatch(text)
    if match is None or int(match[1]) == 0:
        raise ValueError(
            f"{text!r} is no duration: write a whole number and ms, s, m, h, d or w, such as 30m"
        )
    return int(match[1]) * UNITS[match[2]]


def shown(length: float) -> str:
    """Return `length` seconds with the largest unit that leaves a whole number.

    Raises:
        ValueError: it is shorter than a millisecond.
    """
    milliseconds = round(length * 1_000)
    if milliseconds < 1:
        raise ValueError(f"{length} s is shorter than Prometheus knows: compress less")
    unit = next(name for name, size in UNITS.items() if milliseconds % round(size * 1_000) == 0)
    return f"{milliseconds // round(UNITS[unit] * 1_000)}{unit}"


@dataclass(frozen=True, slots=True)
class Scale:
    """By how much every time is divided; drills compress hours into minutes."""

    factor: int = 1

    def duration(self, text: str) -> str:
        """Return a window or a `for`, scaled."""
        return shown(seconds(text) / self.factor)

    def interval(self, text: str) -> str:
        """Return an evaluation interval, scaled, but never below SHORTEST_INTERVAL."""
        return shown(max(SHORTEST_INTERVAL, seconds(text) / self.factor))

    def seconds(self, text: str) -> str:
        """Return a scaled age as the number of seconds that an expression compares with."""
        return f"{seconds(text) / self.factor:g}"

    def expand(self, query: str, *, window: str = "", seen: str) -> str:
        """Return `query` with its placeholders filled in.

        `{{.window}}` is `window`, `{{duration 5m}}` a scaled range, `{{seconds 5m}}` a
        scaled number of seconds, `{{seen X}}` whether the series X was there within the
        time `seen`.
        """
        expansions: dict[str, Callable[[str], str]] = {
            ".window": lambda _: self.duration(window),
            "duration": self.duration,
            "seconds": self.seconds,
            "seen": lambda series: f"max(last_over_time({series}[{self.duration(seen)}]))",
        }
        return PLACEHOLDER.sub(lambda match: expansions[match[1]](match[2].strip()), query)
