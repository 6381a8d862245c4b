"""Ways in which things go wrong, as changes to a healthy system."""

from tests.slo.scenarios import healthy as h
from tests.slo.scenarios.series import Series, Values, counter, during, stalled

Phase = tuple[float, float, float]
FOREVER = 10**7
BUDGETS = {
    "actions": 0.005,
    "audit_latency": 0.05,
    "api_success": 0.005,
    "api_latency": 0.05,
}
PAGES = (
    "AutohealFailureRateBurnFast/actions",
    "AutohealErrorBudgetBurnFast/audit_latency",
    "ApiErrorBudgetBurn/api_success",
    "ApiErrorBudgetBurn/api_latency",
)
TICKETS = tuple(f"AutohealErrorBudgetBurnSlow/{slo}" for slo in BUDGETS)
BREACH = "AutohealFailureRateSLOBreach/actions"
SPIKE = "AutohealActionFailureSpike/actions"
SLOW = "AutohealAuditWriteLatencySLOBreach/audit_latency"


def plus(*terms: Values) -> Values:
    """Return the sum of series."""
    return lambda at: sum(term(at) or 0 for term in terms)


def events(slo: str, good: Values, bad: Values) -> Series:
    """Return the counters of an objective with these good and bad events."""
    every = plus(good, bad)
    counters: dict[str, Series] = {
        "actions": {h.FAILURES: bad, h.CHAOS: bad, h.EXECUTED: good},
        "audit_latency": {h.AUDIT: every, h.AUDIT_HALF: every, h.AUDIT_QUICK: good},
        "api_success": {h.REQUESTS: good, h.CRASHED: bad, h.REFUSED: None},
        "api_latency": {h.TIMED: every, h.TIMED_SECOND: every, h.TIMED_QUICK: good},
    }
    return counters[slo]


def failing(slo: str, *phases: Phase) -> Series:
    """Return events of which a share fails in phases: after a minute up to another."""
    good = counter(
        *((begin, end, h.PER_MINUTE * (1 - share)) for begin, end, share in phases),
        usually=h.PER_MINUTE,
    )
    return events(
        slo,
        good,
        counter(*((begin, end, h.PER_MINUTE * share) for begin, end, share in phases)),
    )


def burning(factor: float, begin: float = 0, end: float = FOREVER) -> Series:
    """Return all budgets of events burning at `factor` from one minute to another."""
    changes: Series = {}
    for slo, budget in BUDGETS.items():
        changes |= failing(slo, (begin, end, factor * budget))
    return changes


def burst(bad: float, at: float, *, busy: float = 0, more: float = 0) -> Series:
    """Return `bad` failures at minute `at`, then `more` a minute; traffic ends at minute `busy`."""
    changes: Series = {}
    for slo in BUDGETS:
        before = counter((0, busy, h.PER_MINUTE)) if busy else during()
        failures = plus(during((at, FOREVER, bad)), counter((at, FOREVER, more)))
        changes |= events(slo, plus(before, during((at, FOREVER, 0.2))), failures)
    return changes


def waiting(begin: float, end: float = FOREVER) -> Series:
    """Return an outbox whose oldest event waits from minute `begin` to minute `end`."""
    return {h.PENDING: during((begin, end, 7)), h.OLDEST: stalled(begin, end)}
