"""Sending what was claimed: the switch is looked at once more, then the state says so, and only then it is sent.

SSM's SendCommand knows no idempotency token. So an action is DISPATCHING before the call,
its command carries the action's id in the comment, and whoever finds it DISPATCHING later
looks for that command and sends nothing.
"""

from datetime import timedelta
from functools import partial

from chalicelib.autoheal.actions import Action, State
from chalicelib.autoheal.audit import Kind
from chalicelib.autoheal.dependencies import Dependencies
from chalicelib.autoheal.modes import Config, Mode
from chalicelib.autoheal.outcome import end
from chalicelib.autoheal.ports import ChangeRecord, Ending, SendRefused, SendUnsure
from chalicelib.autoheal.records import change_record, event_of
from chalicelib.telemetry import logs, names

TRIES = 3
CHAOS_RC = 1
FIRST_LOOK = timedelta(seconds=2)


def move(
    parts: Dependencies,
    before: Action,
    after: Action,
    what: ChangeRecord,
    *,
    seconds: float,
    ending: Ending | None = None,
    config_version: int | None = None,
) -> bool:
    """Take an edge; return whether the action was still as `before`. Its audit write is timed."""
    write = partial(
        parts.store.move,
        before,
        after,
        what,
        seconds=seconds,
        ending=ending,
        config_version=config_version,
    )
    taken = parts.times.timed(parts.clock, write)
    if taken:
        logs.info(
            names.AUTOHEAL_MOVED,
            action_id=str(after.id),
            state=str(after.state),
            alertname=after.alertname,
        )
    return taken


def finish(
    parts: Dependencies,
    action: Action,
    to: State,
    *,
    seconds: float,
    detail: str = "",
    rc: int | None = None,
    escalate: bool = False,
) -> Action:
    """End `action`; return it as it is now, ended by somebody else perhaps."""
    ended, what, ending = end(parts, action, to, detail=detail, rc=rc, escalate=escalate)
    if move(parts, action, ended, what, seconds=seconds, ending=ending):
        return ended
    return parts.store.action(action.id) or action


def dispatch(parts: Dependencies, action: Action, config: Config, *, seconds: float) -> Action:
    """Send what is PLANNED, unless the switch was turned meanwhile; return the action as it is then."""
    if action.dry_run:
        return finish(
            parts,
            action,
            State.CANCELLED,
            seconds=seconds,
            detail="dry run: nothing was sent",
        )
    for _ in range(TRIES):
        if config.mode is not Mode.LIVE:
            return finish(
                parts,
                action,
                State.CANCELLED,
                seconds=seconds,
                detail=f"the mode is {config.mode}",
            )
        now = parts.clock.now()
        grace = timedelta(seconds=parts.policy.dispatch_grace_seconds)
        sending = action.moved(State.DISPATCHING, now, next_check=now + grace)
        if move(
            parts,
            action,
            sending,
            ChangeRecord(),
            seconds=seconds,
            config_version=config.version,
        ):
            return (
                _fail_on_purpose(parts, sending, seconds)
                if action.chaos
                else _send(parts, sending, seconds)
            )
        found = parts.store.action(action.id)
        if found is None or (found.state, found.version) != (action.state, action.version):
            return found or action
        config = parts.config()
    return action


def _fail_on_purpose(parts: Dependencies, sending: Action, seconds: float) -> Action:
    detail = "failed on purpose, nothing was sent"
    return finish(parts, sending, State.FAILED, seconds=seconds, detail=detail, rc=CHAOS_RC)


def _send(parts: Dependencies, sending: Action, seconds: float) -> Action:
    runbook = parts.runbooks.get(sending.alertname)
    if runbook is None:
        return finish(parts, sending, State.FAILED, seconds=seconds, detail="its runbook is gone")
    try:
        command_id = parts.commander.send(
            sending,
            document=runbook.document,
            version=runbook.document_version,
            timeout_seconds=runbook.timeout_seconds,
        )
    except SendRefused as problem:
        return finish(
            parts,
            sending,
            State.FAILED,
            seconds=seconds,
            detail=f"refused: {problem}"[:300],
        )
    except SendUnsure as problem:
        logs.error(
            names.AUTOHEAL_TROUBLE,
            action_id=str(sending.id),
            cause=f"unsure whether it was sent: {problem}",
        )
        return sending
    return mark_sent(parts, sending, command_id, seconds=seconds)


def mark_sent(parts: Dependencies, sending: Action, command_id: str, *, seconds: float) -> Action:
    """Note the command of a DISPATCHING action."""
    now = parts.clock.now()
    running = sending.moved(State.RUNNING, now, command_id=command_id, next_check=now + FIRST_LOOK)
    what = change_record(event_of(running, Kind.ACTION_SENT, now, command_id=command_id))
    if move(parts, sending, running, what, seconds=seconds):
        return running
    return parts.store.action(sending.id) or sending
