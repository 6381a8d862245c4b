"""The healer's state: config, episodes, locks, places, breakers and actions."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from chalicelib.adapters.dynamodb import rails, transactions
from chalicelib.adapters.dynamodb.items import (
    ALL,
    at,
    event_item,
    moment_of,
    number,
    read_action,
    text,
    total_updates,
)
from chalicelib.adapters.dynamodb.transactions import Step, Stopped, Tables
from chalicelib.autoheal.actions import Action, State
from chalicelib.autoheal.decide import History, Reason
from chalicelib.autoheal.modes import Breaker, BreakerState, Config, Mode
from chalicelib.autoheal.ports import ActionClaim, Ending
from chalicelib.autoheal.records import ChangeRecord
from chalicelib.shared.clock import Clock

Item = dict[str, Any]


class DynamoHealStore:
    """A `HealStore`."""

    def __init__(self, dynamodb: Any, tables: Tables, clock: Clock) -> None:
        """Use `tables.state` and `tables.actions`, and write notes to the other two."""
        self._dynamodb = dynamodb
        self._tables = tables
        self._clock = clock
        self._rails = rails.Rails(tables)

    def config(self) -> Config | None:
        """Return what somebody set; None where nobody has."""
        item = self._get(rails.config_key(0))
        if not item:
            return None
        return Config(
            mode=Mode(item["mode"]["S"]),
            chaos_percent=float(item["chaos_percent"]["N"]),
            chaos_until=moment_of(item.get("chaos_until")),
            version=int(item["version"]["N"]),
            changed_by=item["changed_by"]["S"],
            changed_at=moment_of(item.get("changed_at")),
        )

    def change_config(self, new: Config, record: ChangeRecord) -> bool:
        """Store all copies of `new`, if its version follows the present one."""
        item = {
            "mode": text(new.mode),
            "chaos_percent": number(new.chaos_percent),
            "version": number(new.version),
            "changed_by": text(new.changed_by),
        }
        for name, moment in (
            ("chaos_until", new.chaos_until),
            ("changed_at", new.changed_at),
        ):
            if moment is not None:
                item[name] = at(moment)
        condition: Item = {"ConditionExpression": "attribute_not_exists(pk)"}
        if new.version > 1:
            values = {":last": number(new.version - 1)}
            condition = {
                "ConditionExpression": "version = :last",
                "ExpressionAttributeValues": values,
            }
        steps = []
        for copy in range(rails.CONFIG_COPIES):
            put = {
                "TableName": self._tables.state,
                "Item": {"pk": text(rails.config_key(copy)), **item},
                **condition,
            }
            steps.append(Step({"Put": put}, rails.MODE))
        try:
            self._run(
                [*steps, *self._record_steps(record, new.version)], transactions.DEFAULT_SECONDS
            )
        except Stopped:
            return False
        return True

    def history(self, episode: str, target: str, now: datetime) -> History:
        """Return what is known of the episode and the target."""
        return self.histories([(episode, target)], now)[0]

    def histories(self, wanted: Sequence[tuple[str, str]], now: datetime) -> list[History]:
        """Return the same of many, read together."""
        keys = [
            (rails.episode_key(episode), rails.lock_key(target) if target else "")
            for episode, target in wanted
        ]
        asked = sorted({key for pair in keys for key in pair if key})
        found = transactions.read_all(self._dynamodb, self._tables.state, asked)
        return [
            _history(found.get(episode, {}), found.get(lock, {}), now) for episode, lock in keys
        ]

    def claim(self, claim: ActionClaim, *, seconds: float) -> Action | Reason:
        """Pass every rail in one transaction; where a place in the fleet is taken, try the next."""
        now = self._clock.now()
        breaker = self.breakers([claim.action.alertname])[claim.action.alertname]
        if breaker.state is BreakerState.OPEN:
            return Reason.BREAKER_OPEN
        trial = breaker.state is BreakerState.HALF_OPEN
        deadline = self._clock.monotonic() + seconds
        stopped = Reason.FLEET_BUSY
        for offset in range(claim.fleet_cap):
            slot = (claim.action.id.int + offset) % claim.fleet_cap
            action = replace(claim.action, slot=slot, trial=trial)
            steps = [
                *self._rails.claim(claim, action, now),
                *self._record_steps(claim.record, action.id.int),
            ]
            try:
                self._run(steps, deadline - self._clock.monotonic())
            except Stopped as problem:
                stopped = rails.why(problem.rails, claim, now)
                if stopped is not Reason.FLEET_BUSY:
                    return stopped
            else:
                return action
        return stopped

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
        """Take an edge. A lock or a place whose lease ended, and that others hold now, is left to them."""
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
        """Note that the episode is over; return its open action."""
        with transactions.translate_errors():
            done = self._dynamodb.update_item(
                TableName=self._tables.state,
                Key={"pk": text(rails.episode_key(episode))},
                UpdateExpression="SET resolved_at = :now, expires_at = :gone",
                ExpressionAttributeValues={
                    ":now": at(now),
                    ":gone": number(int((now + rails.KEPT).timestamp())),
                },
                ReturnValues="ALL_NEW",
            )
        found = done["Attributes"].get("open_action")
        return UUID(found["S"]) if found else None

    def action(self, action_id: UUID) -> Action | None:
        """Return an action, read consistently."""
        with transactions.translate_errors():
            key = {"action_id": text(action_id)}
            got = self._dynamodb.get_item(
                TableName=self._tables.actions, Key=key, ConsistentRead=True
            )
        return read_action(got["Item"]) if "Item" in got else None

    def actions(
        self, state: State | None, *, limit: int, after: str = ""
    ) -> tuple[list[Action], str]:
        """Return actions, newest first, those of one state where one is named, and where to go on."""
        call: Item = {
            "TableName": self._tables.actions,
            "IndexName": "all_of",
            "KeyConditionExpression": "all_of = :all",
            "ExpressionAttributeValues": {":all": text(ALL)},
            "ScanIndexForward": False,
            "Limit": limit + 1,
        }
        if after:
            call["KeyConditionExpression"] += " AND created_at < :after"
            call["ExpressionAttributeValues"][":after"] = text(after)
        if state is not None:
            call |= {
                "FilterExpression": "#state = :state",
                "ExpressionAttributeNames": {"#state": "state"},
            }
            call["ExpressionAttributeValues"][":state"] = text(state)
        items: list[Item] = []
        while True:
            with transactions.translate_errors():
                page = self._dynamodb.query(**call)
            items += page["Items"]
            if len(items) > limit or "LastEvaluatedKey" not in page:
                shown = items[:limit]
                following = shown[-1]["created_at"]["S"] if len(items) > limit else ""
                return [read_action(item) for item in shown], following
            call["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def due(self, state: State, until: datetime, *, limit: int) -> list[Action]:
        """Return what is to be looked at before `until`."""
        with transactions.translate_errors():
            page = self._dynamodb.query(
                TableName=self._tables.actions,
                IndexName="due",
                KeyConditionExpression="#state = :state AND next_check < :until",
                ExpressionAttributeNames={"#state": "state"},
                ExpressionAttributeValues={":state": text(state), ":until": at(until)},
                Limit=limit,
            )
        return [read_action(item) for item in page["Items"]]

    def breakers(self, runbooks: Collection[str]) -> dict[str, Breaker]:
        """Return the breakers of `runbooks`."""
        return {name: self._breaker(name) for name in runbooks}

    def change_breaker(self, before: Breaker, after: Breaker, record: ChangeRecord) -> bool:
        """Store `after` if the breaker is still as `before`."""
        item = {"pk": text(rails.breaker_key(after.runbook)), "state": text(after.state)}
        item["failures"] = number(after.failures)
        if after.open_until is not None:
            item["open_until"] = at(after.open_until)
        if after.trial:
            item["trial"] = text(after.trial)
        put = {
            "TableName": self._tables.state,
            "Item": item,
            "ConditionExpression": "#state = :state AND failures = :failures",
            "ExpressionAttributeNames": {"#state": "state"},
            "ExpressionAttributeValues": {
                ":state": text(before.state),
                ":failures": number(before.failures),
            },
        }
        try:
            self._run(
                [Step({"Put": put}, rails.BREAKER), *self._record_steps(record, 0)],
                transactions.DEFAULT_SECONDS,
            )
        except Stopped:
            return False
        return True

    def hold(self, name: str, owner: str, now: datetime, until: datetime) -> bool:
        """Take or renew a lease."""
        call = {
            "TableName": self._tables.state,
            "Key": {"pk": text(f"LEASE#{name}")},
            "UpdateExpression": "SET holder = :me, lease_until = :until",
            "ConditionExpression": f"holder = :me OR {rails.FREE}",
            "ExpressionAttributeValues": {
                ":me": text(owner),
                ":until": at(until),
                ":now": at(now),
            },
        }
        return transactions.conditional_write(self._dynamodb.update_item, call)

    def release(self, name: str, owner: str) -> None:
        """Give a lease back; one that somebody else holds by now stays theirs."""
        call = {
            "TableName": self._tables.state,
            "Key": {"pk": text(f"LEASE#{name}")},
            "UpdateExpression": "REMOVE holder, lease_until",
            "ConditionExpression": "holder = :me",
            "ExpressionAttributeValues": {":me": text(owner)},
        }
        transactions.conditional_write(self._dynamodb.update_item, call)

    def _breaker(self, runbook: str) -> Breaker:
        item = self._get(rails.breaker_key(runbook))
        if not item:
            return Breaker(runbook)
        return Breaker(
            runbook=runbook,
            state=BreakerState(item["state"]["S"]) if "state" in item else BreakerState.CLOSED,
            failures=int(item["failures"]["N"]) if "failures" in item else 0,
            open_until=moment_of(item.get("open_until")),
            trial=item["trial"]["S"] if "trial" in item else "",
        )

    def _get(self, key: str) -> Item:
        with transactions.translate_errors():
            got = self._dynamodb.get_item(
                TableName=self._tables.state, Key={"pk": text(key)}, ConsistentRead=True
            )
        return dict(got.get("Item", {}))

    def _record_steps(self, record: ChangeRecord, shard: int) -> list[Step]:
        events = [
            {"Put": {"TableName": self._tables.audit, "Item": event_item(event)}}
            for event in record.events
        ]
        return [
            Step(write)
            for write in (
                *events,
                *total_updates(self._tables.totals, record.increments, shard),
            )
        ]

    def _run(self, steps: list[Step], seconds: float) -> None:
        transactions.run(self._dynamodb, steps, seconds=seconds)


def _history(episode: Item, lock: Item, now: datetime) -> History:
    lease = moment_of(lock.get("lease_until"))
    return History(
        attempts=int(episode["attempts"]["N"]) if "attempts" in episode else 0,
        busy="open_action" in episode,
        resolved="resolved_at" in episode,
        cooldown_until=moment_of(lock.get("cooldown_until")),
        locked="holder" in lock and lease is not None and lease >= now,
    )
