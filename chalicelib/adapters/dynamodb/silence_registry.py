"""Who made which silence: a conditional place for each alert, so that a double click makes one."""

from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from chalicelib.adapters.dynamodb import transactions
from chalicelib.adapters.dynamodb.items import at, number, text
from chalicelib.autoheal.acknowledge import HeldSilence

Item = dict[str, Any]


class DynamoSilenceRegistry:
    """A `SilencePlaces`, in the state table."""

    def __init__(self, dynamodb: Any, tables: transactions.Tables) -> None:
        """Use `tables.state`."""
        self._dynamodb = dynamodb
        self._table = tables.state

    def reserve(self, key: str, owner: str, now: datetime, until: datetime) -> HeldSilence | None:
        """Take the place, or return what is in it."""
        call = self._call(key) | {
            "UpdateExpression": "SET holder = :me, lease_until = :until, expires_at = :gone REMOVE silence_id, ends_at",
            "ConditionExpression": "attribute_not_exists(lease_until) OR lease_until <= :now",
            "ExpressionAttributeValues": {
                ":me": text(owner),
                ":until": at(until),
                ":now": at(now),
                ":gone": number(int(until.timestamp()) + 86_400),
            },
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        with transactions.translate_errors():
            try:
                self._dynamodb.update_item(**call)
            except ClientError as problem:
                response: Any = problem.response
                if response["Error"]["Code"] != "ConditionalCheckFailedException":
                    raise
                there: Item = response.get("Item") or {}
                return HeldSilence(there["silence_id"]["S"] if "silence_id" in there else "")
        return None

    def keep(self, key: str, owner: str, silence_id: str, ends: datetime) -> bool:
        """Put the id into the place, for as long as the silence lasts; and how to find the place by it."""
        call = self._call(key) | {
            "UpdateExpression": "SET silence_id = :id, lease_until = :ends, expires_at = :gone",
            "ConditionExpression": "holder = :me",
            "ExpressionAttributeValues": {
                ":me": text(owner),
                ":id": text(silence_id),
                ":ends": at(ends),
                ":gone": number(int(ends.timestamp()) + 86_400),
            },
        }
        if not transactions.conditional_write(self._dynamodb.update_item, call):
            return False
        back = {"pk": text(f"SILENCE#{silence_id}"), "place": text(key)}
        back["expires_at"] = number(int(ends.timestamp()) + 86_400)
        with transactions.translate_errors():
            self._dynamodb.put_item(TableName=self._table, Item=back)
        return True

    def release(self, key: str, owner: str) -> None:
        """Let the place go."""
        call = self._call(key) | {
            "ConditionExpression": "holder = :me AND attribute_not_exists(silence_id)"
        }
        transactions.conditional_write(
            self._dynamodb.delete_item,
            call | {"ExpressionAttributeValues": {":me": text(owner)}},
        )

    def forget(self, silence_id: str) -> None:
        """Empty the place that holds `silence_id`."""
        with transactions.translate_errors():
            got = self._dynamodb.get_item(
                TableName=self._table, Key={"pk": text(f"SILENCE#{silence_id}")}
            )
        if "Item" in got:
            call = self._call(got["Item"]["place"]["S"]) | {
                "ConditionExpression": "silence_id = :id"
            }
            transactions.conditional_write(
                self._dynamodb.delete_item,
                call | {"ExpressionAttributeValues": {":id": text(silence_id)}},
            )

    def _call(self, key: str) -> Item:
        return {"TableName": self._table, "Key": {"pk": text(f"ACK#{key}")}}
