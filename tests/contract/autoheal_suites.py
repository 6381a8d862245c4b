"""The healer's stores for contract suites: a fake, moto, the emulator, and one with conflicts."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from chalicelib.adapters.dynamodb.audit import DynamoAudit
from chalicelib.adapters.dynamodb.heal_store import DynamoHealStore
from chalicelib.adapters.dynamodb.metric_totals import DynamoMetricTotals
from chalicelib.adapters.dynamodb.silence_registry import DynamoSilenceRegistry
from chalicelib.adapters.dynamodb.transactions import Tables
from chalicelib.autoheal.acknowledge import SilenceRegistry
from chalicelib.autoheal.ports import AuditLog, HealStore
from chalicelib.telemetry.totals import MetricTotals
from infra.aws import autoheal
from tests.contract.one_at_a_time import OneAtATime
from tests.fakes.audit import FakeAudit
from tests.fakes.clock import FakeClock
from tests.fakes.heal_store import FakeHealStore
from tests.fakes.metric_totals import FakeMetricTotals
from tests.fakes.silence_registry import FakeSilenceRegistry

PARAMS = ["fake", "moto", "emulator", "conflicting"]


@dataclass
class Suite:
    store: HealStore
    audit: AuditLog
    totals: MetricTotals
    silences: SilenceRegistry
    clock: FakeClock

    @property
    def now(self) -> datetime:
        return self.clock.now()

    def later(self, seconds: float) -> datetime:
        self.clock.seconds += seconds
        return self.clock.now()


class Conflicting:
    """A client whose transactions each fail `times` times with `TransactionConflict`."""

    def __init__(self, dynamodb: Any, times: int = 2) -> None:
        self._dynamodb = dynamodb
        self._times = times
        self._seen: dict[str, int] = {}
        self._lock = threading.Lock()
        self.injected = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._dynamodb, name)

    def transact_write_items(self, *, TransactItems: list[dict[str, Any]]) -> Any:  # noqa: N803
        key = repr(TransactItems)
        with self._lock:
            self._seen[key] = self._seen.get(key, 0) + 1
            conflicts = self._seen[key] <= self._times
            self.injected += conflicts
        if conflicts:
            reasons = [{"Code": "None"} for _ in TransactItems]
            reasons[-1] = {
                "Code": "TransactionConflict",
                "Message": "Transaction is ongoing for the item",
            }
            error = {
                "Code": "TransactionCanceledException",
                "Message": "Transaction cancelled",
            }
            response: Any = {"Error": error, "CancellationReasons": reasons}
            raise ClientError(response, "TransactWriteItems")
        return self._dynamodb.transact_write_items(TransactItems=TransactItems)


def create_tables(client: Any, prefix: str) -> None:
    for properties in autoheal.tables(prefix).values():
        options = {
            key: value
            for key, value in properties.items()
            if key not in ("TimeToLiveSpecification", "PointInTimeRecoverySpecification")
        }
        client.create_table(**options)
        client.get_waiter("table_exists").wait(TableName=properties["TableName"])


def on_dynamodb(client: Any, clock: FakeClock, prefix: str) -> Suite:
    tables = Tables.of(prefix)
    return Suite(
        DynamoHealStore(client, tables, clock),
        DynamoAudit(client, tables, patience_seconds=5),
        DynamoMetricTotals(client, tables),
        DynamoSilenceRegistry(client, tables),
        clock,
    )


def suites(request: pytest.FixtureRequest) -> Iterator[Suite]:
    """Yield the suite that the request's parameter names."""
    clock = FakeClock()
    prefix = f"t{uuid4().hex[:12]}"
    if request.param == "fake":
        audit = FakeAudit()
        totals = FakeMetricTotals()
        yield Suite(
            FakeHealStore(clock, audit, totals),
            audit,
            totals,
            FakeSilenceRegistry(clock),
            clock,
        )
    elif request.param == "emulator":
        client = request.getfixturevalue("emulator").client("dynamodb")
        create_tables(client, prefix)
        yield on_dynamodb(client, clock, prefix)
    else:
        with mock_aws():
            client = boto3.client("dynamodb", region_name="us-east-1")
            create_tables(client, prefix)
            serial = OneAtATime(client)
            yield on_dynamodb(
                Conflicting(serial) if request.param == "conflicting" else serial,
                clock,
                prefix,
            )


MINUTE = timedelta(minutes=1)
