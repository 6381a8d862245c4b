"""What operators do: look at actions, approve or reject them, change the mode."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import Field

from chalicelib.autoheal.actions import Action, State
from chalicelib.autoheal.audit import AuditEvent, Kind
from chalicelib.autoheal.chaos import MAX_PERCENT
from chalicelib.autoheal.dependencies import Dependencies
from chalicelib.autoheal.dispatch import dispatch, finish, move
from chalicelib.autoheal.modes import Config, Mode
from chalicelib.autoheal.records import action_event, change_record
from chalicelib.shared.clock import rfc3339
from chalicelib.shared.errors import Conflict, NotFound, PreconditionFailed
from chalicelib.shared.preconditions import NO_PRECONDITION, Precondition, stale_version
from chalicelib.shared.schema import Model
from chalicelib.telemetry.increments import Increments

MAX_LISTED: Final = 100
MAX_CHAOS: Final = timedelta(hours=24)
DEFAULT_CHAOS_SECONDS: Final = 1_800


class ModeName(StrEnum):
    """The modes, as requests name them."""

    OFF = "off"
    DRY_RUN = "dry_run"
    LIVE = "live"


class ChaosChange(Model):
    """Failures on purpose: `percent` of actions fail for `seconds`, then none."""

    percent: Annotated[float, Field(ge=0, le=MAX_PERCENT)]
    seconds: Annotated[int, Field(ge=1, le=int(MAX_CHAOS.total_seconds()))] = DEFAULT_CHAOS_SECONDS


class ConfigChange(Model):
    """What to change. What is left out stays as it is."""

    mode: Annotated[ModeName, Field(strict=False)] | None = None
    chaos: ChaosChange | None = None


class AutohealAdmin:
    """What operators can do."""

    def __init__(self, dependencies: Dependencies) -> None:
        """Work with `dependencies`."""
        self._dependencies = dependencies

    def config(self) -> dict[str, Any]:
        """Return the configuration in force, and the breakers."""
        return self._config_to_dict(self._dependencies.config())

    def change(
        self, change: ConfigChange, by: str, *, precondition: Precondition = NO_PRECONDITION
    ) -> dict[str, Any]:
        """Change the config, if its version meets `precondition`.

        Raises:
            errors.PreconditionFailed: it has been changed in the meantime.
        """
        dependencies = self._dependencies
        now = dependencies.clock.now()
        before = dependencies.config()
        if not precondition.allows(before.version):
            raise stale_version(before.version)
        percent = before.chaos_percent
        until = before.chaos_until
        if change.chaos is not None:
            percent = change.chaos.percent
            until = now + timedelta(seconds=change.chaos.seconds) if percent else None
        mode = Mode(change.mode) if change.mode else before.mode
        after = Config(mode, percent, until, before.version + 1, by, now)
        details = {
            "by": by,
            "mode": str(mode),
            "was": str(before.mode),
            "chaos_percent": percent,
        }
        if until:
            details["chaos_until"] = rfc3339(until)
        event = AuditEvent(now, Kind.CONFIG_CHANGED, details=details)
        if not dependencies.store.change_config(after, change_record(event)):
            raise _stale(dependencies.config().version)
        return self._config_to_dict(after)

    def read(self, action_id: UUID) -> dict[str, Any]:
        """Return an action. Raises `errors.NotFound`."""
        return action_to_dict(self._action(action_id))

    def listed(
        self, state: State | None, *, limit: int, after: str = ""
    ) -> tuple[list[dict[str, Any]], str]:
        """Return actions, and the cursor of the next page ("" at the end)."""
        actions, following = self._dependencies.store.actions(state, limit=limit, after=after)
        return [action_to_dict(action) for action in actions], following

    def approve(self, action_id: UUID, by: str, *, seconds: float) -> dict[str, Any]:
        """Approve a waiting action, and send its command at once.

        Raises:
            errors.NotFound: there is no such action.
            errors.Conflict: it is not waiting for approval (any more).
        """
        dependencies = self._dependencies
        action = self._waiting(action_id)
        now = dependencies.clock.now()
        check = now + timedelta(seconds=dependencies.policy.dispatch_grace_seconds)
        planned = action.moved(State.PLANNED, now, approved_by=by, next_check=check)
        record = change_record(action_event(planned, Kind.APPROVED, now, by=by))
        if not move(dependencies, action, planned, record, seconds=seconds):
            raise _not_waiting(self._action(action_id))
        sent = dispatch(dependencies, planned, dependencies.config(), seconds=seconds)
        dependencies.record([], Increments())
        return action_to_dict(sent)

    def reject(self, action_id: UUID, by: str, *, seconds: float) -> dict[str, Any]:
        """Cancel a waiting action. Raises as `approve` does."""
        dependencies = self._dependencies
        action = self._waiting(action_id)
        ended = finish(
            dependencies,
            action,
            State.CANCELLED,
            seconds=seconds,
            detail=f"rejected by {by}"[:300],
        )
        if ended.state is not State.CANCELLED or ended.version != action.version + 1:
            raise _not_waiting(ended)
        details = {"by": by, "action_id": str(action.id), "target": action.target}
        now = dependencies.clock.now()
        event = AuditEvent(now, Kind.REJECTED, action.alertname, details)
        dependencies.record([event], Increments())
        return action_to_dict(ended)

    def _config_to_dict(self, config: Config) -> dict[str, Any]:
        dependencies = self._dependencies
        now = dependencies.clock.now()
        percent = config.chaos_at(now)
        breakers = dependencies.store.breakers(dependencies.runbooks)
        limit = dependencies.policy.breaker_failures
        return {
            "mode": str(config.mode),
            "version": config.version,
            "changedBy": config.changed_by or None,
            "changedAt": _moment(config.changed_at),
            "chaos": {
                "percent": percent,
                "until": _moment(config.chaos_until) if percent else None,
            },
            "breakers": [
                {
                    "runbook": name,
                    "state": str(breaker.in_force(limit)),
                    "failures": breaker.failures,
                    "openUntil": _moment(breaker.open_until),
                }
                for name, breaker in sorted(breakers.items())
            ],
        }

    def _action(self, action_id: UUID) -> Action:
        action = self._dependencies.store.action(action_id)
        if action is None:
            raise NotFound(f"There is no remediation {action_id}.")
        return action

    def _waiting(self, action_id: UUID) -> Action:
        action = self._action(action_id)
        if action.state is not State.AWAITING_APPROVAL:
            raise _not_waiting(action)
        return action


def action_to_dict(action: Action) -> dict[str, Any]:
    """Return `action` as callers see it."""
    return {
        "id": str(action.id),
        "alertname": action.alertname,
        "fingerprint": action.fingerprint,
        "labels": dict(action.labels),
        "attempt": action.attempt,
        "target": action.target,
        "command": action.command,
        "state": str(action.state),
        "result": str(action.result) if action.result else None,
        "version": action.version,
        "chaos": action.chaos,
        "dryRun": action.dry_run,
        "commandId": action.command_id or None,
        "approvedBy": action.approved_by or None,
        "followUp": str(action.follow_up) or None,
        "rc": action.rc,
        "detail": action.detail,
        "createdAt": rfc3339(action.created_at),
        "changedAt": rfc3339(action.changed_at),
        "nextCheck": _moment(action.next_check),
        "verifyUntil": _moment(action.verify_until),
    }


def _moment(moment: datetime | None) -> str | None:
    return rfc3339(moment) if moment else None


def _stale(version: int) -> PreconditionFailed:
    return PreconditionFailed(
        f"The config has changed meanwhile: it is at version {version}. Read it again."
    )


def _not_waiting(action: Action) -> Conflict:
    return Conflict(
        f"The action is {action.state}: it does not wait for approval.",
        code="not-awaiting-approval",
    )
