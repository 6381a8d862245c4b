"""Deciding about an alert: a pure function of values. The claim enforces the rails again."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from chalicelib.autoheal import chaos, runbooks
from chalicelib.autoheal.actions import action_id
from chalicelib.autoheal.alert import Alert, Status
from chalicelib.autoheal.modes import Config, Mode
from chalicelib.autoheal.runbooks import RemediationPlan, Runbook


class Verdict(StrEnum):
    """What to do."""

    SKIP = "skip"
    CANCEL = "cancel"
    DRY_RUN = "dry_run"
    FAIL_ON_PURPOSE = "fail_on_purpose"
    ACT = "act"


class Reason(StrEnum):
    """Why: first the reasons of decisions, then those of rails that refuse a claim."""

    RESOLVED = "resolved"
    NOT_ANNOTATED = "not_annotated"
    SELF_ALERT = "self_alert"
    NOT_ALLOWLISTED = "not_allowlisted"
    BAD_PARAMETERS = "bad_parameters"
    IN_PROGRESS = "in_progress"
    ATTEMPTS_SPENT = "attempts_spent"
    COOLDOWN = "cooldown"
    DISABLED = "disabled"
    DRY_RUN = "dry_run"
    CHAOS = "chaos"
    ELIGIBLE = "eligible"

    MODE_CHANGED = "mode_changed"
    TARGET_LOCKED = "target_locked"
    BUDGET_SPENT = "budget_spent"
    FLEET_BUSY = "fleet_busy"
    BREAKER_OPEN = "breaker_open"


@dataclass(frozen=True, slots=True)
class History:
    """The history of an episode and its target. `busy`: the episode has an open action."""

    attempts: int = 0
    busy: bool = False
    resolved: bool = False
    cooldown_until: datetime | None = None
    locked: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do and why. `plan` is None where nothing is to be done."""

    verdict: Verdict
    reason: Reason
    plan: RemediationPlan | None = None


def plan(alert: Alert, known_runbooks: Mapping[str, Runbook]) -> Decision | RemediationPlan:
    """Return what the alert's runbook would do, or the decision that needs no history."""
    if alert.status is Status.RESOLVED:
        return Decision(Verdict.CANCEL, Reason.RESOLVED)
    if not alert.opted_in:
        return Decision(Verdict.SKIP, Reason.NOT_ANNOTATED)
    if alert.name.startswith(runbooks.SELF_ALERT_PREFIX):
        return Decision(Verdict.SKIP, Reason.SELF_ALERT)
    runbook = known_runbooks.get(alert.name)
    if runbook is None:
        return Decision(Verdict.SKIP, Reason.NOT_ALLOWLISTED)
    return runbooks.apply(runbook, alert) or Decision(Verdict.SKIP, Reason.BAD_PARAMETERS)


def decide(
    alert: Alert,
    remediation: RemediationPlan,
    history: History,
    config: Config,
    now: datetime,
    *,
    seed: str,
) -> Decision:
    """Decide, in this order: episode, cooldown, mode, chaos, action. Pure."""
    if history.resolved:
        return Decision(Verdict.SKIP, Reason.RESOLVED)
    if history.busy:
        return Decision(Verdict.SKIP, Reason.IN_PROGRESS)
    if history.attempts >= remediation.runbook.attempts:
        return Decision(Verdict.SKIP, Reason.ATTEMPTS_SPENT)
    if history.cooldown_until is not None and now < history.cooldown_until:
        return Decision(Verdict.SKIP, Reason.COOLDOWN)
    if history.locked:
        return Decision(Verdict.SKIP, Reason.TARGET_LOCKED)
    if config.mode is Mode.OFF:
        return Decision(Verdict.SKIP, Reason.DISABLED)
    if config.mode is Mode.DRY_RUN:
        return Decision(Verdict.DRY_RUN, Reason.DRY_RUN, remediation)
    identity = action_id(alert.episode, history.attempts + 1)
    if chaos.strikes(seed, identity, config.chaos_at(now)):
        return Decision(Verdict.FAIL_ON_PURPOSE, Reason.CHAOS, remediation)
    return Decision(Verdict.ACT, Reason.ELIGIBLE, remediation)
