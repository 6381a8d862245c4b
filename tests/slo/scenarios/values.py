"""What is recorded, over every window, by plain counting of the bad moments in it."""

from collections.abc import Iterable
from typing import Final

from infra.slo import durations
from tests.slo.scenarios import healthy as h
from tests.slo.scenarios.series import Series, counter, during, now
from tests.slo.scenarios.suite import Scenario, Suite, Value
from tests.slo.scenarios.traffic import FOREVER, events, failing

STEP: Final = 5
"""Minutes between samples."""
SHARES: Final = {
    "heartbeat": 1.0,
    "availability": 0.5,
    "actions": 0.25,
    "audit_latency": 0.3,
    "api_success": 0.2,
    "api_latency": 0.4,
    "outbox_freshness": 1.0,
}
"""How much fails in a bad moment."""
BUDGETS: Final = {
    "heartbeat": 0.001,
    "availability": 0.001,
    "actions": 0.005,
    "audit_latency": 0.05,
    "api_success": 0.005,
    "api_latency": 0.05,
    "outbox_freshness": 0.005,
}
EVENTS: Final = ("actions", "audit_latency", "api_success", "api_latency")
Spans = tuple[tuple[int, int], ...]
"""Bad minutes: after one, up to and including another; multiples of STEP."""


def bad(spans: Spans) -> Series:
    """Return every objective failing in `spans`, each by its share."""
    found: Series = {}
    for slo in EVENTS:
        found |= failing(slo, *((begin, end, SHARES[slo]) for begin, end in spans))
    moments = tuple((begin + STEP, end + STEP) for begin, end in spans)
    off = during(*((begin, end, 400) for begin, end in moments))
    return found | {
        h.PROBE: during(*((begin, end, 0.5) for begin, end in moments), usually=1),
        h.EVENT: lambda at: now(at) - (off(at) or 0),
        h.PENDING: during(*((begin, end, 1) for begin, end in moments)),
        h.OLDEST: lambda at: now(at) - (off(at) or 0) / 4,
        h.PARKED: None,
    }


def share(spans: Spans, at: int, window: int, every: int) -> float:
    """Return which part of the moments of the `window` before `at` is bad; both ends belong to it. All in minutes."""
    moments = [moment for moment in range(0, at + 1, every) if at - window <= moment]
    return sum(_is_bad(spans, moment) for moment in moments) / len(moments)


def _is_bad(spans: Spans, moment: int) -> bool:
    return any(begin < moment <= end for begin, end in spans)


def _rounded(value: float, digits: int) -> float:
    return round(value, digits)


def ratios(spans: Spans, windows: Iterable[str], at: str, every: int) -> list[Value]:
    """Return what the error ratios over `windows` have to be at `at`, rules being evaluated `every` so many minutes."""
    found = []
    for window in windows:
        minutes = round(durations.seconds(window) / 60)
        end = round(durations.seconds(at) / 60)
        name = f"autoheal:sli_error:ratio_rate{window}"
        # The shortest window is that in which events are counted, and no mean.
        parts = {
            slo: share(spans, end, 0 if slo in EVENTS and window == "5m" else minutes, every)
            for slo in SHARES
        }
        samples = {_slo(slo): _rounded(parts[slo] * most, 4) for slo, most in SHARES.items()}
        found.append(Value(at, f"round({name}, 0.0001)", samples))
    return found


def burns(spans: Spans, name: str, windows: tuple[str, str], at: str, every: int) -> Value:
    """Return what a burn rate has to be: the smaller one of two windows."""
    minutes = [round(durations.seconds(window) / 60) for window in windows]
    part = min(share(spans, round(durations.seconds(at) / 60), window, every) for window in minutes)
    samples = {_slo(slo): _rounded(part * most / BUDGETS[slo], 2) for slo, most in SHARES.items()}
    return Value(at, f"round(autoheal:burn_{name}, 0.01)", samples)


