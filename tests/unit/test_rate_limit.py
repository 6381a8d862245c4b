"""The rate limit of a tenant."""

from uuid import uuid4

import pytest

from chalicelib.config.reader import from_env
from chalicelib.security.rate_limit import RateLimitPolicy, TenantRate
from chalicelib.shared.errors import Misconfigured, RateLimited, Unavailable
from chalicelib.telemetry import names
from tests.fakes.clock import FakeClock
from tests.fakes.counters import FakeCounters
from tests.fakes.meter import FakeMeter

TENANT = uuid4()


class World:
    """A limit of 5 requests a second, 10 at once: windows of 2 s."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.counters = FakeCounters()
        self.meter = FakeMeter()
        self.rate = TenantRate(
            self.counters, self.clock, self.meter, RateLimitPolicy(per_second=5, burst=10)
        )

    def admit(self, times: int) -> int:
        admitted = 0
        for _ in range(times):
            try:
                self.rate.admit(TENANT)
                admitted += 1
            except RateLimited:
                continue
        return admitted


@pytest.fixture
def world() -> World:
    return World()


def test_a_burst_is_admitted_and_no_more_until_the_next_window(world: World) -> None:
    assert world.admit(30) == 10
    world.clock.sleep(1.9)
    assert world.admit(1) == 0
    world.clock.sleep(0.1)
    assert world.admit(30) == 10
    assert world.meter.counts[names.RATE_LIMITED] == 41


def test_the_rate_holds_on_average(world: World) -> None:
    admitted = 0
    for _ in range(200):
        admitted += world.admit(2)
        world.clock.sleep(0.1)
    assert admitted == pytest.approx(5 * 20, abs=10)


def test_a_refused_caller_learns_when_to_retry(world: World) -> None:
    world.admit(10)
    world.clock.sleep(0.5)
    with pytest.raises(RateLimited) as refused:
        world.rate.admit(TENANT)
    assert (refused.value.status, refused.value.code, refused.value.headers) == (
        429,
        "rate-limited",
        {"Retry-After": "2"},
    )
    world.clock.sleep(int(refused.value.headers["Retry-After"]))
    assert world.admit(1) == 1


def test_one_tenant_does_not_use_the_limit_of_another(world: World) -> None:
    world.admit(30)
    world.rate.admit(uuid4())


def test_requests_are_admitted_and_counted_while_the_counters_are_down(world: World) -> None:
    world.counters.problem = Unavailable("down")
    assert world.admit(30) == 30
    assert world.meter.counts[names.RATE_LIMIT_OPEN] == 30


def test_a_limit_needs_a_table_to_count_in() -> None:
    with pytest.raises(Misconfigured, match="IDEMPOTENCY_TABLE"):
        from_env({"TENANT_RATE_PER_SECOND": "5"})
    assert (
        from_env({"TENANT_RATE_PER_SECOND": "5", "IDEMPOTENCY_TABLE": "t"}).tenant_rate.burst == 100
    )
