"""The outcome of one alert: what was done about it, or why nothing was."""

from dataclasses import dataclass
from typing import Any

from chalicelib.autoheal.actions import Action, Result, State
from chalicelib.autoheal.decide import Reason


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was done about one alert; `action` is None where nothing was tried."""

    alert: str
    result: Result
    reason: str = ""
    action: Action | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the outcome as callers see it."""
        members: dict[str, Any] = {"alert": self.alert, "result": str(self.result)}
        if self.reason:
            members["reason"] = self.reason
        if self.action is not None:
            members |= {"actionId": str(self.action.id), "state": str(self.action.state)}
        return members


def skipped(alertname: str, reason: Reason) -> Outcome:
    """Return the outcome of an alert about which nothing was done."""
    result = Result.COOLDOWN_SKIP if reason is Reason.COOLDOWN else Result.SKIPPED
    return Outcome(alertname, result, str(reason))


def result_of(action: Action) -> Result:
    """Return the result that callers see: a command that is under way counts as executed."""
    if action.state in (State.RUNNING, State.VERIFYING):
        return Result.EXECUTED
    if action.state is State.DISPATCHING:
        return Result.ERROR
    return action.result or Result.CANCELLED
