"""The audit log in DynamoDB.

It is append only, has a partition for each day and shard, and two indexes. The cost of a page
is limited.
"""

import heapq
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from chalicelib.adapters.dynamodb import transactions
from chalicelib.adapters.dynamodb.items import (
    AUDIT_SHARDS,
    RETENTION,
    event_item,
    read_event,
    text,
)
from chalicelib.autoheal.audit import AuditEvent, AuditPage, AuditPosition, AuditQuery
from chalicelib.shared.clock import rfc3339

BATCH_SIZE = 25
"""How many items BatchWriteItem accepts."""
TRIES = 8
PAUSE_SECONDS = 0.05
PAGE_SIZE = 1_000
SCAN_PAGE_SIZE = 100
"""How many events a query reads where most may not match: the time is checked in between."""
SHARE_FACTOR = 1.5
"""How much more than its share each shard is asked for at first: shards differ a little."""
MAX_QUERIES = 200
"""How many queries one page may cost. A page that would need more is shorter."""
MAX_BYTES = 3_000_000
"""The size of one page: a function may return 6 MB, and JSON is escaped on its way."""
DAY = timedelta(days=1)
SKEW = timedelta(minutes=5)
"""How far a function's clock may be ahead of the reader's."""
TICK = timedelta(microseconds=1)
LAST = UUID(int=0)
"""An id that comes after every event of the same time, newest first."""


@dataclass
class _Cost:
    """The cost of one page so far."""

    patience_seconds: float
    queries: int = 0
    size: int = 0
    started: float = field(default_factory=time.monotonic)

    @property
    def exhausted(self) -> bool:
        """Return whether the page must end."""
        return self.queries >= MAX_QUERIES or self.size >= MAX_BYTES

    @property
    def timed_out(self) -> bool:
        """Return whether the search has taken as long as it may."""
        return time.monotonic() - self.started >= self.patience_seconds


class _OutOfTime(Exception):
    """More would have to be read, and there is no time left."""


class DynamoAudit:
    """An `AuditLog`."""

    def __init__(
        self, dynamodb: Any, tables: transactions.Tables, *, patience_seconds: float
    ) -> None:
        """Use `tables.audit`; a page may scan events for `patience_seconds`."""
        self._dynamodb = dynamodb
        self._table = tables.audit
        self._patience = patience_seconds

    def append(self, events: Sequence[AuditEvent]) -> None:
        """Add `events`; adding one twice has no effect."""
        writes = [{"PutRequest": {"Item": event_item(event)}} for event in events]
        for start in range(0, len(writes), BATCH_SIZE):
            self._write(writes[start : start + BATCH_SIZE])

    def find(self, query: AuditQuery, now: datetime) -> AuditPage:
        """Return a page of events, newest first; it ends early rather than cost too much."""
        until = min(query.until or now + SKEW, now + SKEW)
        earliest = max(query.since or now - RETENTION, now - RETENTION)
        if query.after:
            until = min(until, query.after.time + (-TICK if query.after.id == LAST else TICK))
        cost = _Cost(self._patience if query.needs_scan else math.inf)
        events = list[AuditEvent]()
        day = until
        position = query.after
        while day.date() >= earliest.date():
            try:
                for event in self._day(query, day, cost):
                    position = AuditPosition(event.time, event.id)
                    if event.time < earliest:
                        return AuditPage(events, None)
                    if query.matches(event):
                        events.append(event)
                        cost.size += len(event.text())
                    if len(events) >= query.limit or cost.exhausted:
                        return AuditPage(events, position)
            except _OutOfTime:
                return AuditPage(events, position)
            start = datetime(day.year, day.month, day.day, tzinfo=UTC)
            if cost.exhausted or cost.timed_out:
                return AuditPage(events, AuditPosition(start, LAST))
            day = start - TICK
        return AuditPage(events, None)

    def _day(self, query: AuditQuery, day: datetime, cost: _Cost) -> Iterator[AuditEvent]:
        """Return the day's events before the position, newest first."""
        name = f"{day:%Y-%m-%d}"
        index = ""
        keys = [f"{day:%Y-%m-%d}#{shard}" for shard in range(AUDIT_SHARDS)]
        if query.alertname is not None:
            index = "alertname_day"
            keys = [f"{query.alertname}#{name}"]
        elif query.kind is not None:
            index = "kind_day"
            keys = [f"{query.kind}#{name}"]
        bounds = [rfc3339(query.until)] if query.until is not None else []
        if query.after is not None:
            bounds.append(f"{rfc3339(query.after.time)}#{query.after.id}")
        bound = min(bounds) if bounds and min(bounds)[: len(name)] == name else ""
        first = (
            query.limit + 1
            if len(keys) == 1
            else math.ceil(query.limit / len(keys) * SHARE_FACTOR) + 1
        )
        if query.needs_scan:
            first = SCAN_PAGE_SIZE
        streams = [self._partition(index, key, bound, first, cost) for key in keys]
        return heapq.merge(*streams, key=lambda event: (event.time, event.id), reverse=True)

    def _partition(
        self, index: str, key: str, bound: str, first: int, cost: _Cost
    ) -> Iterator[AuditEvent]:
        """Yield a partition's events before `bound`, newest first.

        The first query asks for `first` events, later ones for more and more.
        """
        call: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": "#pk = :pk",
            "ExpressionAttributeNames": {"#pk": index or "pk"},
            "ExpressionAttributeValues": {":pk": text(key)},
            "ScanIndexForward": False,
            "Limit": min(first, PAGE_SIZE),
        }
        if bound:
            call["KeyConditionExpression"] += " AND sk < :bound"
            call["ExpressionAttributeValues"][":bound"] = text(bound)
        if index:
            call["IndexName"] = index
        while True:
            cost.queries += 1
            with transactions.translate_errors():
                page = self._dynamodb.query(**call)
            yield from map(read_event, page["Items"])
            if "LastEvaluatedKey" not in page:
                return
            if cost.timed_out:
                raise _OutOfTime
            more = (
                call["Limit"]
                if cost.patience_seconds < math.inf
                else min(2 * call["Limit"], PAGE_SIZE)
            )
            call |= {"ExclusiveStartKey": page["LastEvaluatedKey"], "Limit": more}

    def _write(self, writes: list[dict[str, Any]]) -> None:
        waiting = {self._table: writes}
        for attempt in range(TRIES):
            with transactions.translate_errors():
                waiting = self._dynamodb.batch_write_item(RequestItems=waiting).get(
                    "UnprocessedItems", {}
                )
            if not waiting:
                return
            time.sleep(PAUSE_SECONDS * 2**attempt)
        raise transactions.unavailable("audit events were not accepted")
