"""The healer's tables for contract suites: on a fake, on moto, on the emulator, and through a client that conflicts."""

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

from chalicelib.adapters.autoheal_tables.audit import DynamoAudit
from chalicelib.adapters.autoheal_tables.ledger import DynamoLedger
from chalicelib.adapters.autoheal_tables.places import DynamoSilencePlaces
from chalicelib.adapters.autoheal_tables.store import DynamoHealStore
from chalicelib.adapters.autoheal_tables.transact import Tables
from chalicelib.autoheal.acknowledge import SilencePlaces
from chalicelib.autoheal.ledger import MetricsLedger
from chalicelib.autoheal.ports import AuditLog, HealStore
from infra.aws import autoheal
from tests.fakes import FakeClock
from tests.fakes_autoheal import FakeAudit, FakeHealStore, FakeMetricsLedger, FakePlaces

PARAMS = ["fake", "moto", "emulator", "conflicting"]


@dataclass
class Suite:
    store: HealStore
    audit: AuditLog
    ledger: MetricsLedger
    places: SilencePlaces
    clock: FakeClock

    @property
    def now(self) -> datetime:
        return self.clock.now()

    def later(self, seconds: float) -> datetime:
        self.clock.seconds += seconds
        return self.clock.now()


class Serial:
    """A client of moto's, one call at a time: moto isolates no threads from one another, DynamoDB does."""

    def __init__(self, dynamodb: Any) -> None:
        self._dynamodb, self._lock = dynamodb, threading.Lock()

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._dynamodb, name)

        def alone(**values: Any) -> Any:
            with self._lock:
                return call(**values)

        return alone


class Conflicting:
    """A client whose transactions meet others: each one fails twice with `TransactionConflict`, then goes through."""

    def __init__(self, dynamodb: Any, times: int = 2) -> None:
        self._dynamodb, self._times = dynamodb, times
        self._seen: dict[str, int] = {}
        self._lock = threading.Lock()
        self.injected = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._dynamodb, name)

    def transact_write_items(self, *, TransactItems: list[dict[str, Any]]) -> Any:  # noqa: N803 - botocore's
        key = repr(TransactItems)
        with self._lock:
            self._seen[key] = self._seen.get(key, 0) + 1
            conflicts = self._seen[key] <= self._times
            self.injected += conflicts
        if conflicts:
            reasons = [{"Code": "None"} for _ in TransactItems]
            reasons[-1] = {"Code": "TransactionConflict", "Message": "Transaction is ongoing for the item"}
            error = {"Code": "TransactionCanceledException", "Message": "Transaction cancelled"}
            response: Any = {"Error": error, "CancellationReasons": reasons}
            raise ClientError(response, "TransactWriteItems")
        return self._dynamodb.transact_write_items(TransactItems=TransactItems)


def create_tables(client: Any, prefix: str) -> None:
    for properties in autoheal.tables(prefix).values():
        wanted = {
            key: value
            for key, value in properties.items()
            if key not in ("TimeToLiveSpecification", "PointInTimeRecoverySpecification")
        }
        client.create_table(**wanted)
        client.get_waiter("table_exists").wait(TableName=properties["TableName"])


def on_dynamodb(client: Any, clock: FakeClock, prefix: str) -> Suite:
    tables = Tables.of(prefix)
    return Suite(
        DynamoHealStore(client, tables, clock),
        DynamoAudit(client, tables, patience_seconds=5),
        DynamoLedger(client, tables),
        DynamoSilencePlaces(client, tables),
        clock,
    )


def suites(request: pytest.FixtureRequest) -> Iterator[Suite]:
    """Yield the suite that the request's parameter names."""
    clock, prefix = FakeClock(), f"t{uuid4().hex[:12]}"
    if request.param == "fake":
        audit, ledger = FakeAudit(), FakeMetricsLedger()
        yield Suite(FakeHealStore(clock, audit, ledger), audit, ledger, FakePlaces(clock), clock)
    elif request.param == "emulator":
        client = request.getfixturevalue("emulator").client("dynamodb")
        create_tables(client, prefix)
        yield on_dynamodb(client, clock, prefix)
    else:
        with mock_aws():
            client = boto3.client("dynamodb", region_name="us-east-1")
            create_tables(client, prefix)
            serial = Serial(client)
            yield on_dynamodb(Conflicting(serial) if request.param == "conflicting" else serial, clock, prefix)


MINUTE = timedelta(minutes=1)
