"""Actions as they are read from DynamoDB. Their writes are part of `heal_store`'s transactions."""

from datetime import datetime
from typing import Any
from uuid import UUID

from chalicelib.adapters.dynamodb import transactions
from chalicelib.adapters.dynamodb.items import ALL, at, read_action, text
from chalicelib.autoheal.actions import Action, State

Item = dict[str, Any]


class ActionReader:
    """Reads the table of actions and its two indexes."""

    def __init__(self, dynamodb: Any, table: str) -> None:
        """Use `table`."""
        self._dynamodb = dynamodb
        self._table = table

    def read(self, action_id: UUID) -> Action | None:
        """Return an action, read consistently."""
        key = {"action_id": text(action_id)}
        with transactions.translate_errors():
            response = self._dynamodb.get_item(TableName=self._table, Key=key, ConsistentRead=True)
        return read_action(response["Item"]) if "Item" in response else None

    def page(self, state: State | None, *, limit: int, after: str = "") -> tuple[list[Action], str]:
        """Return actions, newest first, and the cursor of the next page ("" at the end)."""
        query = self._query(state, limit, after)
        items: list[Item] = []
        while True:
            with transactions.translate_errors():
                response = self._dynamodb.query(**query)
            items += response["Items"]
            if len(items) > limit or "LastEvaluatedKey" not in response:
                break
            query["ExclusiveStartKey"] = response["LastEvaluatedKey"]
        page = items[:limit]
        following = page[-1]["created_at"]["S"] if len(items) > limit else ""
        return [read_action(item) for item in page], following

    def due(self, state: State, until: datetime, *, limit: int) -> list[Action]:
        """Return actions in `state` that are due before `until`, the most urgent first."""
        with transactions.translate_errors():
            response = self._dynamodb.query(
                TableName=self._table,
                IndexName="due",
                KeyConditionExpression="#state = :state AND next_check < :until",
                ExpressionAttributeNames={"#state": "state"},
                ExpressionAttributeValues={":state": text(state), ":until": at(until)},
                Limit=limit,
            )
        return [read_action(item) for item in response["Items"]]

    def _query(self, state: State | None, limit: int, after: str) -> Item:
        query: Item = {
            "TableName": self._table,
            "IndexName": "all_of",
            "KeyConditionExpression": "all_of = :all",
            "ExpressionAttributeValues": {":all": text(ALL)},
            "ScanIndexForward": False,
            "Limit": limit + 1,
        }
        if after:
            query["KeyConditionExpression"] += " AND created_at < :after"
            query["ExpressionAttributeValues"][":after"] = text(after)
        if state is not None:
            query["FilterExpression"] = "#state = :state"
            query["ExpressionAttributeNames"] = {"#state": "state"}
            query["ExpressionAttributeValues"][":state"] = text(state)
        return query
