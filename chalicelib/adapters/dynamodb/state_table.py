"""What the healer's stores in DynamoDB have in common: reads, and transactions with a record."""

from typing import Any

from chalicelib.adapters.dynamodb import transactions
from chalicelib.adapters.dynamodb.items import event_item, text, total_updates
from chalicelib.adapters.dynamodb.transactions import Step, Tables
from chalicelib.autoheal.records import ChangeRecord

Item = dict[str, Any]


class StateTable:
    """The healer's state table. A change is written in one transaction with its record."""

    def __init__(self, dynamodb: Any, tables: Tables) -> None:
        """Use `tables.state`, and write records to `tables.audit` and `tables.totals`."""
        self._dynamodb = dynamodb
        self._tables = tables

    def _get(self, key: str) -> Item:
        """Return the item at `key`, read consistently; empty where there is none."""
        with transactions.translate_errors():
            response = self._dynamodb.get_item(
                TableName=self._tables.state, Key={"pk": text(key)}, ConsistentRead=True
            )
        return dict(response.get("Item", {}))

    def _record_steps(self, record: ChangeRecord, shard: int) -> list[Step]:
        """Return the steps that write `record`; its increments go to `shard` of the totals."""
        events = [
            {"Put": {"TableName": self._tables.audit, "Item": event_item(event)}}
            for event in record.events
        ]
        totals = total_updates(self._tables.totals, record.increments, shard)
        return [Step(write) for write in (*events, *totals)]

    def _run(self, steps: list[Step], seconds: float = transactions.DEFAULT_SECONDS) -> None:
        transactions.run(self._dynamodb, steps, seconds=seconds)
