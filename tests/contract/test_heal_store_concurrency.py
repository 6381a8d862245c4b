"""The contract of `HealStore`: many at once, and failures."""

import threading
from collections.abc import Iterator
from uuid import uuid4

import boto3
import pytest
from moto import mock_aws

from chalicelib.adapters.dynamodb import client as dynamodb
from chalicelib.adapters.dynamodb.heal_store import DynamoHealStore
from chalicelib.adapters.dynamodb.transactions import Tables
from chalicelib.autoheal.actions import Action
from chalicelib.autoheal.decide import Reason
from chalicelib.shared.errors import Unavailable
from infra.local.ports import free_port
from tests.contract.autoheal_suites import (
    PARAMS,
    Conflicting,
    Suite,
    create_tables,
    on_dynamodb,
    suites,
)
from tests.contract.heal_store_steps import (
    claim,
    planned,
)
from tests.fakes.clock import FakeClock


@pytest.fixture(params=PARAMS)
def suite(request: pytest.FixtureRequest) -> Iterator[Suite]:
    yield from suites(request)


def test_only_one_of_forty_concurrent_claims_succeeds(suite: Suite) -> None:
    together = threading.Barrier(40)
    outcomes = list[Action | Reason]()

    def attempt() -> None:
        together.wait()
        outcomes.append(suite.store.claim(claim(planned()), seconds=30))

    threads = [threading.Thread(target=attempt) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(outcomes) == 40
    assert len([outcome for outcome in outcomes if isinstance(outcome, Action)]) == 1


def test_forty_concurrent_claims_of_different_targets_respect_the_fleet_cap(suite: Suite) -> None:
    together = threading.Barrier(40)
    outcomes = list[Action | Reason]()

    def attempt(number: int) -> None:
        together.wait()
        attempted = claim(planned(f"e{number}#t", target=f"tag={number}"), hourly_cap=99)
        outcomes.append(suite.store.claim(attempted, seconds=30))

    threads = [threading.Thread(target=attempt, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    won = [outcome for outcome in outcomes if isinstance(outcome, Action)]
    assert (len(outcomes), {action.slot for action in won}, len(won)) == (40, {0, 1, 2}, 3)


def test_lasting_conflicts_are_reported_within_the_time_limit() -> None:
    with mock_aws():
        client = boto3.client("dynamodb", region_name="us-east-1")
        create_tables(client, "t")
        conflicting = Conflicting(client, times=10_000)
        suite = on_dynamodb(conflicting, FakeClock(), "t")
        with pytest.raises(Unavailable):
            suite.store.claim(claim(planned()), seconds=0.5)
    assert conflicting.injected > 1


def test_an_unreachable_store_is_reported_within_the_time_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", f"http://127.0.0.1:{free_port()}")
    store = DynamoHealStore(
        dynamodb.client(timeout_seconds=0.2), Tables.of(str(uuid4())), FakeClock()
    )
    for ask in (store.config, lambda: store.claim(claim(planned()), seconds=1)):
        with pytest.raises(Unavailable):
            ask()
