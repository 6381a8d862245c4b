"""The silences of acknowledged alerts: one entry for an alert, so a double click makes one."""

from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from chalicelib.adapters.dynamodb import transactions
from chalicelib.adapters.dynamodb.items import at, number, text
from chalicelib.autoheal.acknowledge import HeldSilence

Item = dict[str, Any]
EXPIRY_MARGIN = 86_400
"""Seconds after which an entry that has ended is deleted."""


class DynamoSilenceRegistry:
    """A `SilenceRegistry`, in the healer's state table."""

    def __init__(self, dynamodb: Any, tables: transactions.Tables) -> None:
        """Use `tables.state`."""
        self._dynamodb = dynamodb
        self._table = tables.state

    def reserve(self, key: str, owner: str, now: datetime, until: datetime) -> HeldSilence | None:
        """Reserve `key`, or return the silence that holds it."""
        call = self._call(key) | {
            "UpdateExpression": (
                "SET holder = :me, lease_until = :until, expires_at = :gone"
                " REMOVE silence_id, ends_at"
            ),
            "ConditionExpression": "attribute_not_exists(lease_until) OR lease_until <= :now",
            "ExpressionAttributeValues": {
                ":me": text(owner),
                ":until": at(until),
                ":now": at(now),
                ":gone": number(int(until.timestamp()) + EXPIRY_MARGIN),
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
                item: Item = response.get("Item") or {}
                return HeldSilence(item["silence_id"]["S"] if "silence_id" in item else "")
        return None

    def keep(self, key: str, owner: str, silence_id: str, ends: datetime) -> bool:
        """Store the id until the silence ends, and the key under the id, for `forget`.

        Return whether `owner` still held the key.
        """
        call = self._call(key) | {
            "UpdateExpression": "SET silence_id = :id, lease_until = :ends, expires_at = :gone",
            "ConditionExpression": "holder = :me",
            "ExpressionAttributeValues": {
                ":me": text(owner),
                ":id": text(silence_id),
                ":ends": at(ends),
                ":gone": number(int(ends.timestamp()) + EXPIRY_MARGIN),
            },
        }
        if not transactions.conditional_write(self._dynamodb.update_item, call):
            return False
        back = {
            "pk": text(f"SILENCE#{silence_id}"),
            "place": text(key),
            "expires_at": number(int(ends.timestamp()) + EXPIRY_MARGIN),
        }
        with transactions.translate_errors():
            self._dynamodb.put_item(TableName=self._table, Item=back)
        return True

    def release(self, key: str, owner: str) -> None:
        """Release the key, unless it has a silence."""
        call = self._call(key) | {
            "ConditionExpression": "holder = :me AND attribute_not_exists(silence_id)"
        }
        transactions.conditional_write(
            self._dynamodb.delete_item,
            call | {"ExpressionAttributeValues": {":me": text(owner)}},
        )

    def forget(self, silence_id: str) -> None:
        """Release the key that holds `silence_id`."""
        with transactions.translate_errors():
            response = self._dynamodb.get_item(
                TableName=self._table, Key={"pk": text(f"SILENCE#{silence_id}")}
            )
        if "Item" in response:
            call = self._call(response["Item"]["place"]["S"]) | {
                "ConditionExpression": "silence_id = :id"
            }
            transactions.conditional_write(
                self._dynamodb.delete_item,
                call | {"ExpressionAttributeValues": {":id": text(silence_id)}},
            )

    def _call(self, key: str) -> Item:
        return {"TableName": self._table, "Key": {"pk": text(f"ACK#{key}")}}
