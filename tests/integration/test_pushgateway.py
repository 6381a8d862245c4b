"""Pushing the totals to a real Pushgateway."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from chalicelib.adapters.pushgateway import Pushgateway
from chalicelib.autoheal.metrics import series
from chalicelib.shared.errors import Unavailable
from chalicelib.telemetry.pusher import publish
from infra.local.errors import ServiceFailed
from infra.local.ports import free_port
from infra.local.pushgateway import LocalPushgateway
from tests.builders.alerts import TCP, raw_alert
from tests.builders.autoheal import HealerWorld
from tests.conftest import CACHE


@pytest.fixture(scope="module")
def gateway(home: Path) -> Iterator[LocalPushgateway]:
    local = LocalPushgateway(home / "pushgateway", free_port(), CACHE)
    try:
        local.program()
    except ServiceFailed as error:
        pytest.skip(f"there is no pushgateway on this machine: {error}")
    local.start()
    try:
        yield local
    finally:
        local.stop()


def _scraped(gateway: LocalPushgateway) -> dict[str, float]:
    lines = requests.get(f"{gateway.url}/metrics", timeout=5).text.splitlines()
    pairs = [line.rsplit(" ", 1) for line in lines if line and not line.startswith("#")]
    return {name: float(value) for name, value in pairs}


def test_the_whole_set_is_pushed_and_replaces_the_one_before(
    gateway: LocalPushgateway,
) -> None:
    world = HealerWorld()
    pusher = Pushgateway(gateway.url, timeout_seconds=3)
    publish(series(world.dependencies, "local"), pusher)
    executed = (
        f'autoheal_actions_total{{alertname="{TCP}",instance="",job="autoheal",result="executed"}}'
    )
    assert _scraped(gateway)[executed] == 0
    world.deliver(raw_alert())
    world.tick()
    publish(series(world.dependencies, "local"), pusher)
    scraped = _scraped(gateway)
    assert scraped[executed] == 1
    assert scraped['autoheal_enabled{env="local",instance="",job="autoheal"}'] == 1
    assert scraped['autoheal_audit_write_seconds_bucket{instance="",job="autoheal",le="+Inf"}'] > 0
    assert scraped['push_failure_time_seconds{instance="",job="autoheal"}'] == 0


def test_a_refused_push_and_a_gateway_that_is_down_are_errors(
    gateway: LocalPushgateway,
) -> None:
    with pytest.raises(Unavailable):
        Pushgateway(gateway.url, timeout_seconds=3).put("broken", "this is no metric\n")
    with pytest.raises(Unavailable):
        Pushgateway(f"http://127.0.0.1:{free_port()}", timeout_seconds=1).put("autoheal", "x 1\n")
