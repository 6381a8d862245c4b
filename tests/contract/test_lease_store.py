"""The contract of `LeaseStore`, for the fake, moto and the emulator."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import boto3
import pytest
from moto import mock_aws

from chalicelib.adapters.dynamodb import client as dynamodb
from chalicelib.adapters.dynamodb.leases import DynamoLeaseStore
from chalicelib.idempotency.key import IdempotencyKey
from chalicelib.idempotency.ports import (
    Claimed,
    Finished,
    LeaseStore,
    Running,
    StoredAnswer,
)
from chalicelib.shared.errors import Unavailable
from infra.aws.template import idempotency_table
from infra.local.ports import free_port
from tests.contract.one_at_a_time import OneAtATime
from tests.fakes.leases import FakeLeases

TABLE = "aetherlink-idempotency-test"
ANSWER = StoredAnswer(201, b"\x00\xff{}", {"ETag": '"1"'})


@dataclass
class Suite:
    store: LeaseStore
    later: Callable[[float], None]


def create_table(client: Any) -> None:
    options = idempotency_table(TABLE)
    del options["TimeToLiveSpecification"]
    if TABLE not in client.list_tables()["TableNames"]:
        client.create_table(**options)
        client.get_waiter("table_exists").wait(TableName=TABLE)


@pytest.fixture(params=["fake", "moto", "emulator"])
def suite(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Suite]:
    passed = 0.0

    def later(seconds: float) -> None:
        nonlocal passed
        passed += seconds

    real = time.time
    if request.param == "fake":
        yield Suite(FakeLeases(lambda: real() + passed), later)
        return
    monkeypatch.setattr(time, "time", lambda: real() + passed)
    if request.param == "emulator":
        client = request.getfixturevalue("emulator").client("dynamodb")
        create_table(client)
        yield Suite(DynamoLeaseStore(client, TABLE), later)
        return
    with mock_aws():
        client = boto3.client("dynamodb", region_name="us-east-1")
        create_table(client)
        yield Suite(DynamoLeaseStore(OneAtATime(client), TABLE), later)


def _key(**values: Any) -> IdempotencyKey:
    return IdempotencyKey(
        **{
            "tenant_id": uuid4(),
            "endpoint": "POST /jobs",
            "key": "k",
            "request_hash": "h",
            **values,
        }
    )


def test_the_first_claim_succeeds_and_the_second_has_to_wait(suite: Suite) -> None:
    key = _key()
    assert suite.store.claim(key, uuid4(), lease_seconds=30) == Claimed()
    second = suite.store.claim(key, uuid4(), lease_seconds=30)
    assert isinstance(second, Running)
    assert second.request_hash == "h"
    assert 25 < second.seconds <= 30


def test_a_finished_answer_is_returned_byte_for_byte(suite: Suite) -> None:
    key = _key()
    owner = uuid4()
    suite.store.claim(key, owner, lease_seconds=30)
    assert suite.store.finish(key, owner, ANSWER)
    assert suite.store.claim(key, uuid4(), lease_seconds=30) == Finished("h", ANSWER)


def test_an_answer_that_is_stored_elsewhere_is_reported_as_such(suite: Suite) -> None:
    key = _key()
    owner = uuid4()
    suite.store.claim(key, owner, lease_seconds=30)
    assert suite.store.finish(key, owner, None)
    assert suite.store.claim(key, uuid4(), lease_seconds=30) == Finished("h", None)


def test_a_released_key_may_be_claimed_at_once(suite: Suite) -> None:
    key = _key()
    owner = uuid4()
    suite.store.claim(key, owner, lease_seconds=30)
    assert suite.store.release(key, owner)
    assert suite.store.claim(key, uuid4(), lease_seconds=30) == Claimed()


def test_a_late_owner_cannot_change_the_record_of_a_newer_one(suite: Suite) -> None:
    key = _key()
    late = uuid4()
    newer = uuid4()
    suite.store.claim(key, late, lease_seconds=5)
    suite.later(6)
    assert suite.store.claim(key, newer, lease_seconds=30) == Claimed()
    assert not suite.store.release(key, late)
    assert not suite.store.finish(key, late, StoredAnswer(200, b"late", {}))
    assert suite.store.finish(key, newer, ANSWER)
    assert not suite.store.release(key, late)
    assert suite.store.claim(key, uuid4(), lease_seconds=30) == Finished("h", ANSWER)


def test_a_key_is_free_after_a_day_even_if_its_record_was_not_deleted(suite: Suite) -> None:
    key = _key()
    owner = uuid4()
    suite.store.claim(key, owner, lease_seconds=30)
    suite.store.finish(key, owner, ANSWER)
    suite.later(24 * 3_600 + 2)
    assert suite.store.claim(key, uuid4(), lease_seconds=30) == Claimed()


def test_tenants_and_endpoints_have_separate_keys(suite: Suite) -> None:
    key = _key()
    other_tenant = _key(tenant_id=uuid4())
    other_endpoint = _key(tenant_id=key.tenant_id, endpoint="PATCH /jobs/{id}")
    for separate in (key, other_tenant, other_endpoint):
        assert suite.store.claim(separate, uuid4(), lease_seconds=30) == Claimed()


def test_only_one_of_forty_concurrent_claims_succeeds(suite: Suite) -> None:
    key = _key()
    outcomes = []
    together = threading.Barrier(40)

    def claim() -> None:
        together.wait()
        outcomes.append(suite.store.claim(key, uuid4(), lease_seconds=30))

    threads = [threading.Thread(target=claim) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert [type(outcome) for outcome in outcomes].count(Claimed) == 1
    assert len(outcomes) == 40


class Naive:
    """What others do: a record is deleted on failure by key alone."""

    def __init__(self) -> None:
        self.records: dict[str, str] = {}

    def claim(self, key: str, owner: str) -> None:
        self.records[key] = owner

    def fail(self, key: str) -> None:
        self.records.pop(key, None)


def test_without_fencing_a_late_owner_deletes_the_record_of_a_newer_one() -> None:
    naive = Naive()
    naive.claim("k", "late")
    naive.claim("k", "newer")
    naive.fail("k")
    assert "k" not in naive.records, "the race is real: the newer owner's record is gone"


def test_an_unreachable_store_is_reported_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", f"http://127.0.0.1:{free_port()}")
    store = DynamoLeaseStore(dynamodb.client(timeout_seconds=0.2), TABLE)
    with pytest.raises(Unavailable):
        store.claim(_key(), uuid4(), lease_seconds=30)
