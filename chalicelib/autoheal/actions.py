"""Remediations and the states they go through. Every edge is taken once: on the state and version that were read."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID, uuid5

from chalicelib.shared.errors import Conflict

NAMESPACE: Final = UUID("5b1f6a3e-8f5b-5d0b-9c58-0c1f4a7d2e90")
COMMENT: Final = "ah:"


class State(StrEnum):
    """Where a remediation stands."""

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
    """What callers and counters are told about one alert."""

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
    """What is still owed after the end."""

    NOTHING = ""
    RETRY = "retry"
    ESCALATE = "escalate"


@dataclass(frozen=True, slots=True)
class Action:
    """One attempt at healing one episode. `version` counts its edges; `detail` is for people."""

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
        """Return what marks the command of this action, for finding it again."""
        return f"{COMMENT}{self.id}"

    @property
    def ended(self) -> bool:
        """Tell whether it is over."""
        return self.state in ENDS

    @property
    def result(self) -> Result | None:
        """Return how it counts; None while it is under way, and where nothing was tried."""
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
        """Return this action after the edge to `to`.

        Raises:
            errors.Conflict: there is no such edge.
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
        """Return this ended action with nothing owed any more."""
        return replace(
            self,
            version=self.version + 1,
            changed_at=now,
            next_check=None,
            follow_up=FollowUp.NOTHING,
        )


def action_id(episode: str, attempt: int) -> UUID:
    """Return the id of an attempt: whoever plans the same one gets the same id."""
    return uuid5(NAMESPACE, f"{episode}#{attempt}")
