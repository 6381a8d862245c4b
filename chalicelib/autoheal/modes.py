"""The healer's mode, its configuration, and the breakers of its runbooks."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Mode(StrEnum):
    """What the healer may do."""

    OFF = "off"
    DRY_RUN = "dry_run"
    LIVE = "live"


@dataclass(frozen=True, slots=True)
class Config:
    """The configuration. `version` 0 is the deployment's own, before the first change."""

    mode: Mode
    chaos_percent: float = 0.0
    chaos_until: datetime | None = None
    version: int = 0
    changed_by: str = ""
    changed_at: datetime | None = None

    def chaos_at(self, now: datetime) -> float:
        """Return the percentage of actions that fail on purpose at `now`."""
        return self.chaos_percent if self.chaos_until is None or now < self.chaos_until else 0.0


class BreakerState(StrEnum):
    """Whether a runbook may run: open means no, half open means one trial."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True)
class Breaker:
    """The breaker of one runbook. `failures` are in a row; `trial` is the trial's action id."""

    runbook: str
    state: BreakerState = BreakerState.CLOSED
    failures: int = 0
    open_until: datetime | None = None
    trial: str = ""

    def in_force(self, limit: int) -> BreakerState:
        """Return the state in force: with `limit` failures it is open before a tick writes so."""
        return BreakerState.OPEN if self.failures >= limit else self.state
