"""Settling: each minute, every open action is checked until it has ended or time is up.

A command's status is eventually consistent, so a command that is not listed yet has not
failed. Whether the command of a DISPATCHING action was sent is not known: it is looked up by
its comment, and where it is not found the action ends UNKNOWN, people are notified, and
nothing is sent again.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import ClassVar

from chalicelib.autoheal.actions import FAILURES, OPEN, Action, FollowUp, State
from chalicelib.autoheal.alert import ALERTNAME, Alert
from chalicelib.autoheal.alert_handler import ALERT_OVER, AlertHandler
from chalicelib.autoheal.audit import AuditEvent, Kind
from chalicelib.autoheal.breakers import update_breakers
from chalicelib.autoheal.decide import Reason
from chalicelib.autoheal.dependencies import Dependencies
from chalicelib.autoheal.dispatch import dispatch, finish, mark_sent, move
from chalicelib.autoheal.ports import CommandState
from chalicelib.autoheal.records import ChangeRecord, action_event, change_record, count_event
from chalicelib.shared.errors import AetherLinkError, BadGateway
from chalicelib.telemetry import logs, names
from chalicelib.telemetry.increments import Increments

ACTIONS_AT_ONCE = 50
CLOCK_SKEW = timedelta(minutes=5)
"""How far our clock and the command service's may differ."""
TEMPORARY = {
    Reason.COOLDOWN,
    Reason.TARGET_LOCKED,
    Reason.BUDGET_SPENT,
    Reason.FLEET_BUSY,
    Reason.BREAKER_OPEN,
    Reason.MODE_CHANGED,
}
"""Reasons against a retry that may no longer hold a minute later."""
END_STATES = {
    CommandState.FAILED: State.FAILED,
    CommandState.NO_TARGETS: State.FAILED,
    CommandState.TIMED_OUT: State.TIMED_OUT,
    CommandState.CANCELLED: State.CANCELLED,
}


@dataclass
class Settled:
    """What one run did."""

    looked_at: int = 0
    moved: int = 0
    troubles: int = 0


