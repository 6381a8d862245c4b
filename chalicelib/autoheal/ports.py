"""The healer's ports. Each has a fake in the tests that passes the real adapter's suite."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol
from uuid import UUID

from chalicelib.autoheal.actions import Action, State
from chalicelib.autoheal.alert import Alert
from chalicelib.autoheal.audit import AuditEvent, AuditPage, AuditQuery
from chalicelib.autoheal.decide import History, Reason
from chalicelib.autoheal.modes import Breaker, Config
from chalicelib.autoheal.records import ChangeRecord


@dataclass(frozen=True, slots=True)
class ActionClaim:
    """A planned action, and the rails it has to pass.

    `attempts` is how many the episode may have, `hourly_cap` how many actions the runbook may
    start in an hour, `fleet_cap` how many may be open at once.
    """

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
    """What an action leaves behind.

    `healthy` is what the breaker counts, None for nothing; `spent` forbids another attempt.
    """

    cooldown_until: datetime | None = None
    healthy: bool | None = None
    spent: bool = False


class HealStore(Protocol):
    """The healer's state. Raises `errors.Unavailable` while it cannot be reached.

    `seconds` limits how long a call retries conflicts with other writers of the same items.
    """

    def config(self) -> Config | None:
        """Return the configuration that was set, read consistently; None where none was."""
        ...

    def change_config(self, new: Config, record: ChangeRecord) -> bool:
        """Store `new` if its version follows the present one; return whether it did."""
        ...

    def history(self, episode: str, target: str, now: datetime) -> History:
        """Return the history of the episode and the target."""
        ...

    def histories(self, keys: Sequence[tuple[str, str]], now: datetime) -> list[History]:
        """Return the history of each episode and target ("" for none), read together."""
        ...

    def claim(self, claim: ActionClaim, *, seconds: float) -> Action | Reason:
        """Pass every rail and write the action, in one transaction.

        Return the action as it was written, or why a rail refused it.
        """
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
        """Change the action from `before` to `after`; return whether it was still as `before`.

        With `config_version`, the configuration must still be of that version, too.
        """
        ...

    def resolve(self, episode: str, now: datetime) -> UUID | None:
        """Record that the episode is over; return the id of its open action, if it has one."""
        ...

    def action(self, action_id: UUID) -> Action | None:
        """Return an action."""
        ...

    def actions(
        self, state: State | None, *, limit: int, after: str = ""
    ) -> tuple[list[Action], str]:
        """Return actions, newest first, and the cursor of the next page ("" at the end).

        With `state`, only those in it.
        """
        ...

    def due(self, state: State, until: datetime, *, limit: int) -> list[Action]:
        """Return actions in `state` that are due before `until`, the most urgent first."""
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
        """Release the lease, if it is `owner`'s."""
        ...


class AuditLog(Protocol):
    """The log of audit events. Raises `errors.Unavailable`."""

    def append(self, events: Sequence[AuditEvent]) -> None:
        """Add events."""
        ...

    def find(self, query: AuditQuery, now: datetime) -> AuditPage:
        """Return a page of events, newest first."""
        ...


class SendRefused(Exception):
    """The command was refused and certainly did not run."""


class SendUnsure(Exception):
    """It is not known whether the command was accepted."""


class CommandState(StrEnum):
    """The state of a command. `MISSING`: not listed (yet); `NO_TARGETS`: it ran nowhere."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    NO_TARGETS = "no_targets"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class CommandStatus:
    """The status of a command; `rc` is the exit code, None where no machine reported one."""

    state: CommandState
    rc: int | None = None
    detail: str = ""


class Commander(Protocol):
    """Runs documents on machines."""

    def send(self, action: Action, *, document: str, version: str, timeout_seconds: int) -> str:
        """Send the action's command once, without retries; return the command's id.

        Raises:
            SendRefused: it was not accepted, and does not run.
            SendUnsure: it may have been accepted.
        """
        ...

    def status(self, command_id: str) -> CommandStatus:
        """Return the command's status. Raises `errors.Unavailable`."""
        ...

    def find(self, comment: str, since: datetime) -> str | None:
        """Return the id of the command with `comment`, sent after `since`, or None."""
        ...

    def cancel(self, command_id: str) -> None:
        """Request that the command is cancelled, which may have no effect."""
        ...


class AlertSource(Protocol):
    """Alertmanager. Raises `errors.BadGateway` while it cannot be reached."""

    def alerts(self, filters: Mapping[str, str]) -> list[Alert]:
        """Return the firing alerts with these labels, silenced and inhibited ones included."""
        ...

    def listed(self) -> list[dict[str, Any]]:
        """Return all alerts in Alertmanager's own format."""
        ...

    def silences(self) -> list[dict[str, Any]]:
        """Return all silences in Alertmanager's own format."""
        ...

    def silence(
        self,
        matchers: Mapping[str, str],
        start: datetime,
        end: datetime,
        by: str,
        comment: str,
    ) -> str:
        """Create a silence with exact matchers; return its id."""
        ...

    def expire(self, silence_id: str) -> None:
        """End a silence. Raises `errors.NotFound`."""
        ...


class Escalation(Protocol):
    """Notifies people."""

    def notify(self, subject: str, facts: Mapping[str, Any]) -> None:
        """Send a notification. Raises `errors.Unavailable`."""
        ...
