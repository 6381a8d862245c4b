"""Counting requests in a warm function: soon in the totals, and a failure loses nothing."""

import threading

import pytest

from chalicelib.telemetry import names
from chalicelib.telemetry.buffer import LEFT_ALONE_SECONDS
from chalicelib.telemetry.request_metrics import EVERY_REQUESTS, EVERY_SECONDS, RequestMetrics
from chalicelib.telemetry.series import Series
from chalicelib.telemetry.totals_meter import TotalsMeter
from tests.fakes.clock import FakeClock
from tests.fakes.metric_totals import FakeMetricTotals


class Counted:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.totals = FakeMetricTotals()
        self.metrics = RequestMetrics(lambda: self.totals, self.clock)

    def request(self, times: int = 1) -> None:
        for _ in range(times):
            self.metrics.count(method="GET", route="/api/crm/jobs/{id}", status=200, seconds=0.04)

    @property
    def total(self) -> float:
        return sum(
            value
            for series, value in self.totals.values.items()
            if series.metric == names.CRM_REQUESTS
        )


@pytest.fixture
def counted() -> Counted:
    return Counted()


def test_a_hundred_requests_are_added_together(counted: Counted) -> None:
    counted.request()
    counted.request(EVERY_REQUESTS - 1)
    assert counted.total == 1
    counted.request()
    assert counted.total == EVERY_REQUESTS + 1


def test_infrequent_requests_are_added_immediately(counted: Counted) -> None:
    for number in range(1, 4):
        counted.request()
        assert counted.total == number
        counted.clock.seconds += EVERY_SECONDS


def test_a_failure_loses_nothing_and_the_totals_are_left_alone_for_a_while(
    counted: Counted,
) -> None:
    counted.totals.down = True
    counted.request(EVERY_REQUESTS)
    counted.totals.down = False
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
    counted.clock.seconds += EVERY_SECONDS
    counted.request()
    assert counted.total == 10 * EVERY_REQUESTS + 1


def test_the_totals_meter_adds_known_metrics_and_ignores_gauges() -> None:
    totals = FakeMetricTotals()
    clock = FakeClock()
    meter = TotalsMeter(lambda: totals, clock)
    meter.count(names.OUTBOX_PUBLISHED, 2)
    meter.count(names.OUTBOX_PUBLISHED, 3)
    meter.count("known_to_nobody_total")
    meter.gauge(names.OUTBOX_PENDING, 7)
    meter.observe(names.OUTBOX_PUBLISH_SECONDS, 0.3)
    meter.observe("known_to_nobody_seconds", 1)
    totals.down = True
    meter.flush()
    assert not totals.values
    totals.down = False
    clock.seconds += LEFT_ALONE_SECONDS
    meter.flush()
    meter.flush()
    assert totals.values[Series(names.OUTBOX_PUBLISHED)] == 5
    assert totals.values[Series(names.OUTBOX_PUBLISH_SECONDS, (), "le=0.5")] == 1
    assert {series.metric for series in totals.values} == {
        names.OUTBOX_PUBLISHED,
        names.OUTBOX_PUBLISH_SECONDS,
    }


def test_without_totals_nothing_is_counted() -> None:
    RequestMetrics(None, FakeClock()).count(method="GET", route="/", status=200, seconds=1)
