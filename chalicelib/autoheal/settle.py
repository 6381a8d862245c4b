"""Bringing what was begun to its end: each minute, every open action is looked at until time is up.

A command's status is eventually consistent, so one that is not to be seen yet is no
failure. An action that is DISPATCHING was sent or was not: it is looked up by its mark, and
where nothing is found it ends UNKNOWN, people are told, and nothing is sent again.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import ClassVar

from chalicelib.autoheal.actions import FAILURES, OPEN, Action, FollowUp, State
from chalicelib.autoheal.alert import Alert
from chalicelib.autoheal.audit import AuditEvent, Kind
from chalicelib.autoheal.breakers import update_breakers
from chalicelib.autoheal.decide import Reason
from chalicelib.autoheal.dependencies import Dependencies
from chalicelib.autoheal.dispatch import dispatch, finish, mark_sent, move
from chalicelib.autoheal.heal import Healer
from chalicelib.autoheal.ports import ChangeRecord, CommandState
from chalicelib.autoheal.records import action_event, change_record, count_event
from chalicelib.shared.errors import AetherLinkError, BadGateway
from chalicelib.telemetry import logs, names
from chalicelib.telemetry.increments import Increments

AT_ONCE = 50
SAME_CLOCKS = timedelta(minutes=5)
"""How far our clock and the command service's may lie apart."""
FOR_NOW = {
    Reason.COOLDOWN, Reason.TARGET_LOCKED, Reason.BUDGET_SPENT, Reason.FLEET_BUSY, Reason.BREAKER_OPEN,
    Reason.MODE_CHANGED,
}  # fmt: skip
ENDED_BY = {
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
    """Looks after what is under way, and what is still owed after an end."""

    def __init__(self, dependencies: Dependencies) -> None:
        """Work with `dependencies`."""
        self._dependencies = dependencies
        self._healer = Healer(dependencies)
        self._firing: dict[str, list[Alert]] = {}
        self._until = 0.0

    def run(self, seconds: float) -> Settled:
        """Settle for `seconds`, or until nothing is under way. Raises `errors.Unavailable`."""
        clock = self._dependencies.clock
        done = Settled()
        self._until = clock.monotonic() + seconds
        beat = AuditEvent(clock.now(), Kind.HEARTBEAT)
        self._dependencies.record([], count_event(Increments(), beat))
        update_breakers(self._dependencies)
        while True:
            soonest = self._pass(done)
            self._dependencies.record([], Increments())
            wait = (
                max(self._dependencies.policy.poll_seconds, (soonest - clock.now()).total_seconds())
                if soonest
                else None
            )
            if wait is None or clock.monotonic() + wait >= self._until:
                return done
            clock.sleep(wait)

    def _pass(self, done: Settled) -> datetime | None:
        """Look at everything that is due once; return when the next one is, if that is before the end."""
        clock = self._dependencies.clock
        soonest = None
        self._firing = {}
        now = clock.now()
        horizon = now + timedelta(seconds=max(0.0, self._left()))
        for state in (*sorted(OPEN), *sorted(FAILURES), State.CANCELLED):
            for action in self._dependencies.store.due(state, horizon, limit=AT_ONCE):
                if self._left() <= 0:
                    return None
                if action.next_check is not None and action.next_check > now:
                    soonest = min(soonest or action.next_check, action.next_check)
                    break
                self._one(action, done)
                soonest = now
        return soonest

    def _one(self, action: Action, done: Settled) -> None:
        done.looked_at += 1
        step: Callable[[Action], Action] = self._STEPS.get(action.state, Settler._owed).__get__(
            self
        )
        try:
            after = step(action)
            done.moved += after.version != action.version
        except AetherLinkError as problem:
            done.troubles += 1
            logs.error(
                names.AUTOHEAL_TROUBLE,
                action_id=str(action.id),
                code=problem.code,
                cause=problem.cause,
            )

    def _planned(self, action: Action) -> Action:
        return dispatch(
            self._dependencies, action, self._dependencies.config(), seconds=self._left()
        )

    def _awaiting(self, action: Action) -> Action:
        detail = "nobody approved it in time"
        seconds = self._left()
        return finish(
            self._dependencies,
            action,
            State.CANCELLED,
            seconds=seconds,
            detail=detail,
            escalate=True,
        )

    def _dispatching(self, action: Action) -> Action:
        command_id = self._dependencies.commander.find(
            action.comment, action.changed_at - SAME_CLOCKS
        )
        if command_id is not None:
            return mark_sent(self._dependencies, action, command_id, seconds=self._left())
        return self._finish(
            action, State.UNKNOWN, "nobody knows whether it was sent: it is not sent again"
        )

    def _running(self, action: Action) -> Action:
        dependencies = self._dependencies
        runbook = self._dependencies.runbooks.get(action.alertname)
        status = dependencies.commander.status(action.command_id)
        if status.state is CommandState.SUCCEEDED:
            window = timedelta(seconds=runbook.verify_seconds if runbook else 0)
            now = self._now()
            changes = {"verify_until": now + window, "next_check": now, "rc": status.rc}
            verifying = action.moved(State.VERIFYING, now, **changes)
            return (
                verifying
                if move(dependencies, action, verifying, ChangeRecord(), seconds=self._left())
                else action
            )
        if status.state in ENDED_BY:
            detail = status.detail or str(status.state)
            return self._finish(action, ENDED_BY[status.state], detail, rc=status.rc)
        allowed = timedelta(
            seconds=(runbook.timeout_seconds if runbook else 0)
            + dependencies.policy.dispatch_grace_seconds
        )
        if self._now() < action.changed_at + allowed:
            return action
        if status.state is CommandState.MISSING:
            return self._finish(action, State.UNKNOWN, "its command is not to be seen")
        dependencies.commander.cancel(action.command_id)
        return self._finish(action, State.TIMED_OUT, "still running past its time")

    def _verifying(self, action: Action) -> Action:
        until = action.verify_until or action.changed_at
        if self._dependencies.store.history(action.episode, action.target, self._now()).resolved:
            return self._finish(action, State.SUCCEEDED, "the alert is over", rc=action.rc)
        try:
            firing = self._fires(action)
        except BadGateway:
            if self._now() < until + timedelta(
                seconds=self._dependencies.policy.verify_grace_seconds
            ):
                return action
            return self._finish(
                action, State.UNKNOWN, "Alertmanager does not say whether the alert is over"
            )
        if not firing:
            return self._finish(action, State.SUCCEEDED, "the alert is over", rc=action.rc)
        if self._now() < until:
            return action
        return self._finish(action, State.INEFFECTIVE, "the alert fires on", rc=action.rc)

    def _owed(self, action: Action) -> Action:
        if action.follow_up is FollowUp.ESCALATE:
            return self._escalate(action)
        now = self._now()
        if now > action.changed_at + timedelta(
            seconds=self._dependencies.policy.retry_window_seconds
        ):
            return self._settle(
                action,
                replace(action.settled(now), follow_up=FollowUp.ESCALATE, next_check=now),
            )
        firing = [one for one in self._alerts(action.alertname) if one.episode == action.episode]
        if firing:
            outcome = self._healer.handle(
                firing[0], self._dependencies.config(), seconds=self._left()
            )
            if outcome.action is None and outcome.reason in FOR_NOW:
                return self._later(action)
        return self._settle(action, action.settled(now))

    def _escalate(self, action: Action) -> Action:
        facts = action_event(
            action,
            Kind.ESCALATED,
            self._now(),
            detail=action.detail,
            link=self._dependencies.policy.public_url,
        )
        try:
            self._dependencies.escalation.notify(
                f"{action.alertname} on {action.target}: {action.state}", facts.to_dict()
            )
        except AetherLinkError as problem:
            logs.error(
                names.AUTOHEAL_ESCALATION_FAILED,
                action_id=str(action.id),
                cause=problem.cause,
            )
            return self._later(action)
        return self._settle(action, action.settled(self._now()), facts)

    def _settle(self, before: Action, after: Action, *events: AuditEvent) -> Action:
        return (
            after
            if move(self._dependencies, before, after, change_record(*events), seconds=self._left())
            else before
        )

    def _later(self, action: Action) -> Action:
        now = self._now()
        check = now + timedelta(seconds=self._dependencies.policy.retry_seconds)
        waiting = replace(action, version=action.version + 1, next_check=check)
        return self._settle(action, waiting)

    def _finish(self, action: Action, to: State, detail: str, *, rc: int | None = None) -> Action:
        return finish(self._dependencies, action, to, seconds=self._left(), detail=detail, rc=rc)

    def _fires(self, action: Action) -> bool:
        return any(one.episode == action.episode for one in self._alerts(action.alertname))

    def _alerts(self, alertname: str) -> list[Alert]:
        if alertname not in self._firing:
            self._firing[alertname] = self._dependencies.alerts.alerts({"alertname": alertname})
        return self._firing[alertname]

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
