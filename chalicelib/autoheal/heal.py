"""Taking alerts in: each becomes an action, or a reason why not. Doing it again changes nothing.

Alertmanager sends again what was not answered with 200, and what goes on firing. An
episode's attempt has one id, one lock and one place in the fleet, claimed in one
transaction, so fifty deliveries at once send one command.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from chalicelib.autoheal.actions import NOT_YET_SENT, Action, Result, State, action_id
from chalicelib.autoheal.alert import Alert, Unreadable, parse_delivery
from chalicelib.autoheal.audit import AuditEvent, Kind
from chalicelib.autoheal.decide import Decision, History, Reason, Verdict, decide, plan
from chalicelib.autoheal.dependencies import Dependencies
from chalicelib.autoheal.dispatch import dispatch, finish
from chalicelib.autoheal.modes import Config
from chalicelib.autoheal.ports import ActionClaim
from chalicelib.autoheal.records import action_event, change_record, count_event
from chalicelib.autoheal.runbooks import RemediationPlan
from chalicelib.shared.errors import BadGateway
from chalicelib.telemetry import logs, names

LEFT_SECONDS = 5.0
"""How much of the request's time is kept: what is not handled by then is sent again by Alertmanager."""
AT_ONCE = 50
"""Of so many alerts the history is read together."""
CLAIM_TRIES = 3


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one alert."""

    alert: str
    result: Result
    reason: str = ""
    action: Action | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return it as callers see it."""
        made: dict[str, Any] = {"alert": self.alert, "result": str(self.result)}
        if self.reason:
            made["reason"] = self.reason
        if self.action is not None:
            made |= {"actionId": str(self.action.id), "state": str(self.action.state)}
        return made


@dataclass
class Received:
    """What became of a delivery. What is not `complete` must be sent again; `problem` says why."""

    outcomes: list[Outcome] = field(default_factory=list)
    complete: bool = True
    problem: str = ""


