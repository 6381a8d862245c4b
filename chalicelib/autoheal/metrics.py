"""The series that are published: the stored totals, and what is computed at that moment."""

from collections.abc import Iterable

from chalicelib.autoheal.actions import Result
from chalicelib.autoheal.audit import Kind
from chalicelib.autoheal.dependencies import Dependencies
from chalicelib.autoheal.modes import Mode
from chalicelib.telemetry import names
from chalicelib.telemetry.series import Series

COUNTED_RESULTS = (
    Result.EXECUTED,
    Result.FAILED,
    Result.DRY_RUN,
    Result.COOLDOWN_SKIP,
    Result.ERROR,
    Result.CHAOS,
)
OUTBOX_COUNTERS = (
    names.OUTBOX_PUBLISHED,
    names.OUTBOX_REFUSED,
    names.OUTBOX_PARKED,
    names.OUTBOX_LEASE_MISSES,
)
SERVER_ERRORS = ("500", "503")
"""Status codes that are published from the start; others appear when they first occur."""


def series(
    dependencies: Dependencies, stage: str, routes: Iterable[tuple[str, str]] = ()
) -> dict[Series, float]:
    """Return every series of the healer and of the API's `routes`: method and path.

    A counter that first appears with the value 1 shows no increase, so all start at 0.
    """
    values = _zeros() | _zeros_of_routes(routes)
    for alertname in dependencies.runbooks:
        values |= _zeros_of_runbook(alertname)
    now = dependencies.clock.now().timestamp()
    for key, value in dependencies.totals.totals().items():
        values[key] = value
        if key.metric == names.AUTOHEAL_COOLDOWN:
            values[key] = max(0.0, round(value - now, 3))
    enabled = dependencies.config().mode is not Mode.OFF
    values[Series(names.AUTOHEAL_ENABLED, (("env", stage),))] = float(enabled)
    return values


def _zeros() -> dict[Series, float]:
    values = {Series(names.AUTOHEAL_EVENTS, (("kind", str(kind)),)): 0.0 for kind in Kind}
    values[Series(names.AUTOHEAL_AUDIT_WRITE, (), "count")] = 0.0
    return values | {Series(name): 0.0 for name in OUTBOX_COUNTERS}


def _zeros_of_runbook(alertname: str) -> dict[Series, float]:
    alert = ("alertname", alertname)
    keys = [
        Series(names.AUTOHEAL_ACTION_FAILURES, (alert,)),
        Series(names.AUTOHEAL_COOLDOWN, (alert,)),
    ]
    keys += [
        Series(names.AUTOHEAL_ACTIONS, (alert, ("result", str(result))))
        for result in COUNTED_RESULTS
    ]
    return dict.fromkeys(keys, 0.0)


def _zeros_of_routes(routes: Iterable[tuple[str, str]]) -> dict[Series, float]:
    values = {
        Series(names.CRM_REQUESTS, (("code", code), ("method", method), ("route", route))): 0.0
        for method, route in routes
        for code in SERVER_ERRORS
    }
    if values:
        for code in ("200", *SERVER_ERRORS):
            values[Series(names.CRM_REQUEST_SECONDS, (("code", code),), "count")] = 0.0
    return values
