"""The recorded values of every window, checked by counting its bad moments."""

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
    changes: Series = {}
    for slo in EVENTS:
        changes |= failing(slo, *((begin, end, SHARES[slo]) for begin, end in spans))
    moments = tuple((begin + STEP, end + STEP) for begin, end in spans)
    off = during(*((begin, end, 400) for begin, end in moments))
    return changes | {
        h.PROBE: during(*((begin, end, 0.5) for begin, end in moments), usually=1),
        h.EVENT: lambda at: now(at) - (off(at) or 0),
        h.PENDING: during(*((begin, end, 1) for begin, end in moments)),
        h.OLDEST: lambda at: now(at) - (off(at) or 0) / 4,
        h.PARKED: None,
    }


def share(spans: Spans, at: int, window: int, every: int) -> float:
    """Return the share of bad moments in a `window` up to `at`, both ends included (minutes)."""
    moments = [moment for moment in range(0, at + 1, every) if at - window <= moment]
    return sum(_is_bad(spans, moment) for moment in moments) / len(moments)


def _is_bad(spans: Spans, moment: int) -> bool:
    return any(begin < moment <= end for begin, end in spans)


def _rounded(value: float, digits: int) -> float:
    return round(value, digits)


def ratios(spans: Spans, windows: Iterable[str], at: str, every: int) -> list[Value]:
    """Return the expected error ratios at `at` of rules evaluated every `every` minutes."""
    values = []
    for window in windows:
        minutes = round(durations.seconds(window) / 60)
        end = round(durations.seconds(at) / 60)
        name = f"autoheal:sli_error:ratio_rate{window}"
        # The shortest window is that in which events are counted, and no mean.
        shares = {
            slo: share(spans, end, 0 if slo in EVENTS and window == "5m" else minutes, every)
            for slo in SHARES
        }
        samples = {_slo(slo): _rounded(shares[slo] * worst, 4) for slo, worst in SHARES.items()}
        values.append(Value(at, f"round({name}, 0.0001)", samples))
    return values


def burns(spans: Spans, name: str, windows: tuple[str, str], at: str, every: int) -> Value:
    """Return the expected burn rate: the smaller of two windows."""
    minutes = [round(durations.seconds(window) / 60) for window in windows]
    part = min(share(spans, round(durations.seconds(at) / 60), window, every) for window in minutes)
    samples = {_slo(slo): _rounded(part * worst / BUDGETS[slo], 2) for slo, worst in SHARES.items()}
    return Value(at, f"round(autoheal:burn_{name}, 0.01)", samples)


def counts(spans: Spans, window: str, at: str, every: int) -> Value:
    """Return the expected numbers of bad events and slices in `window`."""
    minutes = round(durations.seconds(window) / 60)
    end = round(durations.seconds(at) / 60)
    moments = sum(
        _is_bad(spans, moment) for moment in range(0, end + 1, every) if end - minutes <= moment
    )
    each = {slo: worst * (h.PER_MINUTE if slo in EVENTS else 1) for slo, worst in SHARES.items()}
    return Value(
        at,
        f"round(autoheal:bad_events:{window}, 0.01)",
        {_slo(slo): n * moments for slo, n in each.items()},
    )


def left(spans: Spans, at: str, every: int) -> Value:
    """Return what is expected to be left of the budgets of 30 days."""
    part = share(spans, round(durations.seconds(at) / 60), 30 * 24 * 60, every)
    samples = {
        _slo(slo): _rounded(1 - part * worst / BUDGETS[slo], 2) for slo, worst in SHARES.items()
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
    """Return 1,000 good and 100 bad events a minute, and four times as many from 20m on."""
    good = counter((20, FOREVER, 4 * h.PER_MINUTE), usually=h.PER_MINUTE)
    bad = counter((20, FOREVER, 0.4 * h.PER_MINUTE), usually=0.1 * h.PER_MINUTE)
    changes: Series = {}
    for slo in EVENTS:
        changes |= events(slo, good, bad)
    return changes


def rates(at: str, mean: float) -> list[Value]:
    """Return the expected rates at `at`: `mean` times 1,000 good and 100 bad events a minute."""
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
        "1h",
        (
            Scenario(
                "bad hours within 7 days",
                bad(LONG),
                {},
                [
                    *ratios(LONG, ("6h", "3d"), "7d", 60),
                    burns(LONG, "trickle", ("6h", "3d"), "7d", 60),
                    counts(LONG, "3d", "7d", 60),
                ],
            ),
        ),
        step="5m",
    ),
    Suite(
        "values_month",
        "8h",
        (
            Scenario(
                "bad days within 34",
                bad(LONGEST),
                {},
                [*ratios(LONGEST, ("30d",), "34d", 480), left(LONGEST, "34d", 480)],
            ),
        ),
        step="5m",
    ),
)
