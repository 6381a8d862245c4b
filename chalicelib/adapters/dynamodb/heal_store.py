"""The healer's state in DynamoDB: claims and changes of actions, each in one transaction."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from chalicelib.adapters.dynamodb import rails, transactions
from chalicelib.adapters.dynamodb.actions import ActionReader
from chalicelib.adapters.dynamodb.breakers import BreakerTable
from chalicelib.adapters.dynamodb.config_table import ConfigTable
from chalicelib.adapters.dynamodb.items import at, moment_of, number, text
from chalicelib.adapters.dynamodb.named_leases import NamedLeases
from chalicelib.adapters.dynamodb.state_table import Item
from chalicelib.adapters.dynamodb.transactions import Stopped, Tables
from chalicelib.autoheal.actions import Action, State
from chalicelib.autoheal.decide import History, Reason
from chalicelib.autoheal.modes import BreakerState
from chalicelib.autoheal.ports import ActionClaim, Ending
from chalicelib.autoheal.records import ChangeRecord
from chalicelib.shared.clock import Clock


class DynamoHealStore(ConfigTable, BreakerTable, NamedLeases):
    """A `HealStore`."""

    def __init__(self, dynamodb: Any, tables: Tables, clock: Clock) -> None:
        """Use all of `tables`."""
        super().__init__(dynamodb, tables)
        self._clock = clock
        self._rails = rails.Rails(tables)
        self._actions = ActionReader(dynamodb, tables.actions)

    def history(self, episode: str, target: str, now: datetime) -> History:
        """Return the history of the episode and the target."""
        return self.histories([(episode, target)], now)[0]

    def histories(self, keys: Sequence[tuple[str, str]], now: datetime) -> list[History]:
        """Return the history of each episode and target ("" for none), read together."""
        pairs = [
            (rails.episode_key(episode), rails.lock_key(target) if target else "")
            for episode, target in keys
        ]
        asked = sorted({key for pair in pairs for key in pair if key})
        items = transactions.read_all(self._dynamodb, self._tables.state, asked)
        return [
            _history(items.get(episode, {}), items.get(lock, {}), now) for episode, lock in pairs
        ]

    def claim(self, claim: ActionClaim, *, seconds: float) -> Action | Reason:
        """Pass every rail in one transaction; where a slot of the fleet is taken, try the next."""
        now = self._clock.now()
        breaker = self.breakers([claim.action.alertname])[claim.action.alertname]
        if breaker.state is BreakerState.OPEN:
            return Reason.BREAKER_OPEN
        trial = breaker.state is BreakerState.HALF_OPEN
        deadline = self._clock.monotonic() + seconds
        reason = Reason.FLEET_BUSY
        for offset in range(claim.fleet_cap):
            slot = (claim.action.id.int + offset) % claim.fleet_cap
            action = replace(claim.action, slot=slot, trial=trial)
            steps = self._rails.claim(claim, action, now)
            steps += self._record_steps(claim.record, action.id.int)
            try:
                self._run(steps, deadline - self._clock.monotonic())
            except Stopped as problem:
                reason = rails.why(problem.rails, claim, now)
                if reason is not Reason.FLEET_BUSY:
                    return reason
            else:
                return action
        return reason

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

        Where the lease of its lock or slot has ended and another action holds it now, that
        one keeps it.
        """
        steps = [self._rails.put_action(before, after)]
        if config_version is not None:
            steps.append(self._rails.config(after, config_version))
        if ending is not None:
            steps += self._rails.ending(after, ending)
        steps += self._record_steps(record, after.id.int)
        deadline = self._clock.monotonic() + seconds
        while True:
            try:
                self._run(steps, deadline - self._clock.monotonic())
            except Stopped as problem:
                if problem.rails.keys() & {rails.ACTION, rails.MODE}:
                    return False
                steps = [step for step in steps if not step.rail or step.rail not in problem.rails]
            else:
                return True

    def resolve(self, episode: str, now: datetime) -> UUID | None:
        """Record that the episode is over; return the id of its open action, if it has one."""
        expires = int((now + rails.RETENTION).timestamp())
        with transactions.translate_errors():
            response = self._dynamodb.update_item(
                TableName=self._tables.state,
                Key={"pk": text(rails.episode_key(episode))},
                UpdateExpression="SET resolved_at = :now, expires_at = :gone",
                ExpressionAttributeValues={":now": at(now), ":gone": number(expires)},
                ReturnValues="ALL_NEW",
            )
        open_action = response["Attributes"].get("open_action")
        return UUID(open_action["S"]) if open_action else None

    def action(self, action_id: UUID) -> Action | None:
        """Return an action, read consistently."""
        return self._actions.read(action_id)

    def actions(
        self, state: State | None, *, limit: int, after: str = ""
    ) -> tuple[list[Action], str]:
        """Return actions, newest first, and the cursor of the next page ("" at the end)."""
        return self._actions.page(state, limit=limit, after=after)

    def due(self, state: State, until: datetime, *, limit: int) -> list[Action]:
        """Return actions in `state` that are due before `until`, the most urgent first."""
        return self._actions.due(state, until, limit=limit)


def _history(episode: Item, lock: Item, now: datetime) -> History:
    lease = moment_of(lock.get("lease_until"))
    return History(
        attempts=int(episode["attempts"]["N"]) if "attempts" in episode else 0,
        busy="open_action" in episode,
        resolved="resolved_at" in episode,
        cooldown_until=moment_of(lock.get("cooldown_until")),
        locked="holder" in lock and lease is not None and lease >= now,
    )
