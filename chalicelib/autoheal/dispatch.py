"""Sending a claimed action's command.

SSM's SendCommand has no idempotency token. So the mode is checked once more, the action
becomes DISPATCHING, and only then the command is sent, with the action's id in its comment.
An action that is found DISPATCHING later is looked up by that comment and never sent again.
"""

from datetime import timedelta
from functools import partial

from chalicelib.autoheal.actions import Action, State
from chalicelib.autoheal.audit import Kind
from chalicelib.autoheal.dependencies import Dependencies
from chalicelib.autoheal.ending import end_action
from chalicelib.autoheal.modes import Config, Mode
from chalicelib.autoheal.ports import Ending, SendRefused, SendUnsure
from chalicelib.autoheal.records import ChangeRecord, action_event, change_record
from chalicelib.telemetry import logs, names

TRIES = 3
CHAOS_RC = 1
FIRST_CHECK = timedelta(seconds=2)
"""When a command's status is read for the first time."""
MAX_DETAIL_LENGTH = 300


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
    """Change `before` to `after`; return whether the action was still as `before`.

    How long the write took is measured.
    """
    write = partial(
        dependencies.store.move,
        before,
        after,
        record,
        seconds=seconds,
        ending=ending,
        config_version=config_version,
    )
    moved = dependencies.times.timed(dependencies.clock, write)
    if moved:
        logs.info(
            names.AUTOHEAL_MOVED,
            action_id=str(after.id),
            state=str(after.state),
            alertname=after.alertname,
        )
    return moved


def finish(
    dependencies: Dependencies,
    action: Action,
    state: State,
    *,
    seconds: float,
    detail: str = "",
    rc: int | None = None,
    escalate: bool = False,
) -> Action:
    """End `action`; return it as it is now, which another process may have ended first."""
    ended, record, ending = end_action(
        dependencies, action, state, detail=detail, rc=rc, escalate=escalate
    )
    if move(dependencies, action, ended, record, seconds=seconds, ending=ending):
        return ended
    return dependencies.store.action(action.id) or action


def dispatch(
    dependencies: Dependencies, action: Action, config: Config, *, seconds: float
) -> Action:
    """Send the command of a PLANNED action, unless the mode forbids it.

    Return the action as it is afterwards.
    """
    if action.dry_run:
        return _cancel(dependencies, action, "dry run: nothing was sent", seconds)
    for _ in range(TRIES):
        if config.mode is not Mode.LIVE:
            return _cancel(dependencies, action, f"the mode is {config.mode}", seconds)
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
            if action.chaos:
                return _fail_on_purpose(dependencies, sending, seconds)
            return _send(dependencies, sending, seconds)
        present = dependencies.store.action(action.id)
        if present is None:
            return action
        if (present.state, present.version) != (action.state, action.version):
            return present
        config = dependencies.config()
    return action


def mark_sent(
    dependencies: Dependencies, sending: Action, command_id: str, *, seconds: float
) -> Action:
    """Record the command of a DISPATCHING action; return the action as it is then."""
    now = dependencies.clock.now()
    check = now + FIRST_CHECK
    running = sending.moved(State.RUNNING, now, command_id=command_id, next_check=check)
    record = change_record(action_event(running, Kind.ACTION_SENT, now, command_id=command_id))
    if move(dependencies, sending, running, record, seconds=seconds):
        return running
    return dependencies.store.action(sending.id) or sending


def _cancel(dependencies: Dependencies, action: Action, detail: str, seconds: float) -> Action:
    return finish(dependencies, action, State.CANCELLED, seconds=seconds, detail=detail)


def _fail_on_purpose(dependencies: Dependencies, sending: Action, seconds: float) -> Action:
    detail = "failed on purpose, nothing was sent"
    return finish(dependencies, sending, State.FAILED, seconds=seconds, detail=detail, rc=CHAOS_RC)


def _send(dependencies: Dependencies, sending: Action, seconds: float) -> Action:
    runbook = dependencies.runbooks.get(sending.alertname)
    if runbook is None:
        detail = "its runbook no longer exists"
        return finish(dependencies, sending, State.FAILED, seconds=seconds, detail=detail)
    try:
        command_id = dependencies.commander.send(
            sending,
            document=runbook.document,
            version=runbook.document_version,
            timeout_seconds=runbook.timeout_seconds,
        )
    except SendRefused as problem:
        detail = f"refused: {problem}"[:MAX_DETAIL_LENGTH]
        return finish(dependencies, sending, State.FAILED, seconds=seconds, detail=detail)
    except SendUnsure as problem:
        logs.error(
            names.AUTOHEAL_TROUBLE,
            action_id=str(sending.id),
            cause=f"unsure whether it was sent: {problem}",
        )
        return sending
    return mark_sent(dependencies, sending, command_id, seconds=seconds)
