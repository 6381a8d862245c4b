"""Handling one alert: decide, claim an action, and send its command at once."""

from datetime import timedelta

from chalicelib.autoheal.actions import NOT_YET_SENT, Action, Result, State, action_id
from chalicelib.autoheal.alert import Alert
from chalicelib.autoheal.audit import Kind
from chalicelib.autoheal.decide import Decision, History, Reason, Verdict, decide, plan
from chalicelib.autoheal.dependencies import Dependencies
from chalicelib.autoheal.dispatch import dispatch, finish
from chalicelib.autoheal.modes import Config
from chalicelib.autoheal.outcome import Outcome, result_of, skipped
from chalicelib.autoheal.ports import ActionClaim
from chalicelib.autoheal.records import action_event, change_record
from chalicelib.autoheal.runbooks import RemediationPlan

CLAIM_TRIES = 3
ALERT_OVER = "the alert is over"


class AlertHandler:
    """Handles alerts, one at a time."""

    def __init__(self, dependencies: Dependencies) -> None:
        """Work with `dependencies`."""
        self._dependencies = dependencies

    def history_key(self, alert: Alert) -> tuple[str, str] | None:
        """Return the episode and target whose history matters ("" for no target).

        None where the alert is skipped whatever its history is.
        """
        remediation = plan(alert, self._dependencies.runbooks)
        if isinstance(remediation, RemediationPlan):
            return alert.episode, remediation.target
        return (alert.episode, "") if self._ends_episode(alert, remediation) else None

    def handle(
        self,
        alert: Alert,
        config: Config,
        *,
        seconds: float,
        history: History | None = None,
    ) -> Outcome:
        """Do what the decision about `alert` requires, within `seconds`.

        `history` is passed where it has just been read; otherwise it is read here.
        """
        remediation = plan(alert, self._dependencies.runbooks)
        if isinstance(remediation, Decision):
            if not self._ends_episode(alert, remediation):
                return Outcome(alert.name, Result.SKIPPED, str(remediation.reason))
            if history is not None and history.resolved and not history.busy:
                return Outcome(alert.name, Result.SKIPPED, str(Reason.RESOLVED))
            return self._resolve(alert, seconds)
        for _ in range(CLAIM_TRIES):
            present = history or self._history(alert, remediation)
            outcome = self._attempt(alert, remediation, present, config, seconds)
            if outcome.reason != Reason.MODE_CHANGED:
                return outcome
            config = self._dependencies.config()
            history = None
        return outcome

    def _history(self, alert: Alert, remediation: RemediationPlan) -> History:
        now = self._dependencies.clock.now()
        return self._dependencies.store.history(alert.episode, remediation.target, now)

    def _ends_episode(self, alert: Alert, decision: Decision) -> bool:
        """Return whether this is the end of an alert that may have been healed."""
        return decision.verdict is Verdict.CANCEL and alert.name in self._dependencies.runbooks

    def _attempt(
        self,
        alert: Alert,
        remediation: RemediationPlan,
        history: History,
        config: Config,
        seconds: float,
    ) -> Outcome:
        dependencies = self._dependencies
        now = dependencies.clock.now()
        seed = dependencies.policy.chaos_seed
        decision = decide(alert, remediation, history, config, now, seed=seed)
        if decision.verdict is Verdict.SKIP:
            return skipped(alert.name, decision.reason)
        action = self._planned(alert, remediation, decision, history.attempts + 1)
        claim = self._claim(action, remediation, decision.reason, config)
        claimed = dependencies.times.timed(
            dependencies.clock, lambda: dependencies.store.claim(claim, seconds=seconds)
        )
        if isinstance(claimed, Reason):
            return skipped(alert.name, claimed)
        if claimed.state is State.AWAITING_APPROVAL:
            return Outcome(alert.name, Result.AWAITING_APPROVAL, action=claimed)
        sent = dispatch(dependencies, claimed, config, seconds=seconds)
        return Outcome(alert.name, result_of(sent), sent.detail, sent)

    def _planned(
        self,
        alert: Alert,
        remediation: RemediationPlan,
        decision: Decision,
        attempt: int,
    ) -> Action:
        policy = self._dependencies.policy
        now = self._dependencies.clock.now()
        dry_run = decision.verdict is Verdict.DRY_RUN
        needs_approval = remediation.runbook.approval and not dry_run
        wait = policy.approval_seconds if needs_approval else policy.dispatch_grace_seconds
        return Action(
            id=action_id(alert.episode, attempt),
            episode=alert.episode,
            attempt=attempt,
            alertname=alert.name,
            labels=alert.labels,
            target=remediation.target,
            command=remediation.command,
            parameters=remediation.parameters,
            state=State.AWAITING_APPROVAL if needs_approval else State.PLANNED,
            version=1,
            created_at=now,
            changed_at=now,
            next_check=now + timedelta(seconds=wait),
            chaos=decision.verdict is Verdict.FAIL_ON_PURPOSE,
            dry_run=dry_run,
        )

    def _claim(
        self,
        action: Action,
        remediation: RemediationPlan,
        reason: Reason,
        config: Config,
    ) -> ActionClaim:
        policy = self._dependencies.policy
        runbook = remediation.runbook
        now = action.created_at
        kinds = [Kind.ACTION_ELIGIBLE]
        if action.state is State.AWAITING_APPROVAL:
            kinds.append(Kind.APPROVAL_REQUESTED)
        events = [action_event(action, kind, now, reason=str(reason)) for kind in kinds]
        return ActionClaim(
            action=action,
            config_version=config.version,
            attempts=runbook.attempts,
            hourly_cap=runbook.hourly_cap,
            fleet_cap=policy.fleet_cap,
            breaker_failures=policy.breaker_failures,
            lease_until=now + policy.lease(runbook),
            record=change_record(*events),
        )

    def _resolve(self, alert: Alert, seconds: float) -> Outcome:
        """Record that the alert is over.

        An action that was not sent yet is cancelled; one that is being verified has worked.
        """
        dependencies = self._dependencies
        open_id = dependencies.store.resolve(alert.episode, dependencies.clock.now())
        action = dependencies.store.action(open_id) if open_id else None
        if action is None:
            return Outcome(alert.name, Result.SKIPPED, str(Reason.RESOLVED))
        if action.state in NOT_YET_SENT:
            action = finish(
                dependencies, action, State.CANCELLED, seconds=seconds, detail=ALERT_OVER
            )
        elif action.state is State.VERIFYING:
            action = finish(
                dependencies,
                action,
                State.SUCCEEDED,
                seconds=seconds,
                detail=ALERT_OVER,
                rc=action.rc,
            )
        return Outcome(alert.name, result_of(action), str(Reason.RESOLVED), action)