class Healer:
    """Takes alerts in."""

    def __init__(self, dependencies: Dependencies) -> None:
        """Work with `dependencies`."""
        self._dependencies = dependencies

    def receive(self, body: bytes, *, seconds: float) -> Received:
        """Handle a webhook call within `seconds`, less what is kept, or the policy's.

        A large delivery starts anywhere: one that is too large to be handled in time is
        sent again and again, and none of its alerts may be the last each time.

        Raises:
            errors.Invalid: it is no payload of Alertmanager's.
            errors.Unavailable: the store is away.
        """
        dependencies = self._dependencies
        deadline = dependencies.clock.monotonic() + min(
            seconds - LEFT_SECONDS, dependencies.policy.webhook_seconds
        )
        delivery = parse_delivery(body)
        config = dependencies.config()
        received = Received()
        alerts = list(delivery.alerts)
        if delivery.truncated:
            alerts += self._rest(alerts, delivery.group, received)
        about = {"alerts": len(alerts), "truncated": delivery.truncated}
        events = [AuditEvent(dependencies.clock.now(), Kind.WEBHOOK_RECEIVED, details=about)]
        increments = change_record(*events).increments
        for alert, history in self._with_history(_from_anywhere(alerts)):
            left = deadline - dependencies.clock.monotonic()
            if left <= 0:
                received.complete = False
                received.problem = "out of time"
                break
            outcome = self._outcome(alert, history, config, left)
            received.outcomes.append(outcome)
            if outcome.action is None:
                events.append(_skipped(dependencies, alert, outcome))
                count_event(increments, events[-1])
            if outcome.result is Result.COOLDOWN_SKIP:
                increments.add(
                    names.AUTOHEAL_ACTIONS,
                    alertname=outcome.alert,
                    result=str(outcome.result),
                )
        dependencies.record(events, increments)
        logs.info(
            names.AUTOHEAL_DELIVERY,
            alerts=len(alerts),
            handled=len(received.outcomes),
            complete=received.complete,
        )
        return received

    def handle(
        self,
        alert: Alert,
        config: Config,
        *,
        seconds: float,
        history: History | None = None,
    ) -> Outcome:
        """Do what is to be done about one alert; `history` is what was just read of it, where it was."""
        wanted = plan(alert, self._dependencies.runbooks)
        if isinstance(wanted, Decision):
            if not self._ends(alert, wanted):
                return Outcome(alert.name, Result.SKIPPED, str(wanted.reason))
            if history is not None and history.resolved and not history.busy:
                return Outcome(alert.name, Result.SKIPPED, str(Reason.RESOLVED))
            return self._resolve(alert, seconds)
        for _ in range(CLAIM_TRIES):
            known = history or self._dependencies.store.history(
                alert.episode, wanted.target, self._dependencies.clock.now()
            )
            outcome = self._attempt(alert, wanted, known, config, seconds)
            if outcome.reason != Reason.MODE_CHANGED:
                return outcome
            config = self._dependencies.config()
            history = None
        return outcome

    def _with_history(
        self, alerts: Sequence[Alert | Unreadable]
    ) -> Iterator[tuple[Alert | Unreadable, History | None]]:
        """Yield each alert with what is known of it; so much is read together that a storm costs few calls."""
        for start in range(0, len(alerts), AT_ONCE):
            group = alerts[start : start + AT_ONCE]
            asked = [pair for one in group if (pair := self._sought(one))]
            found = dict(
                zip(
                    asked,
                    self._dependencies.store.histories(asked, self._dependencies.clock.now()),
                    strict=True,
                )
            )
            for one in group:
                yield one, found.get(self._sought(one) or ("", ""))

    def _sought(self, alert: Alert | Unreadable) -> tuple[str, str] | None:
        """Return the episode and the target of which the history counts, if it does."""
        if isinstance(alert, Unreadable):
            return None
        wanted = plan(alert, self._dependencies.runbooks)
        if isinstance(wanted, Decision):
            return (alert.episode, "") if self._ends(alert, wanted) else None
        return alert.episode, wanted.target

    def _ends(self, alert: Alert, decision: Decision) -> bool:
        """Tell whether it is the end of an alert that may have been healed."""
        return decision.verdict is Verdict.CANCEL and alert.name in self._dependencies.runbooks

    def _outcome(
        self,
        alert: Alert | Unreadable,
        history: History | None,
        config: Config,
        seconds: float,
    ) -> Outcome:
        if isinstance(alert, Unreadable):
            return Outcome(alert.name, Result.ERROR, alert.problem)
        return self.handle(alert, config, seconds=seconds, history=history)

    def _attempt(
        self,
        alert: Alert,
        wanted: RemediationPlan,
        history: History,
        config: Config,
        seconds: float,
    ) -> Outcome:
        dependencies = self._dependencies
        now = dependencies.clock.now()
        decision = decide(alert, wanted, history, config, now, seed=dependencies.policy.chaos_seed)
        if decision.verdict is Verdict.SKIP:
            return _stopped(alert.name, decision.reason)
        action = _planned(dependencies, alert, wanted, decision, history.attempts + 1)
        kinds = [Kind.ACTION_ELIGIBLE]
        if action.state is State.AWAITING_APPROVAL:
            kinds.append(Kind.APPROVAL_REQUESTED)
        claim = ActionClaim(
            action=action,
            config_version=config.version,
            attempts=wanted.runbook.attempts,
            hourly_cap=wanted.runbook.hourly_cap,
            fleet_cap=dependencies.policy.fleet_cap,
            breaker_failures=dependencies.policy.breaker_failures,
            lease_until=now + dependencies.policy.lease(wanted.runbook),
            record=change_record(
                *(action_event(action, kind, now, reason=str(decision.reason)) for kind in kinds)
            ),
        )
        claimed = dependencies.times.timed(
            dependencies.clock, lambda: dependencies.store.claim(claim, seconds=seconds)
        )
        if isinstance(claimed, Reason):
            return _stopped(alert.name, claimed)
        if claimed.state is State.AWAITING_APPROVAL:
            return Outcome(alert.name, Result.AWAITING_APPROVAL, action=claimed)
        sent = dispatch(dependencies, claimed, config, seconds=seconds)
        return Outcome(alert.name, _told(sent), sent.detail, sent)

    def _resolve(self, alert: Alert, seconds: float) -> Outcome:
        """Note that the alert is over: what is not sent yet is cancelled, what is being verified has worked."""
        dependencies = self._dependencies
        open_id: UUID | None = dependencies.store.resolve(alert.episode, dependencies.clock.now())
        action = dependencies.store.action(open_id) if open_id else None
        if action is None:
            return Outcome(alert.name, Result.SKIPPED, str(Reason.RESOLVED))
        if action.state in NOT_YET_SENT:
            action = finish(
                dependencies, action, State.CANCELLED, seconds=seconds, detail="the alert is over"
            )
        elif action.state is State.VERIFYING:
            action = finish(
                dependencies,
                action,
                State.SUCCEEDED,
                seconds=seconds,
                detail="the alert is over",
                rc=action.rc,
            )
        return Outcome(alert.name, _told(action), str(Reason.RESOLVED), action)

    def _rest(
        self, alerts: list[Alert | Unreadable], group: Any, received: Received
    ) -> list[Alert]:
        """Return what the delivery left out."""
        try:
            firing = self._dependencies.alerts.alerts(group)
        except BadGateway as problem:
            logs.warning(names.AUTOHEAL_TROUBLE, cause=problem.cause)
            received.complete = False
            received.problem = "the alerts that were left out cannot be fetched"
            return []
        known = {one.episode for one in alerts if isinstance(one, Alert)}
        return [one for one in firing if one.episode not in known]