def counts(spans: Spans, window: str, at: str, every: int) -> Value:
    """Return what the numbers of bad events and slices in `window` have to be; events count as if every minute."""
    minutes = round(durations.seconds(window) / 60)
    end = round(durations.seconds(at) / 60)
    moments = sum(
        _is_bad(spans, moment) for moment in range(0, end + 1, every) if end - minutes <= moment
    )
    each = {slo: most * (h.PER_MINUTE if slo in EVENTS else 1) for slo, most in SHARES.items()}
    return Value(
        at,
        f"round(autoheal:bad_events:{window}, 0.01)",
        {_slo(slo): n * moments for slo, n in each.items()},
    )


def left(spans: Spans, at: str, every: int) -> Value:
    """Return what has to be left of the budgets of 30 days."""
    part = share(spans, round(durations.seconds(at) / 60), 30 * 24 * 60, every)
    samples = {
        _slo(slo): _rounded(1 - part * most / BUDGETS[slo], 2) for slo, most in SHARES.items()
    }
    return Value(at, "round(autoheal:error_budget_remaining:ratio, 0.01)", samples)


def _slo(name: str) -> str:
    return f'{{slo="{name}"}}'


HOUR = 60
DAY = 24 * 60
SHORT: Spans = (
    (0, 60),
    (2 * HOUR, 5 * HOUR),
    (690, 700),
    (735, 740),
    (745, 755),
    (775, 780),
)
LONG: Spans = (
    (0, DAY),
    (2 * DAY, 2 * DAY + 300),
    (4 * DAY, 4 * DAY + 600),
    (6 * DAY, 6 * DAY + 240),
)
LONGEST: Spans = ((0, 3 * DAY), (15 * DAY, 16 * DAY), (30 * DAY, 32 * DAY))


def growing() -> Series:
    """Return four times the traffic from 20 minutes on: 1,000 good and 100 bad events a minute before."""
    good = counter((20, FOREVER, 4 * h.PER_MINUTE), usually=h.PER_MINUTE)
    bad = counter((20, FOREVER, 0.4 * h.PER_MINUTE), usually=0.1 * h.PER_MINUTE)
    found: Series = {}
    for slo in EVENTS:
        found |= events(slo, good, bad)
    return found


def rates(at: str, mean: float) -> list[Value]:
    """Return what has to be counted at `at`: `mean` times 1,000 good and 100 bad events a minute."""
    return [
        Value(
            at,
            f"round({name}, 0.001)",
            {_slo(slo): _rounded(mean * each / 60, 3) for slo in EVENTS},
        )
        for name, each in (
            ("autoheal:sli_total:rate5m", 1_100),
            ("autoheal:sli_bad:rate5m", 100),
        )
    ]


SUITES = (
    Suite(
        "values_rates",
        "1m",
        (
            Scenario(
                "traffic grows at 20 minutes",
                growing(),
                {},
                [*rates("20m", 1), *rates("23m", (2 + 3 * 4) / 5)],
            ),
        ),
    ),
    Suite(
        "values_hours",
        "5m",
        (
            Scenario(
                "bad moments within 13 hours",
                bad(SHORT),
                {},
                [
                    *ratios(SHORT, ("5m", "30m", "1h", "6h"), "13h", STEP),
                    burns(SHORT, "fast", ("5m", "1h"), "13h", STEP),
                    burns(SHORT, "slow", ("30m", "6h"), "13h", STEP),
                    counts(SHORT, "1h", "13h", STEP),
                    counts(SHORT, "6h", "13h", STEP),
                    Value(
                        "13h",
                        "sum(autoheal:slo_objective:ratio + autoheal:error_budget:ratio)",
                        {"{}": 7},
                    ),
                ],
            ),
        ),
    ),
    Suite(
        "values_days",
        "30m",
        (
            Scenario(
                "bad hours within 7 days",
                bad(LONG),
                {},
                [
                    *ratios(LONG, ("6h", "3d"), "7d", 30),
                    burns(LONG, "trickle", ("6h", "3d"), "7d", 30),
                    counts(LONG, "3d", "7d", 30),
                ],
            ),
        ),
        step="5m",
    ),
    Suite(
        "values_month",
        "4h",
        (
            Scenario(
                "bad days within 34",
                bad(LONGEST),
                {},
                [*ratios(LONGEST, ("30d",), "34d", 240), left(LONGEST, "34d", 240)],
            ),
        ),
        step="5m",
    ),
)
