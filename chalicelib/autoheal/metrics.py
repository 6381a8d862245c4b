"""What is published: the ledger's totals, every series there from the start, and what is computed when asked."""

from collections.abc import Iterable

from chalicelib.autoheal.actions import Result
from chalicelib.autoheal.audit import Kind
from chalicelib.autoheal.dependencies import Dependencies
from chalicelib.autoheal.modes import Mode
from chalicelib.telemetry import names
from chalicelib.telemetry.series import Series

COUNTED = (
    Result.EXECUTED,
    Result.FAILED,
    Result.DRY_RUN,
    Result.COOLDOWN_SKIP,
    Result.ERROR,
    Result.CHAOS,
)


ZERO = (
    names.OUTBOX_PUBLISHED,
    names.OUTBOX_REFUSED,
    names.OUTBOX_PARKED,
    names.OUTBOX_LEASE_MISSES,
)


BAD = ("500", "503")
"""How our side fails; other codes are born when they are first seen."""


def series(
    dependencies: Dependencies, stage: str, routes: Iterable[tuple[str, str]] = ()
) -> dict[Series, float]:
    """Return every series of the healer and of the API's `routes`: method and path.

    A counter that is born at 1 would show no increase, so all start at 0.
    """
    found = _born() | _born_with(routes)
    for alertname in dependencies.runbooks:
        found[Series(names.AUTOHEAL_ACTION_FAILURES, (("alertname", alertname),))] = 0.0
        found[Series(names.AUTOHEAL_COOLDOWN, (("alertname", alertname),))] = 0.0
        for result in COUNTED:
            found[
                Series(
                    names.AUTOHEAL_ACTIONS,
                    (("alertname", alertname), ("result", str(result))),
                )
            ] = 0.0
    now = dependencies.clock.now().timestamp()
    for one, value in dependencies.totals.totals().items():
        found[one] = (
            max(0.0, round(value - now, 3)) if one.metric == names.AUTOHEAL_COOLDOWN else value
        )
    enabled = dependencies.config().mode is not Mode.OFF
    found[Series(names.AUTOHEAL_ENABLED, (("env", stage),))] = float(enabled)
    return found


def _born() -> dict[Series, float]:
    found = {Series(names.AUTOHEAL_EVENTS, (("kind", str(kind)),)): 0.0 for kind in Kind}
    found[Series(names.AUTOHEAL_AUDIT_WRITE, (), "count")] = 0.0
    found |= {Series(name): 0.0 for name in ZERO}
    return found


def _born_with(routes: Iterable[tuple[str, str]]) -> dict[Series, float]:
    found = {
        Series(names.CRM_REQUESTS, (("code", code), ("method", method), ("route", route))): 0.0
        for method, route in routes
        for code in BAD
    }
    for code in ("200", *BAD) if found else ():
        found[Series(names.CRM_REQUEST_SECONDS, (("code", code),), "count")] = 0.0
    return found
