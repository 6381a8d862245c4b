"""Steps of the contract suites of `HealStore`: plan, claim and end an action."""

from datetime import timedelta
from typing import Any

from chalicelib.autoheal.actions import Action, State, action_id
from chalicelib.autoheal.audit import AuditEvent, Kind
from chalicelib.autoheal.ports import ActionClaim, Ending
from chalicelib.autoheal.records import ChangeRecord, change_record
from tests.builders.alerts import TCP
from tests.contract.autoheal_suites import (
    Suite,
)
from tests.fakes.clock import START

SECONDS = 8.0
MINUTE = timedelta(minutes=1)


def planned(
    episode: str = "a1#t", attempt: int = 1, target: str = "tag=crm", **values: Any
) -> Action:
    defaults: dict[str, Any] = {
        "id": action_id(episode, attempt),
        "episode": episode,
        "attempt": attempt,
        "alertname": TCP,
        "labels": {"service": "crm"},
        "target": target,
        "command": "doc:1 Service=crm",
        "parameters": {"Service": "crm"},
        "state": State.PLANNED,
        "version": 1,
        "created_at": START,
        "changed_at": START,
        "next_check": START + MINUTE,
    }
    return Action(**(defaults | values))


def claim(action: Action, **values: Any) -> ActionClaim:
    event = AuditEvent(START, Kind.ACTION_ELIGIBLE, TCP, {"action_id": str(action.id)})
    defaults: dict[str, Any] = {
        "action": action,
        "config_version": 0,
        "attempts": 2,
        "hourly_cap": 6,
        "fleet_cap": 3,
        "breaker_failures": 3,
        "lease_until": START + 20 * MINUTE,
        "record": change_record(event),
    }
    return ActionClaim(**(defaults | values))


def claimed(suite: Suite, action: Action, **values: Any) -> Action:
    action_or_reason = suite.store.claim(claim(action, **values), seconds=SECONDS)
    assert isinstance(action_or_reason, Action), action_or_reason
    return action_or_reason


def ended(suite: Suite, action: Action, to: State = State.CANCELLED, **values: Any) -> Action:
    after = action.moved(to, suite.now)
    assert suite.store.move(action, after, ChangeRecord(), seconds=SECONDS, ending=Ending(**values))
    return after
