"""Synthetic series: values as functions of time, and promtool's notation for them."""

from collections.abc import Callable, Sequence
from typing import Final

Values = Callable[[int], float | None]
"""The value at a time in seconds; None where there is no sample."""
Series = dict[str, Values | None]
"""Values by the series' name with its labels; None for a series that is not there."""

EVERYTHING: Final = (0, 10**9)
DIGITS: Final = 6


def always(value: float) -> Values:
    """Return a gauge that stays the same."""
    return lambda _: value


def during(*phases: tuple[float, float, float | None], usually: float | None = 0) -> Values:
    """Return a gauge with other values in phases: from a minute up to, not including, another."""

    def value(at: int) -> float | None:
        for begin, end, other in phases:
            if begin * 60 <= at < end * 60:
                return other
        return usually

    return value


def now(at: int) -> float:
    """Return a timestamp that is always fresh."""
    return at


def stalled(begin: float, end: float = 10**7) -> Values:
    """Return a timestamp that stays what it was at minute `begin`, until minute `end`."""
    return lambda at: begin * 60 if begin * 60 <= at < end * 60 else at


def gone(values: Values, begin: float, end: float = 10**7) -> Values:
    """Return `values` without samples from minute `begin` to minute `end`."""
    return lambda at: None if begin * 60 <= at < end * 60 else values(at)


def counter(*phases: tuple[float, float, float], usually: float = 0) -> Values:
    """Return a counter that grows by `usually` a minute, and by other amounts in phases.

    A phase begins after one minute and includes the other.
    """

    def value(at: int) -> float:
        grown = usually * at / 60
        for begin, end, other in phases:
            inside = min(max(at / 60 - begin, 0), end - begin)
            grown += inside * (other - usually)
        return grown

    return value


def encode(values: Sequence[float | None]) -> str:
    """Return samples as promtool reads them: runs of equal steps, `_` where there is none."""
    runs: list[str] = []
    at = 0
    while at < len(values):
        first = values[at]
        if first is None:
            length = _run(values, at, None)
            runs.append(f"_x{length}" if length > 1 else "_")
            at += length
            continue
        following = values[at + 1] if at + 1 < len(values) else None
        step = 0.0 if following is None else round(following - first, DIGITS)
        length = _run(values, at, step)
        runs.append(f"{first:.12g}{step:+.12g}x{length - 1}" if length > 1 else f"{first:.12g}")
        at += length
    return " ".join(runs)


def _run(values: Sequence[float | None], at: int, step: float | None) -> int:
    """Return how many samples from `at` on are missing, or each `step` above its predecessor."""
    length = 1
    while at + length < len(values):
        last = values[at + length - 1]
        this = values[at + length]
        if step is None:
            if this is not None:
                break
        elif this is None or last is None or round(this - last, DIGITS) != step:
            break
        length += 1
    return length
