"""What the healer needs from outside. Each port has a fake in the tests that passes the real adapter's suite."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol
from uuid import UUID

from chalicelib.autoheal.actions import Action, State
from chalicelib.autoheal.alert import Alert
from chalicelib.autoheal.audit import AuditEvent, AuditPage, AuditQuery
from chalicelib.autoheal.decide import History, Reason
from chalicelib.autoheal.modes import Breaker, Config
from chalicelib.telemetry.increments import Increments


@dataclass(frozen=True, slots=True)
class ChangeRecord:
    """What is written together with a change: audit events, and what is added to the ledger."""

    events: Sequence[AuditEvent] = ()
    increments: Increments = field(default_factory=Increments)


@dataclass(frozen=True, slots=True)
class ActionClaim:
    """An attempt that wants to be made, and the rails it has to pass."""

    action: Action
    config_version: int
    attempts: int
    hourly_cap: int
    fleet_cap: int
    breaker_failures: int
    lease_until: datetime
    record: ChangeRecord


@dataclass(frozen=True, slots=True)
class Ending:
    """What an action leaves behind. `healthy` None leaves the breaker as it is; `spent` allows no other attempt."""

    cooldown_until: datetime | None = None
    healthy: bool | None = None
    spent: bool = False


class HealStore(Protocol):
    """The healer's memory. Raises `errors.Unavailable` while it is away.

    `seconds` bounds how long a call may go on retrying conflicts with others that touch the
    same items.
    """

    def config(self) -> Config | None:
        """Return what somebody set, read consistently; None where nobody has."""
        ...

    def change_config(self, new: Config, record: ChangeRecord) -> bool:
        """Store `new` if its version follows the present one; return whether it did."""
        ...

    def history(self, episode: str, target: str, now: datetime) -> History:
        """Return what is known of the episode and the target."""
        ...

    def histories(self, wanted: Sequence[tuple[str, str]], now: datetime) -> list[History]:
        """Return the same of each pair of an episode and a target ("" for none), read together."""
        ...

    def claim(self, claim: ActionClaim, *, seconds: float) -> Action | Reason:
        """Pass every rail and write the action, in one transaction, or return the rail that stopped it."""
        ...

    def move(
        self,
        before: Action,
        after: Action,
        record: ChangeRecord,
        *,
        seconds: float,
        ending: Ending | None = None,
        config_version: int | None = None,
    ) -> bool:
        """Take an edge if the action is still as `before` (and the config of that version); return whether it was."""
        ...

    def resolve(self, episode: str, now: datetime) -> UUID | None:
        """Note that the episode is over; return its action that is under way, if there is one."""
        ...

    def action(self, action_id: UUID) -> Action | None:
        """Return an action."""
        ...

    def actions(
        self, state: State | None, *, limit: int, after: str = ""
    ) -> tuple[list[Action], str]:
        """Return actions, those of one state oldest check first or else all, and where to go on ("" at the end)."""
        ...

    def due(self, state: State, until: datetime, *, limit: int) -> list[Action]:
        """Return actions of `state` to be looked at before `until`, the most urgent first."""
        ...

    def breakers(self, runbooks: Collection[str]) -> dict[str, Breaker]:
        """Return the breakers of `runbooks`."""
        ...

    def change_breaker(self, before: Breaker, after: Breaker, record: ChangeRecord) -> bool:
        """Store `after` if the breaker is still as `before`; return whether it was."""
        ...

    def hold(self, name: str, owner: str, now: datetime, until: datetime) -> bool:
        """Take or renew the lease `name`; return whether `owner` has it."""
        ...

    def release(self, name: str, owner: str) -> None:
        """Give the lease back, if it is `owner`'s."""
        ...


class AuditLog(Protocol):
    """The audit events. Raises `errors.Unavailable`."""

    def append(self, events: Sequence[AuditEvent]) -> None:
        """Add events."""
        ...

    def find(self, query: AuditQuery, now: datetime) -> AuditPage:
        """Return events, newest first."""
        ...


class SendRefused(Exception):
    """The command was refused, and surely not run."""


class SendUnsure(Exception):
    """Nobody knows whether the command was taken."""


class CommandState(StrEnum):
    """How a command stands. `MISSING` is not known (yet); `NO_TARGETS` ran nowhere."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    NO_TARGETS = "no_targets"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class CommandStatus:
    """How a command stands; `rc` where a machine told it."""

    state: CommandState
    rc: int | None = None
    detail: str = ""


class Commander(Protocol):
    """Runs documents on machines."""

    def send(self, action: Action, *, document: str, version: str, timeout_seconds: int) -> str:
        """Send the command once, never again by itself; return its id. Raises `SendRefused` or `SendUnsure`."""
        ...

    def status(self, command_id: str) -> CommandStatus:
        """Return how it stands. Raises `errors.Unavailable`."""
        ...

    def find(self, comment: str, since: datetime) -> str | None:
        """Return the id of the command so marked, sent after `since`; None where there is none to be seen."""
        ...

    def cancel(self, command_id: str) -> None:
        """Ask for an end; no promise."""
        ...


class AlertSource(Protocol):
    """Alertmanager. Raises `errors.BadGateway` while it is away."""

    def alerts(self, filters: Mapping[str, str]) -> list[Alert]:
        """Return the alerts that fire, silenced and inhibited ones too, whose labels have these values."""
        ...

    def listed(self) -> list[dict[str, Any]]:
        """Return all alerts as Alertmanager has them."""
        ...

    def silences(self) -> list[dict[str, Any]]:
        """Return all silences as Alertmanager has them."""
        ...

    def silence(
        self,
        matchers: Mapping[str, str],
        start: datetime,
        end: datetime,
        by: str,
        comment: str,
    ) -> str:
        """Make a silence of exact matchers; return its id."""
        ...

    def expire(self, silence_id: str) -> None:
        """End a silence. Raises `errors.NotFound`."""
        ...


class Escalation(Protocol):
    """Tells people."""

    def notify(self, subject: str, facts: Mapping[str, Any]) -> None:
        """Tell them. Raises `errors.Unavailable`."""
        ...
