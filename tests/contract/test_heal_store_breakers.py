"""The contract of `HealStore`: breakers and leases."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from chalicelib.autoheal.decide import Reason
from chalicelib.autoheal.modes import Breaker, BreakerState
from chalicelib.autoheal.records import ChangeRecord
from tests.builders.alerts import TCP
from tests.contract.autoheal_suites import (
    PARAMS,
    Suite,
    suites,
)
from tests.contract.heal_store_steps import (
    SECONDS,
    claim,
    claimed,
    ended,
    planned,
)
from tests.fakes.clock import START

MINUTE = timedelta(minutes=1)


@pytest.fixture(params=PARAMS)
def suite(request: pytest.FixtureRequest) -> Iterator[Suite]:
    yield from suites(request)


def _fail(suite: Suite, episode: str) -> None:
    ended(suite, claimed(suite, planned(episode)), healthy=False)


def test_failures_in_a_row_open_the_breaker_and_a_success_resets_them(
    suite: Suite,
) -> None:
    _fail(suite, "e1#t")
    ended(suite, claimed(suite, planned("e2#t")), healthy=True)
    for number in range(3, 6):
        _fail(suite, f"e{number}#t")
    assert suite.store.breakers([TCP])[TCP] == Breaker(TCP, failures=3)
    assert (
        suite.store.claim(claim(planned("e9#t"), hourly_cap=99), seconds=SECONDS)
        is Reason.BREAKER_OPEN
    )


def test_a_half_open_breaker_allows_one_trial(suite: Suite) -> None:
    for number in range(3):
        _fail(suite, f"e{number}#t")
    before = suite.store.breakers([TCP])[TCP]
    opened = replace(before, state=BreakerState.OPEN, open_until=START + MINUTE)
    assert suite.store.change_breaker(before, opened, ChangeRecord())
    assert not suite.store.change_breaker(before, opened, ChangeRecord())
    assert (
        suite.store.claim(claim(planned("e8#t"), hourly_cap=99), seconds=SECONDS)
        is Reason.BREAKER_OPEN
    )
    half = Breaker(TCP, BreakerState.HALF_OPEN, failures=2)
    assert suite.store.change_breaker(opened, half, ChangeRecord())
    trial = claimed(suite, planned("e9#t"), hourly_cap=99)
    assert trial.trial
    other = claim(planned("e10#t", target="tag=other"), hourly_cap=99)
    assert suite.store.claim(other, seconds=SECONDS) is Reason.BREAKER_OPEN
    ended(suite, trial)
    assert suite.store.breakers([TCP])[TCP] == half, "a trial that was cancelled says nothing"
    again = claimed(suite, planned("e11#t"), hourly_cap=99)
    ended(suite, again, healthy=True)
    assert suite.store.breakers([TCP])[TCP] == Breaker(TCP)


def test_a_lease_has_one_holder(suite: Suite) -> None:
    until = START + MINUTE
    assert suite.store.hold("push", "a", suite.now, until)
    assert suite.store.hold("push", "a", suite.now, until)
    assert not suite.store.hold("push", "b", suite.now, until)
    assert suite.store.hold("push", "b", suite.later(61), START + 9 * MINUTE)
    suite.store.release("push", "a")
    assert not suite.store.hold("push", "a", suite.later(61), START + 9 * MINUTE), (
        "it was b's by then"
    )
    suite.store.release("push", "b")
    assert suite.store.hold("push", "a", suite.later(61), START + 9 * MINUTE)