def _from_anywhere(alerts: Sequence[Alert | Unreadable]) -> list[Alert | Unreadable]:
    """Return `alerts`, where there are many with some group of them first."""
    start = random.randrange(0, max(len(alerts), 1), AT_ONCE)
    return [*alerts[start:], *alerts[:start]]


def _planned(
    dependencies: Dependencies,
    alert: Alert,
    wanted: RemediationPlan,
    decision: Decision,
    attempt: int,
) -> Action:
    now = dependencies.clock.now()
    dry = decision.verdict is Verdict.DRY_RUN
    waits = wanted.runbook.approval and not dry
    wait = (
        dependencies.policy.approval_seconds
        if waits
        else dependencies.policy.dispatch_grace_seconds
    )
    return Action(
        id=action_id(alert.episode, attempt),
        episode=alert.episode,
        attempt=attempt,
        alertname=alert.name,
        labels=alert.labels,
        target=wanted.target,
        command=wanted.command,
        parameters=wanted.parameters,
        state=State.AWAITING_APPROVAL if waits else State.PLANNED,
        version=1,
        created_at=now,
        changed_at=now,
        next_check=now + timedelta(seconds=wait),
        chaos=decision.verdict is Verdict.FAIL_ON_PURPOSE,
        dry_run=dry,
    )


def _stopped(name: str, reason: Reason) -> Outcome:
    result = Result.COOLDOWN_SKIP if reason is Reason.COOLDOWN else Result.SKIPPED
    return Outcome(name, result, str(reason))


def _told(action: Action) -> Result:
    """Return what the caller is told: a command that is under way counts as executed."""
    if action.state in (State.RUNNING, State.VERIFYING):
        return Result.EXECUTED
    if action.state is State.DISPATCHING:
        return Result.ERROR
    return action.result or Result.CANCELLED


TELLING = ("service", "job", "instance", "severity")
"""Labels that tell people what an alert is about."""


def _skipped(dependencies: Dependencies, alert: Alert | Unreadable, outcome: Outcome) -> AuditEvent:
    details: dict[str, Any] = {"reason": outcome.reason, "result": str(outcome.result)}
    if isinstance(alert, Alert):
        told = {name: alert.labels[name] for name in TELLING if name in alert.labels}
        details |= {"episode": alert.episode, "status": str(alert.status), "labels": told}
    return AuditEvent(dependencies.clock.now(), Kind.DECISION_SKIP, outcome.alert, details)