class Settler:
    """Checks open actions, and retries or escalates those that failed."""

    def __init__(self, dependencies: Dependencies) -> None:
        """Work with `dependencies`."""
        self._dependencies = dependencies
        self._handler = AlertHandler(dependencies)
        self._firing: dict[str, list[Alert]] = {}
        self._until = 0.0

    def run(self, seconds: float) -> Settled:
        """Settle for `seconds`, or until no action is open. Raises `errors.Unavailable`."""
        clock = self._dependencies.clock
        settled = Settled()
        self._until = clock.monotonic() + seconds
        heartbeat = AuditEvent(clock.now(), Kind.HEARTBEAT)
        self._dependencies.record([], count_event(Increments(), heartbeat))
        update_breakers(self._dependencies)
        while True:
            next_check = self._pass(settled)
            self._dependencies.record([], Increments())
            if next_check is None:
                return settled
            until_due = (next_check - clock.now()).total_seconds()
            wait = max(self._dependencies.policy.poll_seconds, until_due)
            if clock.monotonic() + wait >= self._until:
                return settled
            clock.sleep(wait)

    def _pass(self, settled: Settled) -> datetime | None:
        """Check every due action once; return when the next one is due, if that is in time."""
        clock = self._dependencies.clock
        soonest = None
        self._firing = {}
        now = clock.now()
        horizon = now + timedelta(seconds=max(0.0, self._left()))
        for state in (*sorted(OPEN), *sorted(FAILURES), State.CANCELLED):
            for action in self._dependencies.store.due(state, horizon, limit=ACTIONS_AT_ONCE):
                if self._left() <= 0:
                    return None
                if action.next_check is not None and action.next_check > now:
                    soonest = min(soonest or action.next_check, action.next_check)
                    break
                self._check(action, settled)
                soonest = now
        return soonest

    def _check(self, action: Action, settled: Settled) -> None:
        settled.looked_at += 1
        step: Callable[[Settler, Action], Action]
        step = self._STEPS.get(action.state, Settler._follow_up)
        try:
            after = step(self, action)
            settled.moved += after.version != action.version
        except AetherLinkError as problem:
            settled.troubles += 1
            logs.error(
                names.AUTOHEAL_TROUBLE,
                action_id=str(action.id),
                code=problem.code,
                cause=problem.cause,
            )

    def _planned(self, action: Action) -> Action:
        config = self._dependencies.config()
        return dispatch(self._dependencies, action, config, seconds=self._left())

    def _awaiting(self, action: Action) -> Action:
        return finish(
            self._dependencies,
            action,
            State.CANCELLED,
            seconds=self._left(),
            detail="not approved in time",
            escalate=True,
        )

    def _dispatching(self, action: Action) -> Action:
        since = action.changed_at - CLOCK_SKEW
        command_id = self._dependencies.commander.find(action.comment, since)
        if command_id is not None:
            return mark_sent(self._dependencies, action, command_id, seconds=self._left())
        detail = "it is not known whether the command was sent: it is not sent again"
        return self._finish(action, State.UNKNOWN, detail)

    def _running(self, action: Action) -> Action:
        dependencies = self._dependencies
        runbook = dependencies.runbooks.get(action.alertname)
        status = dependencies.commander.status(action.command_id)
        if status.state is CommandState.SUCCEEDED:
            verify_seconds = runbook.verify_seconds if runbook else 0
            return self._start_verifying(action, verify_seconds, status.rc)
        if status.state in END_STATES:
            detail = status.detail or str(status.state)
            return self._finish(action, END_STATES[status.state], detail, rc=status.rc)
        timeout = runbook.timeout_seconds if runbook else 0
        allowed = timedelta(seconds=timeout + dependencies.policy.dispatch_grace_seconds)
        if self._now() < action.changed_at + allowed:
            return action
        if status.state is CommandState.MISSING:
            return self._finish(action, State.UNKNOWN, "its command cannot be found")
        dependencies.commander.cancel(action.command_id)
        return self._finish(action, State.TIMED_OUT, "still running after its timeout")

    def _start_verifying(self, action: Action, seconds: int, rc: int | None) -> Action:
        now = self._now()
        until = now + timedelta(seconds=seconds)
        verifying = action.moved(State.VERIFYING, now, verify_until=until, next_check=now, rc=rc)
        return self._write(action, verifying, ChangeRecord())

    def _verifying(self, action: Action) -> Action:
        dependencies = self._dependencies
        until = action.verify_until or action.changed_at
        history = dependencies.store.history(action.episode, action.target, self._now())
        if history.resolved:
            return self._finish(action, State.SUCCEEDED, ALERT_OVER, rc=action.rc)
        try:
            firing = self._alert_of(action) is not None
        except BadGateway:
            grace = timedelta(seconds=dependencies.policy.verify_grace_seconds)
            if self._now() < until + grace:
                return action
            detail = "Alertmanager cannot be asked whether the alert is over"
            return self._finish(action, State.UNKNOWN, detail)
        if not firing:
            return self._finish(action, State.SUCCEEDED, ALERT_OVER, rc=action.rc)
        if self._now() < until:
            return action
        return self._finish(action, State.INEFFECTIVE, "the alert still fires", rc=action.rc)

    def _follow_up(self, action: Action) -> Action:
        """Retry or escalate an ended action."""
        if action.follow_up is FollowUp.ESCALATE:
            return self._escalate(action)
        now = self._now()
        window = timedelta(seconds=self._dependencies.policy.retry_window_seconds)
        if now > action.changed_at + window:
            settled = action.settled(now)
            escalating = replace(settled, follow_up=FollowUp.ESCALATE, next_check=now)
            return self._write(action, escalating, change_record())
        alert = self._alert_of(action)
        if alert is not None:
            config = self._dependencies.config()
            outcome = self._handler.handle(alert, config, seconds=self._left())
            if outcome.action is None and outcome.reason in TEMPORARY:
                return self._retry_later(action)
        return self._write(action, action.settled(now), change_record())

    def _escalate(self, action: Action) -> Action:
        event = action_event(
            action,
            Kind.ESCALATED,
            self._now(),
            detail=action.detail,
            link=self._dependencies.policy.public_url,
        )
        subject = f"{action.alertname} on {action.target}: {action.state}"
        try:
            self._dependencies.escalation.notify(subject, event.to_dict())
        except AetherLinkError as problem:
            logs.error(
                names.AUTOHEAL_ESCALATION_FAILED,
                action_id=str(action.id),
                cause=problem.cause,
            )
            return self._retry_later(action)
        return self._write(action, action.settled(self._now()), change_record(event))

    def _retry_later(self, action: Action) -> Action:
        retry = timedelta(seconds=self._dependencies.policy.retry_seconds)
        check = self._now() + retry
        waiting = replace(action, version=action.version + 1, next_check=check)
        return self._write(action, waiting, change_record())

    def _write(self, before: Action, after: Action, record: ChangeRecord) -> Action:
        """Return `after` if it could be written, else `before`."""
        if move(self._dependencies, before, after, record, seconds=self._left()):
            return after
        return before

    def _finish(
        self, action: Action, state: State, detail: str, *, rc: int | None = None
    ) -> Action:
        seconds = self._left()
        return finish(self._dependencies, action, state, seconds=seconds, detail=detail, rc=rc)

    def _alert_of(self, action: Action) -> Alert | None:
        """Return the alert that `action` is to heal, if it still fires."""
        name = action.alertname
        if name not in self._firing:
            self._firing[name] = self._dependencies.alerts.alerts({ALERTNAME: name})
        alerts = [alert for alert in self._firing[name] if alert.episode == action.episode]
        return alerts[0] if alerts else None

    def _now(self) -> datetime:
        return self._dependencies.clock.now()

    def _left(self) -> float:
        return self._until - self._dependencies.clock.monotonic()

    _STEPS: ClassVar = {
        State.PLANNED: _planned,
        State.AWAITING_APPROVAL: _awaiting,
        State.DISPATCHING: _dispatching,
        State.RUNNING: _running,
        State.VERIFYING: _verifying,
    }
