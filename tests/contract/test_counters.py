"""The contract of `Counters`, for the fake, moto and the emulator."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import boto3
import pytest
from moto import mock_aws

from chalicelib.adapters.dynamodb.counters import DynamoCounters
from chalicelib.security.rate_limit import Counters
from tests.contract.one_at_a_time import OneAtATime
from tests.contract.test_lease_store import TABLE, create_table
from tests.fakes.counters import FakeCounters

LATER = int(time.time()) + 600


@pytest.fixture(params=["fake", "moto", "emulator"])
def counters(request: pytest.FixtureRequest) -> Iterator[Counters]:
    if request.param == "fake":
        yield FakeCounters()
    elif request.param == "emulator":
        client = request.getfixturevalue("emulator").client("dynamodb")
        create_table(client)
        yield DynamoCounters(client, TABLE)
    else:
        with mock_aws():
            client = boto3.client("dynamodb", region_name="us-east-1")
            create_table(client)
            yield DynamoCounters(OneAtATime(client), TABLE)


@pytest.fixture
def key() -> str:
    return f"rate#{uuid4()}"


def test_a_counter_goes_up_by_one_and_independently_of_others(counters: Counters, key: str) -> None:
    assert [counters.add(key, expires_at=LATER) for _ in range(3)] == [1, 2, 3]
    assert counters.add(key + "#other", expires_at=LATER) == 1


def test_concurrent_additions_see_different_counts(counters: Counters, key: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        seen = list(pool.map(lambda _: counters.add(key, expires_at=LATER), range(20)))
    assert sorted(seen) == list(range(1, 21))
