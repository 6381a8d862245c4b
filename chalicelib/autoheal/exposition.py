"""What is published: the ledger's totals, every series there from the start, and what is computed when asked."""

from collections.abc import Mapping

from chalicelib import names
from chalicelib.autoheal.actions import Result
from chalicelib.autoheal.audit import Kind
from chalicelib.autoheal.ledger import AUTOHEAL, CRM, Pusher, Series, render
from chalicelib.autoheal.modes import Mode
from chalicelib.autoheal.policy import Parts

COUNTED = (Result.EXECUTED, Result.FAILED, Result.DRY_RUN, Result.COOLDOWN_SKIP, Result.ERROR, Result.CHAOS)
JOBS = (AUTOHEAL, CRM)


def series(parts: Parts, stage: str) -> Mapping[Series, float]:
    """Return every series: a counter that is born at 1 would show no increase, so all start at 0."""
    found = _born()
    for alertname in parts.runbooks:
        found[Series(names.AUTOHEAL_ACTION_FAILURES, (("alertname", alertname),))] = 0.0
        found[Series(names.AUTOHEAL_COOLDOWN, (("alertname", alertname),))] = 0.0
        for result in COUNTED:
            found[Series(names.AUTOHEAL_ACTIONS, (("alertname", alertname), ("result", str(result))))] = 0.0
    now = parts.clock.now().timestamp()
    for one, value in parts.ledger.totals().items():
        found[one] = max(0.0, round(value - now, 3)) if one.metric == names.AUTOHEAL_COOLDOWN else value
    enabled = parts.config().mode is not Mode.OFF
    found[Series(names.AUTOHEAL_ENABLED, (("env", stage),))] = float(enabled)
    return found


def _born() -> dict[Series, float]:
    found = {Series(names.AUTOHEAL_EVENTS, (("kind", str(kind)),)): 0.0 for kind in Kind}
    found[Series(names.AUTOHEAL_AUDIT_WRITE, (), "count")] = 0.0
    return found


def publish(parts: Parts, pusher: Pusher, stage: str) -> dict[str, int]:
    """Put the whole set to the pushgateway, job by job; return how many lines each has. Raises `Unavailable`."""
    found, lines = series(parts, stage), {}
    for job in JOBS:
        text = render(found, job)
        if text.strip():
            pusher.put(job, text)
            lines[job] = text.count("\n")
    return lines
