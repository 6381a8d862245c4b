"""The rails of a claim and the effects of an end, as steps of a transaction.

Items that every claim touches are spread, since DynamoDB rejects concurrent transactions on
the same item: the configuration has several copies, the fleet's slots are tried from one that
depends on the action's id, and counters go to a shard that does.
"""

from datetime import datetime, timedelta
from typing import Any, Final

from chalicelib.adapters.dynamodb.items import action_item, at, number, text
from chalicelib.adapters.dynamodb.transactions import Step, Tables
from chalicelib.autoheal.actions import Action
from chalicelib.autoheal.decide import Reason
from chalicelib.autoheal.modes import BreakerState
from chalicelib.autoheal.ports import ActionClaim, Ending

CONFIG_COPIES: Final = 8
RETENTION: Final = timedelta(days=7)
"""How long an episode is remembered after its last change."""
MAX_ATTEMPTS: Final = 1_000_000
"""The attempts of an episode that must not be tried again."""
MODE = "mode"
EPISODE = "episode"
LOCK = "lock"
BREAKER = "breaker"
BUDGET = "budget"
SLOT = "slot"
ACTION = "action"
FREE: Final = "attribute_not_exists(holder) OR lease_until < :now"

Item = dict[str, Any]


def config_key(copy: int) -> str:
    """Return the key of one copy of the config."""
    return f"CFG#global#{copy % CONFIG_COPIES}"


def episode_key(episode: str) -> str:
    """Return the key of an episode."""
    return f"EP#{episode}"


def lock_key(target: str) -> str:
    """Return the key of a target's lock."""
    return f"LOCK#{target}"


def breaker_key(runbook: str) -> str:
    """Return the key of a runbook's breaker."""
    return f"BRK#{runbook}"


def slot_key(slot: int) -> str:
    """Return the key of a slot of the fleet."""
    return f"SLOT#{slot}"


