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

    def admitted(self, times: int) -> int:
        done = 0
        for _ in range(times):
            try:
                self.rate.admit(TENANT)
                done += 1
            except RateLimited:
                continue
        return done


@pytest.fixture
def world() -> World:
    return World()


def test_a_burst_is_let_in_and_no_more_until_the_next_window(world: World) -> None:
    assert world.admitted(30) == 10
    world.clock.sleep(1.9)
    assert world.admitted(1) == 0
    world.clock.sleep(0.1)
    assert world.admitted(30) == 10
    assert world.meter.counts[names.RATE_LIMITED] == 41


def test_over_a_while_the_rate_is_kept(world: World) -> None:
    done = 0
    for _ in range(200):
        done += world.admitted(2)
        world.clock.sleep(0.1)
    assert done == pytest.approx(5 * 20, abs=10)


def test_whoever_is_refused_learns_when_to_come_back(world: World) -> None:
    world.admitted(10)
    world.clock.sleep(0.5)
    with pytest.raises(RateLimited) as refused:
        world.rate.admit(TENANT)
    assert (refused.value.status, refused.value.code, refused.value.headers) == (
        429,
        "rate-limited",
        {"Retry-After": "2"},
    )
    world.clock.sleep(int(refused.value.headers["Retry-After"]))
    assert world.admitted(1) == 1


def test_one_tenant_does_not_use_up_another_s_share(world: World) -> None:
    world.admitted(30)
    world.rate.admit(uuid4())


def test_counters_that_are_away_keep_nobody_out_and_are_counted(world: World) -> None:
    world.counters.problem = Unavailable("away")
    assert world.admitted(30) == 30
    assert world.meter.counts[names.RATE_LIMIT_OPEN] == 30


def test_a_limit_needs_a_table_to_count_in() -> None:
    with pytest.raises(Misconfigured, match="IDEMPOTENCY_TABLE"):
        from_env({"TENANT_RATE_PER_SECOND": "5"})
    assert (
        from_env({"TENANT_RATE_PER_SECOND": "5", "IDEMPOTENCY_TABLE": "t"}).tenant_rate.burst == 100
    )
