"""Named leases in the healer's state table: at most one holder at a time."""

from datetime import datetime

from chalicelib.adapters.dynamodb import rails, transactions
from chalicelib.adapters.dynamodb.items import at, text
from chalicelib.adapters.dynamodb.state_table import Item, StateTable


class NamedLeases(StateTable):
    """Takes, renews and releases leases."""

    def hold(self, name: str, owner: str, now: datetime, until: datetime) -> bool:
        """Take or renew the lease `name` until `until`; return whether `owner` has it."""
        call = self._lease(name) | {
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
        """Release the lease, if it is still `owner`'s."""
        call = self._lease(name) | {
            "UpdateExpression": "REMOVE holder, lease_until",
            "ConditionExpression": "holder = :me",
            "ExpressionAttributeValues": {":me": text(owner)},
        }
        transactions.conditional_write(self._dynamodb.update_item, call)

    def _lease(self, name: str) -> Item:
        return {"TableName": self._tables.state, "Key": {"pk": text(f"LEASE#{name}")}}