class Rails:
    """Builds the steps for `tables`."""

    def __init__(self, tables: Tables) -> None:
        """Use `tables.state` and `tables.actions`."""
        self._tables = tables

    def claim(self, claim: ActionClaim, action: Action, now: datetime) -> list[Step]:
        """Return the steps of a claim, their rails in order of precedence."""
        return [
            self.config(action, claim.config_version),
            self._episode(action, now),
            self._lock(claim, action, now),
            self._breaker(claim, action),
            self._budget(claim, action, now),
            self._slot(claim, action, now),
            Step(
                {
                    "Put": {
                        "TableName": self._tables.actions,
                        "Item": action_item(action),
                        "ConditionExpression": "attribute_not_exists(action_id)",
                    }
                },
                ACTION,
            ),
        ]

    def config(self, action: Action, version: int) -> Step:
        """Return the check that the configuration is still of `version`."""
        condition = "version = :version" if version else "attribute_not_exists(pk)"
        check: Item = {
            "TableName": self._tables.state,
            "Key": {"pk": text(config_key(action.id.int))},
            "ConditionExpression": condition,
        }
        if version:
            check["ExpressionAttributeValues"] = {":version": number(version)}
        return Step({"ConditionCheck": check}, MODE)

    def put_action(self, before: Action, after: Action) -> Step:
        """Return the write of `after`, on the condition that the action is still as `before`."""
        return Step(
            {
                "Put": {
                    "TableName": self._tables.actions,
                    "Item": action_item(after),
                    "ConditionExpression": "#state = :state AND version = :version",
                    "ExpressionAttributeNames": {"#state": "state"},
                    "ExpressionAttributeValues": {
                        ":state": text(before.state),
                        ":version": number(before.version),
                    },
                }
            },
            ACTION,
        )

    def ending(self, action: Action, ending: Ending) -> list[Step]:
        """Return what releases the episode, the target and the slot, and updates the breaker."""
        change = "REMOVE open_action"
        values = dict[str, Item]()
        if ending.spent:
            change = "SET attempts = :never REMOVE open_action"
            values = {":never": number(MAX_ATTEMPTS)}
        steps = [Step(self._update(episode_key(action.episode), change, values))]
        mine = {":me": text(action.id)}
        change = "REMOVE holder, lease_until"
        unlock = self._update(lock_key(action.target), change, mine, "holder = :me")
        if ending.cooldown_until is not None:
            change = "SET cooldown_until = :until REMOVE holder, lease_until"
            values = mine | {":until": at(ending.cooldown_until)}
            unlock = self._update(lock_key(action.target), change, values, "holder = :me")
        steps.append(Step(unlock, LOCK))
        steps.append(
            Step(
                self._update(
                    slot_key(action.slot),
                    "REMOVE holder, lease_until",
                    mine,
                    "holder = :me",
                ),
                SLOT,
            )
        )
        return steps + self._breaker_update(action, ending)

    def _breaker_update(self, action: Action, ending: Ending) -> list[Step]:
        key = breaker_key(action.alertname)
        if ending.healthy:
            values = {":closed": text(BreakerState.CLOSED), ":none": number(0)}
            return [
                Step(
                    self._update(key, "SET #state = :closed, failures = :none REMOVE trial", values)
                )
            ]
        if ending.healthy is False:
            values = {":closed": text(BreakerState.CLOSED), ":one": number(1)}
            change = "SET #state = if_not_exists(#state, :closed) ADD failures :one REMOVE trial"
            return [Step(self._update(key, change, values))]
        if action.trial:
            return [Step(self._update(key, "REMOVE trial", {}))]
        return []

    def _episode(self, action: Action, now: datetime) -> Step:
        values = {
            ":n": number(action.attempt),
            ":me": text(action.id),
            ":gone": number(int((now + RETENTION).timestamp())),
            ":last": number(action.attempt - 1),
        }
        first = "attribute_not_exists(attempts) OR " if action.attempt == 1 else ""
        condition = (
            f"({first}attempts = :last) AND attribute_not_exists(open_action)"
            " AND attribute_not_exists(resolved_at)"
        )
        change = "SET attempts = :n, open_action = :me, expires_at = :gone"
        return Step(self._update(episode_key(action.episode), change, values, condition), EPISODE)

    def _lock(self, claim: ActionClaim, action: Action, now: datetime) -> Step:
        values = {":me": text(action.id), ":lease": at(claim.lease_until), ":now": at(now)}
        condition = f"({FREE}) AND (attribute_not_exists(cooldown_until) OR cooldown_until <= :now)"
        change = "SET holder = :me, lease_until = :lease"
        return Step(self._update(lock_key(action.target), change, values, condition), LOCK)

    def _breaker(self, claim: ActionClaim, action: Action) -> Step:
        key = breaker_key(action.alertname)
        if action.trial:
            values = {":half": text(BreakerState.HALF_OPEN), ":me": text(action.id)}
            condition = "#state = :half AND attribute_not_exists(trial)"
            return Step(self._update(key, "SET trial = :me", values, condition), BREAKER)
        check: Item = {
            "TableName": self._tables.state,
            "Key": {"pk": text(key)},
            "ConditionExpression": (
                "attribute_not_exists(pk) OR (#state = :closed AND failures < :limit)"
            ),
            "ExpressionAttributeNames": {"#state": "state"},
            "ExpressionAttributeValues": {
                ":closed": text(BreakerState.CLOSED),
                ":limit": number(claim.breaker_failures),
            },
        }
        return Step({"ConditionCheck": check}, BREAKER)

    def _budget(self, claim: ActionClaim, action: Action, now: datetime) -> Step:
        key = f"BUDGET#{action.alertname}#{now:%Y-%m-%dT%H}"
        gone = number(int((now + timedelta(hours=2)).timestamp()))
        values = {":one": number(1), ":cap": number(claim.hourly_cap), ":gone": gone}
        condition = "attribute_not_exists(used) OR used < :cap"
        return Step(
            self._update(key, "ADD used :one SET expires_at = :gone", values, condition),
            BUDGET,
        )

    def _slot(self, claim: ActionClaim, action: Action, now: datetime) -> Step:
        values = {":me": text(action.id), ":lease": at(claim.lease_until), ":now": at(now)}
        change = "SET holder = :me, lease_until = :lease"
        return Step(self._update(slot_key(action.slot), change, values, FREE), SLOT)

    def _update(self, key: str, change: str, values: Item, condition: str = "") -> Item:
        update: Item = {
            "TableName": self._tables.state,
            "Key": {"pk": text(key)},
            "UpdateExpression": change,
        }
        if values:
            update["ExpressionAttributeValues"] = values
        if condition:
            update["ConditionExpression"] = condition
            update["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        if "#state" in change + condition:
            update["ExpressionAttributeNames"] = {"#state": "state"}
        return {"Update": update}


def why(rails: dict[str, Item], claim: ActionClaim, now: datetime) -> Reason:
    """Return why a claim was refused, from the rails whose conditions did not hold."""
    if MODE in rails:
        return Reason.MODE_CHANGED
    if EPISODE in rails:
        episode = rails[EPISODE]
        if "resolved_at" in episode:
            return Reason.RESOLVED
        attempts = int(episode["attempts"]["N"]) if "attempts" in episode else None
        spent = attempts is not None and attempts >= claim.attempts
        if spent and "open_action" not in episode:
            return Reason.ATTEMPTS_SPENT
        return Reason.IN_PROGRESS
    if LOCK in rails:
        until = rails[LOCK].get("cooldown_until")
        if until and float(until["N"]) > now.timestamp():
            return Reason.COOLDOWN
        return Reason.TARGET_LOCKED
    if BREAKER in rails:
        return Reason.BREAKER_OPEN
    if BUDGET in rails:
        return Reason.BUDGET_SPENT
    return Reason.FLEET_BUSY if SLOT in rails else Reason.IN_PROGRESS
