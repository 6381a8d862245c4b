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
from chalicelib.autoheal.records import action_event, change_record
from chalicelib.telemetry import logs, names

TRIES = 3
CHAOS_RC = 1
FIRST_LOOK = timedelta(seconds=2)


def move(
    dependencies: Dependencies,
    before: Action,
    after: Action,
    record: ChangeRecord,
    *,
    seconds: float,
    ending: Ending | None = None,
    config_version: int | None = None,
) -> bool:
    """Take an edge; return whether the action was still as `before`. Its audit write is timed."""
    write = partial(
        dependencies.store.move,
        before,
        after,
        record,
        seconds=seconds,
        ending=ending,
        config_version=config_version,
    )
    taken = dependencies.times.timed(dependencies.clock, write)
    if taken:
        logs.info(
            names.AUTOHEAL_MOVED,
            action_id=str(after.id),
            state=str(after.state),
            alertname=after.alertname,
        )
    return taken


def finish(
    dependencies: Dependencies,
    action: Action,
    to: State,
    *,
    seconds: float,
    detail: str = "",
    rc: int | None = None,
    escalate: bool = False,
) -> Action:
    """End `action`; return it as it is now, ended by somebody else perhaps."""
    ended, record, ending = end(dependencies, action, to, detail=detail, rc=rc, escalate=escalate)
    if move(dependencies, action, ended, record, seconds=seconds, ending=ending):
        return ended
    return dependencies.store.action(action.id) or action


def dispatch(
    dependencies: Dependencies, action: Action, config: Config, *, seconds: float
) -> Action:
    """Send what is PLANNED, unless the switch was turned meanwhile; return the action as it is then."""
    if action.dry_run:
        return finish(
            dependencies,
            action,
            State.CANCELLED,
            seconds=seconds,
            detail="dry run: nothing was sent",
        )
    for _ in range(TRIES):
        if config.mode is not Mode.LIVE:
            return finish(
                dependencies,
                action,
                State.CANCELLED,
                seconds=seconds,
                detail=f"the mode is {config.mode}",
            )
        now = dependencies.clock.now()
        grace = timedelta(seconds=dependencies.policy.dispatch_grace_seconds)
        sending = action.moved(State.DISPATCHING, now, next_check=now + grace)
        if move(
            dependencies,
            action,
            sending,
            ChangeRecord(),
            seconds=seconds,
            config_version=config.version,
        ):
            return (
                _fail_on_purpose(dependencies, sending, seconds)
                if action.chaos
                else _send(dependencies, sending, seconds)
            )
        found = dependencies.store.action(action.id)
        if found is None or (found.state, found.version) != (action.state, action.version):
            return found or action
        config = dependencies.config()
    return action


def _fail_on_purpose(dependencies: Dependencies, sending: Action, seconds: float) -> Action:
    detail = "failed on purpose, nothing was sent"
    return finish(dependencies, sending, State.FAILED, seconds=seconds, detail=detail, rc=CHAOS_RC)


def _send(dependencies: Dependencies, sending: Action, seconds: float) -> Action:
    runbook = dependencies.runbooks.get(sending.alertname)
    if runbook is None:
        return finish(
            dependencies, sending, State.FAILED, seconds=seconds, detail="its runbook is gone"
        )
    try:
        command_id = dependencies.commander.send(
            sending,
            document=runbook.document,
            version=runbook.document_version,
            timeout_seconds=runbook.timeout_seconds,
        )
    except SendRefused as problem:
        return finish(
            dependencies,
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
    return mark_sent(dependencies, sending, command_id, seconds=seconds)


def mark_sent(
    dependencies: Dependencies, sending: Action, command_id: str, *, seconds: float
) -> Action:
    """Note the command of a DISPATCHING action."""
    now = dependencies.clock.now()
    running = sending.moved(State.RUNNING, now, command_id=command_id, next_check=now + FIRST_LOOK)
    record = change_record(action_event(running, Kind.ACTION_SENT, now, command_id=command_id))
    if move(dependencies, sending, running, record, seconds=seconds):
        return running
    return dependencies.store.action(sending.id) or sending
