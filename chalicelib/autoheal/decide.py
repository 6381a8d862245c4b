"""What to do about an alert: a value with its reason, from values alone. The claim enforces the rails once more."""

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
    """What follows."""

    SKIP = "skip"
    CANCEL = "cancel"
    DRY_RUN = "dry_run"
    FAIL_ON_PURPOSE = "fail_on_purpose"
    ACT = "act"


class Reason(StrEnum):
    """Why: the decision's reasons, then those of the rails that the claim runs into."""

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
    """What is known of the alert's episode and its target. `busy`: an action of this episode is under way."""

    attempts: int = 0
    busy: bool = False
    resolved: bool = False
    cooldown_until: datetime | None = None
    locked: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do and why. `plan` is there where something is to be done."""

    verdict: Verdict
    reason: Reason
    plan: RemediationPlan | None = None


def plan(alert: Alert, known: Mapping[str, Runbook]) -> Decision | RemediationPlan:
    """Return what the alert's runbook would do, or why nothing is to be done; needs no history."""
    if alert.status is Status.RESOLVED:
        return Decision(Verdict.CANCEL, Reason.RESOLVED)
    if not alert.opted_in:
        return Decision(Verdict.SKIP, Reason.NOT_ANNOTATED)
    if alert.name.startswith(runbooks.SELF):
        return Decision(Verdict.SKIP, Reason.SELF_ALERT)
    runbook = known.get(alert.name)
    if runbook is None:
        return Decision(Verdict.SKIP, Reason.NOT_ALLOWLISTED)
    return runbooks.apply(runbook, alert) or Decision(Verdict.SKIP, Reason.BAD_PARAMETERS)


def decide(
    alert: Alert,
    wanted: RemediationPlan,
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
    if history.attempts >= wanted.runbook.attempts:
        return Decision(Verdict.SKIP, Reason.ATTEMPTS_SPENT)
    if history.cooldown_until is not None and now < history.cooldown_until:
        return Decision(Verdict.SKIP, Reason.COOLDOWN)
    if history.locked:
        return Decision(Verdict.SKIP, Reason.TARGET_LOCKED)
    if config.mode is Mode.OFF:
        return Decision(Verdict.SKIP, Reason.DISABLED)
    if config.mode is Mode.DRY_RUN:
        return Decision(Verdict.DRY_RUN, Reason.DRY_RUN, wanted)
    identity = action_id(alert.episode, history.attempts + 1)
    if chaos.strikes(seed, identity, config.chaos_at(now)):
        return Decision(Verdict.FAIL_ON_PURPOSE, Reason.CHAOS, wanted)
    return Decision(Verdict.ACT, Reason.ELIGIBLE, wanted)
