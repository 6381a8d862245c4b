"""The switch: whether the healer acts at all, only says what it would do, or acts; and failures on purpose."""

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
    """What is in force. `version` 0 is the deployment's own, before anybody changed anything."""

    mode: Mode
    chaos_percent: float = 0.0
    chaos_until: datetime | None = None
    version: int = 0
    changed_by: str = ""
    changed_at: datetime | None = None

    def chaos_at(self, now: datetime) -> float:
        """Return the percent of actions that fail on purpose now; it ends by itself."""
        return self.chaos_percent if self.chaos_until is None or now < self.chaos_until else 0.0


class BreakerState(StrEnum):
    """Whether a runbook is trusted: open means it failed too often, half open that one trial may show otherwise."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True)
class Breaker:
    """The breaker of one runbook. `failures` are those in a row."""

    runbook: str
    state: BreakerState = BreakerState.CLOSED
    failures: int = 0
    open_until: datetime | None = None
    trial: str = ""

    def in_force(self, limit: int) -> BreakerState:
        """Return the state that actions meet: with `limit` failures it is open before the next tick writes so."""
        return BreakerState.OPEN if self.failures >= limit else self.state
