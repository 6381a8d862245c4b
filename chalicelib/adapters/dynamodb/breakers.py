"""The breakers of runbooks in the healer's state table."""

from collections.abc import Collection

from chalicelib.adapters.dynamodb import rails
from chalicelib.adapters.dynamodb.items import at, moment_of, number, text
from chalicelib.adapters.dynamodb.state_table import StateTable
from chalicelib.adapters.dynamodb.transactions import Step, Stopped
from chalicelib.autoheal.modes import Breaker, BreakerState
from chalicelib.autoheal.records import ChangeRecord


class BreakerTable(StateTable):
    """Reads breakers, and changes their state. Ends of actions count in them, in `rails`."""

    def breakers(self, runbooks: Collection[str]) -> dict[str, Breaker]:
        """Return the breakers of `runbooks`."""
        return {name: self._breaker(name) for name in runbooks}

    def change_breaker(self, before: Breaker, after: Breaker, record: ChangeRecord) -> bool:
        """Store `after` if the breaker is still as `before`; return whether it was."""
        item = {
            "pk": text(rails.breaker_key(after.runbook)),
            "state": text(after.state),
            "failures": number(after.failures),
        }
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
            self._run([Step({"Put": put}, rails.BREAKER), *self._record_steps(record, 0)])
        except Stopped:
            return False
        return True

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
