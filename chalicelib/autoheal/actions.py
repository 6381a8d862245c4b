"""Actions, the attempts at healing an alert, and the states they go through.

Each change of state is conditional on the state and version that were read, so it happens
only once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID, uuid5

from chalicelib.shared.errors import Conflict

NAMESPACE: Final = UUID("5b1f6a3e-8f5b-5d0b-9c58-0c1f4a7d2e90")
COMMENT_PREFIX: Final = "ah:"


class State(StrEnum):
    """The state of an action."""

    PLANNED = "PLANNED"
    AWAITING_APPROVAL = "AWAITING_APPROVAL"
    DISPATCHING = "DISPATCHING"
    RUNNING = "RUNNING"
    VERIFYING = "VERIFYING"
    SUCCEEDED = "SUCCEEDED"
    INEFFECTIVE = "INEFFECTIVE"
    FAILED = "FAILED"
    TIMED_OUT = "TIMED_OUT"
    CANCELLED = "CANCELLED"
    UNKNOWN = "UNKNOWN"


EDGES: Final[Mapping[State, frozenset[State]]] = {
    State.PLANNED: frozenset({State.DISPATCHING, State.CANCELLED}),
    State.AWAITING_APPROVAL: frozenset({State.PLANNED, State.CANCELLED}),
    State.DISPATCHING: frozenset({State.RUNNING, State.FAILED, State.UNKNOWN}),
    State.RUNNING: frozenset(
        {State.VERIFYING, State.FAILED, State.TIMED_OUT, State.CANCELLED, State.UNKNOWN}
    ),
    State.VERIFYING: frozenset({State.SUCCEEDED, State.INEFFECTIVE, State.UNKNOWN}),
}
ENDS: Final = frozenset(State) - frozenset(EDGES)
OPEN: Final = frozenset(EDGES)
NOT_YET_SENT: Final = frozenset({State.PLANNED, State.AWAITING_APPROVAL})
FAILURES: Final = frozenset({State.INEFFECTIVE, State.FAILED, State.TIMED_OUT, State.UNKNOWN})


class Result(StrEnum):
    """The result for one alert, as callers and metrics see it."""

    EXECUTED = "executed"
    FAILED = "failed"
    DRY_RUN = "dry_run"
    COOLDOWN_SKIP = "cooldown_skip"
    ERROR = "error"
    CHAOS = "chaos_injected_failure"
    SKIPPED = "skipped"
    AWAITING_APPROVAL = "awaiting_approval"
    CANCELLED = "cancelled"


class FollowUp(StrEnum):
    """What remains to be done after the end."""

    NOTHING = ""
    RETRY = "retry"
    ESCALATE = "escalate"


@dataclass(frozen=True, slots=True)
class Action:
    """One attempt at healing one episode.

    `version` counts its changes, `detail` is for people, `rc` is the command's exit code.
    """

    id: UUID
    episode: str
    attempt: int
    alertname: str
    labels: Mapping[str, str]
    target: str
    command: str
    parameters: Mapping[str, str]
    state: State
    version: int
    created_at: datetime
    changed_at: datetime
    next_check: datetime | None = None
    verify_until: datetime | None = None
    command_id: str = ""
    slot: int = 0
    chaos: bool = False
    dry_run: bool = False
    trial: bool = False
    follow_up: FollowUp = FollowUp.NOTHING
    approved_by: str = ""
    detail: str = ""
    rc: int | None = None

    @property
    def fingerprint(self) -> str:
        """Return the alert's fingerprint."""
        return self.episode.partition("#")[0]

    @property
    def comment(self) -> str:
        """Return the comment by which this action's command is found again."""
        return f"{COMMENT_PREFIX}{self.id}"

    @property
    def ended(self) -> bool:
        """Return whether the action is over."""
        return self.state in ENDS

    @property
    def result(self) -> Result | None:
        """Return the result; None while the action is open, and where nothing was tried."""
        if self.state is State.CANCELLED:
            return Result.DRY_RUN if self.dry_run else None
        if self.state is State.SUCCEEDED:
            return Result.EXECUTED
        if self.state is State.UNKNOWN:
            return Result.ERROR
        if self.state in FAILURES:
            return Result.CHAOS if self.chaos else Result.FAILED
        return None

    def moved(self, to: State, now: datetime, **changes: Any) -> "Action":
        """Return this action in state `to`, with `changes`.

        Raises:
            errors.Conflict: the state cannot follow the present one.
        """
        if to not in EDGES.get(self.state, ()):
            raise Conflict(
                f"A remediation in state {self.state} cannot become {to}.", code="illegal-state"
            )
        fixed: dict[str, Any] = {
            "state": to,
            "version": self.version + 1,
            "changed_at": now,
        }
        return replace(self, **({"next_check": None} | changes | fixed))

    def settled(self, now: datetime) -> "Action":
        """Return this ended action with nothing left to do."""
        return replace(
            self,
            version=self.version + 1,
            changed_at=now,
            next_check=None,
            follow_up=FollowUp.NOTHING,
        )


def action_id(episode: str, attempt: int) -> UUID:
    """Return the id of an attempt: planning the same one again gives the same id."""
    return uuid5(NAMESPACE, f"{episode}#{attempt}")
