"""What tunes the healer, and what its use cases share."""

from datetime import datetime

from chalicelib.autoheal.actions import FAILURES, Action, FollowUp, Result, State
from chalicelib.autoheal.audit import Kind
from chalicelib.autoheal.dependencies import Dependencies
from chalicelib.autoheal.ports import ChangeRecord, Ending
from chalicelib.autoheal.records import action_event, change_record
from chalicelib.telemetry import names
from chalicelib.telemetry.increments import Increments


def end(
    dependencies: Dependencies,
    action: Action,
    to: State,
    *,
    detail: str,
    rc: int | None = None,
    escalate: bool = False,
) -> tuple[Action, ChangeRecord, Ending]:
    """Return `action` at its end, what is recorded of it, and what it leaves behind; `escalate` tells people."""
    now = dependencies.clock.now()
    runbook = dependencies.runbooks.get(action.alertname)
    cooldown = dependencies.policy.cooldown(runbook)
    sent = action.state not in (State.PLANNED, State.AWAITING_APPROVAL)
    cools = now + cooldown if sent or action.dry_run else None
    more = runbook is not None and action.attempt < runbook.attempts
    follow = FollowUp.NOTHING
    check = None
    if escalate or to is State.UNKNOWN or (to in FAILURES and not more):
        follow = FollowUp.ESCALATE
        check = now
    elif to in FAILURES:
        follow = FollowUp.RETRY
        check = cools
    ended = action.moved(to, now, detail=detail, rc=rc, follow_up=follow, next_check=check)
    kind = Kind.ACTION_CANCELLED
    if ended.result is Result.DRY_RUN:
        kind = Kind.ACTION_DRY_RUN
    elif ended.result is not None:
        kind = Kind.ACTION_OK if to is State.SUCCEEDED else Kind.ACTION_FAIL
    code = {"rc": rc} if rc is not None else {}
    made = change_record(action_event(ended, kind, now, detail=detail, **code))
    _count_end(made.increments, ended, now, cools)
    healthy = (
        None if action.chaos or action.dry_run or to is State.CANCELLED else to is State.SUCCEEDED
    )
    return ended, made, Ending(cools, healthy, spent=to is State.UNKNOWN)


def _count_end(
    increments: Increments, ended: Action, now: datetime, cools: datetime | None
) -> None:
    if ended.result is not None:
        increments.add(names.AUTOHEAL_ACTIONS, alertname=ended.alertname, result=str(ended.result))
        increments.at(names.AUTOHEAL_ACTION_LAST, now, alertname=ended.alertname)
    if ended.state in FAILURES:
        increments.add(names.AUTOHEAL_ACTION_FAILURES, alertname=ended.alertname)
    if cools is not None:
        increments.at(names.AUTOHEAL_COOLDOWN, cools, alertname=ended.alertname)
