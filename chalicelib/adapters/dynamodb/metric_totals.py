"""Metric totals that many functions add to at once, each to one of several shards."""

import random
from collections.abc import Mapping
from typing import Any

from chalicelib.adapters.dynamodb import transactions
from chalicelib.adapters.dynamodb.items import TOTALS_SHARDS, text, total_updates
from chalicelib.telemetry.catalog import METRICS
from chalicelib.telemetry.increments import Increments
from chalicelib.telemetry.series import Series


class DynamoMetricTotals:
    """A `MetricTotals`."""

    def __init__(self, dynamodb: Any, tables: transactions.Tables) -> None:
        """Use `tables.totals`."""
        self._dynamodb = dynamodb
        self._table = tables.totals

    def add(self, increments: Increments) -> None:
        """Add everything; each hundred in one transaction."""
        shard = random.randrange(TOTALS_SHARDS)  # noqa: S311
        steps = [
            transactions.Step(write) for write in total_updates(self._table, increments, shard)
        ]
        for start in range(0, len(steps), transactions.MAX_ITEMS):
            transactions.run(self._dynamodb, steps[start : start + transactions.MAX_ITEMS])

    def totals(self) -> Mapping[Series, float]:
        """Return every total: the sum over the shards, or the greatest value."""
        totals: dict[Series, float] = {}
        for shard in range(TOTALS_SHARDS):
            for item in self._shard(shard):
                series = Series.read(item["sk"]["S"])
                value = float(item["value"]["N"])
                if series.metric not in METRICS:
                    continue  # another version of the product has this metric
                total = totals.get(series, 0.0)
                totals[series] = max(total, value) if series.latest else total + value
        return totals

    def _shard(self, shard: int) -> list[dict[str, Any]]:
        query: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": {":pk": text(f"shard#{shard}")},
            "ConsistentRead": True,
        }
        items: list[dict[str, Any]] = []
        while True:
            with transactions.translate_errors():
                page = self._dynamodb.query(**query)
            items += page["Items"]
            if "LastEvaluatedKey" not in page:
                return items
            query["ExclusiveStartKey"] = page["LastEvaluatedKey"]
