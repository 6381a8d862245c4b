"""The audit log: append only, a partition for each day and shard, two indexes, and pages of bounded cost."""

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
    KEPT,
    event_item,
    read_event,
    text,
)
from chalicelib.autoheal.audit import AuditEvent, AuditPage, AuditPosition, AuditQuery
from chalicelib.shared.clock import rfc3339

AT_ONCE = 25
TRIES = 8
PAUSE_SECONDS = 0.05
PAGE = 1_000
SEARCHED = 100
"""How many are asked for at a time where most may not be wanted: patience is looked at in between."""
MORE_THAN_ITS_SHARE = 1.5
"""Shards differ a little; so much more than its share each is asked for at first, and seldom again."""
MAX_QUERIES = 200
"""How often one page may ask DynamoDB; it is shorter then, and says where to go on."""
MAX_BYTES = 3_000_000
"""Of one page: a function's answer is at most 6 MB, and is escaped on its way."""
DAY = timedelta(days=1)
SKEW = timedelta(minutes=5)
"""By so much a function's clock may be ahead of the reader's."""
TICK = timedelta(microseconds=1)
LAST = UUID(int=0)
"""Comes after every event of its time: nothing is left there."""


@dataclass
class _Spent:
    """What one page has cost so far."""

    patience_seconds: float
    queries: int = 0
    size: int = 0
    started: float = field(default_factory=time.monotonic)

    @property
    def enough(self) -> bool:
        return self.queries >= MAX_QUERIES or self.size >= MAX_BYTES

    @property
    def tried(self) -> bool:
        """Tell whether looking has taken long enough."""
        return time.monotonic() - self.started >= self.patience_seconds


class _OutOfPatience(Exception):
    """More would have to be read, and there was time for no more."""


class DynamoAudit:
    """An `AuditLog`."""

    def __init__(
        self, dynamodb: Any, tables: transactions.Tables, *, patience_seconds: float
    ) -> None:
        """Use `tables.audit`; look no longer than `patience_seconds` for what is hard to find, at a time."""
        self._dynamodb = dynamodb
        self._table = tables.audit
        self._patience = patience_seconds

    def append(self, events: Sequence[AuditEvent]) -> None:
        """Add `events`; the same one twice is once."""
        writes = [{"PutRequest": {"Item": event_item(event)}} for event in events]
        for start in range(0, len(writes), AT_ONCE):
            self._write(writes[start : start + AT_ONCE])

    def find(self, query: AuditQuery, now: datetime) -> AuditPage:
        """Return a page, newest first; it ends early rather than cost too much."""
        until = min(query.until or now + SKEW, now + SKEW)
        earliest = max(query.since or now - KEPT, now - KEPT)
        if query.after:
            until = min(until, query.after.time + (-TICK if query.after.id == LAST else TICK))
        spent = _Spent(self._patience if query.needs_scan else math.inf)
        found = list[AuditEvent]()
        day = until
        position = query.after
        while day.date() >= earliest.date():
            try:
                for event in self._day(query, day, spent):
                    position = AuditPosition(event.time, event.id)
                    if event.time < earliest:
                        return AuditPage(found, None)
                    if query.matches(event):
                        found.append(event)
                        spent.size += len(event.text())
                    if len(found) >= query.limit or spent.enough:
                        return AuditPage(found, position)
            except _OutOfPatience:
                return AuditPage(found, position)
            start = datetime(day.year, day.month, day.day, tzinfo=UTC)
            if spent.enough or spent.tried:
                return AuditPage(found, AuditPosition(start, LAST))
            day = start - TICK
        return AuditPage(found, None)

    def _day(self, query: AuditQuery, day: datetime, spent: _Spent) -> Iterator[AuditEvent]:
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
            else math.ceil(query.limit / len(keys) * MORE_THAN_ITS_SHARE) + 1
        )
        if query.needs_scan:
            first = SEARCHED
        streams = [self._partition(index, key, bound, first, spent) for key in keys]
        return heapq.merge(*streams, key=lambda event: (event.time, event.id), reverse=True)

    def _partition(
        self, index: str, key: str, bound: str, first: int, spent: _Spent
    ) -> Iterator[AuditEvent]:
        """Return a partition's events (before `bound`), newest first; asks for `first`, then for more and more."""
        call: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": "#pk = :pk",
            "ExpressionAttributeNames": {"#pk": index or "pk"},
            "ExpressionAttributeValues": {":pk": text(key)},
            "ScanIndexForward": False,
            "Limit": min(first, PAGE),
        }
        if bound:
            call["KeyConditionExpression"] += " AND sk < :bound"
            call["ExpressionAttributeValues"][":bound"] = text(bound)
        if index:
            call["IndexName"] = index
        while True:
            spent.queries += 1
            with transactions.translate_errors():
                page = self._dynamodb.query(**call)
            yield from map(read_event, page["Items"])
            if "LastEvaluatedKey" not in page:
                return
            if spent.tried:
                raise _OutOfPatience
            more = (
                call["Limit"] if spent.patience_seconds < math.inf else min(2 * call["Limit"], PAGE)
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
