"""Every kind of fault once, for a short time. `make faults` runs them for longer."""

from collections.abc import Iterator

import pytest

from infra.local.kafka import choose
from infra.local.ports import free_port
from tests.conftest import CACHE
from tests.faults.scenarios import SCENARIOS, SHORT
from tests.faults.world import World
from tests.faults.writers import Writers


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World() as world:
        if choose(world.home, free_port(), CACHE).kind != "apache":
            pytest.skip(
                "faults need Apache Kafka: java and mvn, and KAFKA_BROKER not set to another"
            )
        yield world


@pytest.mark.parametrize("name", SCENARIOS)
def test_nothing_is_lost_and_order_is_kept_when(world: World, name: str) -> None:
    writers = Writers(world, per_second=SHORT.per_second)
    SCENARIOS[name](world, writers, SHORT)
    findings = writers.settle()
    assert findings.good, findings
    assert findings.committed > 100, findings
