"""The end of an action: its final state, what is recorded of it, and what it leaves behind."""

from datetime import datetime

from chalicelib.autoheal.actions import FAILURES, NOT_YET_SENT, Action, FollowUp, Result, State
from chalicelib.autoheal.audit import Kind
from chalicelib.autoheal.dependencies import Dependencies
from chalicelib.autoheal.ports import Ending
from chalicelib.autoheal.records import ChangeRecord, action_event, change_record
from chalicelib.telemetry import names
from chalicelib.telemetry.increments import Increments


def end_action(
    dependencies: Dependencies,
    action: Action,
    state: State,
    *,
    detail: str,
    rc: int | None = None,
    escalate: bool = False,
) -> tuple[Action, ChangeRecord, Ending]:
    """Return `action` ended in `state`, the record of that, and what it leaves behind.

    Nothing is written yet. With `escalate`, people are notified whatever the state is.
    """
    now = dependencies.clock.now()
    runbook = dependencies.runbooks.get(action.alertname)
    ran = action.state not in NOT_YET_SENT or action.dry_run
    cooldown_until = now + dependencies.policy.cooldown(runbook) if ran else None
    can_retry = runbook is not None and action.attempt < runbook.attempts
    follow_up = FollowUp.NOTHING
    next_check = None
    if escalate or state is State.UNKNOWN or (state in FAILURES and not can_retry):
        follow_up = FollowUp.ESCALATE
        next_check = now
    elif state in FAILURES:
        follow_up = FollowUp.RETRY
        next_check = cooldown_until
    ended = action.moved(
        state, now, detail=detail, rc=rc, follow_up=follow_up, next_check=next_check
    )
    code = {"rc": rc} if rc is not None else {}
    record = change_record(action_event(ended, _kind(ended), now, detail=detail, **code))
    _count_end(record.increments, ended, now, cooldown_until)
    ending = Ending(cooldown_until, _healthy(ended), spent=state is State.UNKNOWN)
    return ended, record, ending


def _kind(ended: Action) -> Kind:
    if ended.result is None:
        return Kind.ACTION_CANCELLED
    if ended.result is Result.DRY_RUN:
        return Kind.ACTION_DRY_RUN
    return Kind.ACTION_OK if ended.state is State.SUCCEEDED else Kind.ACTION_FAIL


def _healthy(ended: Action) -> bool | None:
    """Return what the breaker learns from this end; None where it learns nothing."""
    if ended.chaos or ended.dry_run or ended.state is State.CANCELLED:
        return None
    return ended.state is State.SUCCEEDED


def _count_end(
    increments: Increments, ended: Action, now: datetime, cooldown_until: datetime | None
) -> None:
    alertname = ended.alertname
    if ended.result is not None:
        result = str(ended.result)
        increments.add(names.AUTOHEAL_ACTIONS, alertname=alertname, result=result)
        increments.at(names.AUTOHEAL_ACTION_LAST, now, alertname=alertname)
    if ended.state in FAILURES:
        increments.add(names.AUTOHEAL_ACTION_FAILURES, alertname=alertname)
    if cooldown_until is not None:
        increments.at(names.AUTOHEAL_COOLDOWN, cooldown_until, alertname=alertname)
