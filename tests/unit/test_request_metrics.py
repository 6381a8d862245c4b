"""Counting requests in a warm function: soon in the ledger, never in anybody's way, nothing lost to trouble."""

import threading

import pytest

from chalicelib import names
from chalicelib.autoheal.buffer import EVERY_REQUESTS, EVERY_SECONDS, LEFT_ALONE_SECONDS, RequestMetrics
from tests.fakes import FakeClock
from tests.fakes_autoheal import FakeMetricsLedger


class Counted:
    def __init__(self) -> None:
        self.clock, self.ledger = FakeClock(), FakeMetricsLedger()
        self.metrics = RequestMetrics(lambda: self.ledger, self.clock)

    def request(self, times: int = 1) -> None:
        for _ in range(times):
            self.metrics.count(method="GET", route="/api/crm/jobs/{id}", status=200, seconds=0.04)

    @property
    def total(self) -> float:
        return sum(value for series, value in self.ledger.values.items() if series.metric == names.CRM_REQUESTS)


@pytest.fixture
def counted() -> Counted:
    return Counted()


def test_a_hundred_requests_are_added_at_once(counted: Counted) -> None:
    counted.request(EVERY_REQUESTS - 1)
    assert counted.total == 0
    counted.request()
    assert counted.total == EVERY_REQUESTS


def test_few_requests_are_added_after_a_while(counted: Counted) -> None:
    counted.request()
    counted.clock.seconds += EVERY_SECONDS
    counted.request()
    assert counted.total == 2


def test_trouble_loses_nothing_and_is_left_alone_for_a_while(counted: Counted) -> None:
    counted.ledger.down = True
    counted.request(EVERY_REQUESTS)
    counted.ledger.down = False
    counted.request(EVERY_REQUESTS)
    assert counted.total == 0
    counted.clock.seconds += LEFT_ALONE_SECONDS
    counted.request()
    assert counted.total == 2 * EVERY_REQUESTS + 1


def test_many_threads_lose_nothing(counted: Counted) -> None:
    threads = [threading.Thread(target=counted.request, args=(EVERY_REQUESTS,)) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert counted.total == 10 * EVERY_REQUESTS


def test_without_a_ledger_nothing_is_kept() -> None:
    RequestMetrics(None, FakeClock()).count(method="GET", route="/", status=200, seconds=1)
