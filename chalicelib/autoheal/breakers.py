"""Breakers: a runbook that failed several times in a row pauses, and then gets one trial."""

from dataclasses import replace
from datetime import timedelta

from chalicelib.autoheal.audit import AuditEvent, Kind
from chalicelib.autoheal.dependencies import Dependencies
from chalicelib.autoheal.modes import Breaker, BreakerState
from chalicelib.autoheal.records import change_record


def update_breakers(dependencies: Dependencies) -> None:
    """Open the breakers that have reached their limit, and half-open those whose time is over."""
    now = dependencies.clock.now()
    for before in dependencies.store.breakers(dependencies.runbooks).values():
        after = _next(dependencies, before)
        if after is not None:
            details = {
                "runbook": after.runbook,
                "state": str(after.state),
                "failures": before.failures,
            }
            event = AuditEvent(now, Kind.BREAKER_CHANGED, after.runbook, details)
            dependencies.store.change_breaker(before, after, change_record(event))


def _next(dependencies: Dependencies, breaker: Breaker) -> Breaker | None:
    now = dependencies.clock.now()
    limit = dependencies.policy.breaker_failures
    if breaker.state is not BreakerState.OPEN and breaker.failures >= limit:
        until = now + timedelta(seconds=dependencies.policy.breaker_open_seconds)
        return replace(breaker, state=BreakerState.OPEN, open_until=until, trial="")
    if breaker.state is BreakerState.OPEN and (
        breaker.open_until is None or breaker.open_until <= now
    ):
        return replace(
            breaker,
            state=BreakerState.HALF_OPEN,
            open_until=None,
            failures=limit - 1,
            trial="",
        )
    return None
