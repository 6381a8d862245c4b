"""What tunes the healer, and what its use cases share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from chalicelib import names
from chalicelib.autoheal.actions import FAILURES, Action, FollowUp, Result, State
from chalicelib.autoheal.audit import AuditEvent, Kind
from chalicelib.autoheal.ledger import Increments, MetricsLedger
from chalicelib.autoheal.modes import Config, Mode
from chalicelib.autoheal.ports import AlertSource, AuditLog, Commander, Ending, Escalation, HealStore, Note
from chalicelib.autoheal.runbooks import Runbook
from chalicelib.autoheal.timing import WriteTimes
from chalicelib.clock import Clock

LEASE_MARGIN: Final = timedelta(minutes=10)
"""How long a target stays locked past the last moment at which its action should have ended."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The healer's figures; times are seconds. `deployed` is in force until somebody changes the config."""

    deployed: Config = field(default_factory=lambda: Config(Mode.OFF))
    cooldown_seconds: int = 600
    cooldowns: Mapping[str, int] = field(default_factory=dict)
    chaos_seed: str = "aetherlink"
    fleet_cap: int = 4
    approval_seconds: int = 1_800
    dispatch_grace_seconds: int = 60
    verify_grace_seconds: int = 600
    retry_seconds: int = 60
    retry_window_seconds: int = 3_600
    poll_seconds: float = 2.0
    webhook_seconds: float = 7.0
    breaker_failures: int = 3
    breaker_open_seconds: int = 900
    public_url: str = ""

    def cooldown(self, runbook: Runbook) -> timedelta:
        """Return how long a target is left alone: the alert's own setting, the runbook's, or the default."""
        stated = self.cooldowns.get(runbook.alertname, runbook.cooldown_seconds)
        return timedelta(seconds=self.cooldown_seconds if stated is None else stated)

    def lease(self, runbook: Runbook) -> timedelta:
        """Return how long an action may hold its target."""
        seconds = runbook.timeout_seconds + runbook.verify_seconds + self.verify_grace_seconds
        waiting = self.approval_seconds if runbook.approval else 0
        return timedelta(seconds=seconds + waiting + self.dispatch_grace_seconds) + LEASE_MARGIN


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything that the use cases work with."""

    store: HealStore
    audit: AuditLog
    ledger: MetricsLedger
    commander: Commander
    alerts: AlertSource
    escalation: Escalation
    clock: Clock
    policy: Policy
    runbooks: Mapping[str, Runbook]
    times: WriteTimes = field(default_factory=WriteTimes)

    def config(self) -> Config:
        """Return what is in force, read consistently."""
        return self.store.config() or self.policy.deployed

    def record(self, events: Sequence[AuditEvent], increments: Increments) -> None:
        """Append `events`, and add what was counted and measured to the ledger. Raises `errors.Unavailable`."""
        if events:
            self.times.timed(self.clock, lambda: self.audit.append(events))
        self.ledger.add(self.times.into(increments))


def note(*events: AuditEvent) -> Note:
    """Return what is written with a change: the events, and their counts."""
    increments = Increments()
    for event in events:
        counted(increments, event)
    return Note(events, increments)


def counted(increments: Increments, event: AuditEvent) -> Increments:
    """Count `event` in `increments`."""
    return increments.add(names.AUTOHEAL_EVENTS, kind=str(event.kind)).at(names.AUTOHEAL_LAST_EVENT, event.time)


def event_of(action: Action, kind: Kind, now: datetime, **more: object) -> AuditEvent:
    """Return the audit event of something that happened to `action`."""
    details = {
        "action_id": str(action.id),
        "episode": action.episode,
        "attempt": action.attempt,
        "target": action.target,
        "state": str(action.state),
        "cmd": action.command,
        **({"chaos": True} if action.chaos else {}),
        **more,
    }
    return AuditEvent(now, kind, action.alertname, details)


def end(
    parts: Parts, action: Action, to: State, *, detail: str, rc: int | None = None, escalate: bool = False
) -> tuple[Action, Note, Ending]:
    """Return `action` at its end, what is recorded of it, and what it leaves behind; `escalate` tells people."""
    now, runbook = parts.clock.now(), parts.runbooks.get(action.alertname)
    cooldown = parts.policy.cooldown(runbook) if runbook else timedelta(seconds=parts.policy.cooldown_seconds)
    sent = action.state not in (State.PLANNED, State.AWAITING_APPROVAL)
    cools = now + cooldown if sent or action.dry_run else None
    more = runbook is not None and action.attempt < runbook.attempts
    follow, check = FollowUp.NOTHING, None
    if escalate or to is State.UNKNOWN or (to in FAILURES and not more):
        follow, check = FollowUp.ESCALATE, now
    elif to in FAILURES:
        follow, check = FollowUp.RETRY, cools
    ended = action.moved(to, now, detail=detail, rc=rc, follow_up=follow, next_check=check)
    kind = Kind.ACTION_CANCELLED
    if ended.result is Result.DRY_RUN:
        kind = Kind.ACTION_DRY_RUN
    elif ended.result is not None:
        kind = Kind.ACTION_OK if to is State.SUCCEEDED else Kind.ACTION_FAIL
    code = {"rc": rc} if rc is not None else {}
    made = note(event_of(ended, kind, now, detail=detail, **code))
    _count_end(made.increments, ended, now, cools)
    healthy = None if action.chaos or action.dry_run or to is State.CANCELLED else to is State.SUCCEEDED
    return ended, made, Ending(cools, healthy, spent=to is State.UNKNOWN)


def _count_end(increments: Increments, ended: Action, now: datetime, cools: datetime | None) -> None:
    if ended.result is not None:
        increments.add(names.AUTOHEAL_ACTIONS, alertname=ended.alertname, result=str(ended.result))
        increments.at(names.AUTOHEAL_ACTION_LAST, now, alertname=ended.alertname)
    if ended.state in FAILURES:
        increments.add(names.AUTOHEAL_ACTION_FAILURES, alertname=ended.alertname)
    if cools is not None:
        increments.at(names.AUTOHEAL_COOLDOWN, cools, alertname=ended.alertname)
