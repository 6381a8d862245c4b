"""The rails: cooldowns, locks, caps, the mode and breakers limit what the healer does."""

import threading
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.autoheal.actions import Result, State
from chalicelib.autoheal.alert_handler import AlertHandler
from chalicelib.autoheal.modes import Breaker, BreakerState, Config, Mode
from chalicelib.autoheal.ports import CommandState, CommandStatus
from tests.builders.alerts import TCP, alert, raw_alert
from tests.builders.autoheal import LIVE, MINUTE, HealerWorld
from tests.fakes.clock import START

COOLDOWN = 600


@pytest.fixture
def world() -> HealerWorld:
    return HealerWorld()


def test_a_cooldown_skip_does_not_restart_the_cooldown(world: HealerWorld) -> None:
    world.deliver(raw_alert())
    world.tick()
    ends = world.store.locks["AetherLinkService=crm-api"].cooldown_until
    for number in range(5):
        world.later(100)
        again = raw_alert(starts_at=START + MINUTE * (number + 1), fingerprint="00000000000000b2")
        assert world.deliver(again).result is Result.COOLDOWN_SKIP
    assert world.store.locks["AetherLinkService=crm-api"].cooldown_until == ends
    world.later(COOLDOWN - 450)
    assert world.deliver(raw_alert(starts_at=START + 9 * MINUTE)).result is Result.EXECUTED
    assert world.total("autoheal_actions_total", result="cooldown_skip") == 5


def test_two_instances_of_one_alert_do_not_block_each_other(world: HealerWorld) -> None:
    first = world.deliver(raw_alert(service="crm-api"))
    second = world.deliver(raw_alert(service="billing", fingerprint="00000000000000b2"))
    assert (first.result, second.result) == (Result.EXECUTED, Result.EXECUTED)


def test_the_cooldown_survives_the_process_that_started_it(world: HealerWorld) -> None:
    world.deliver(raw_alert())
    world.tick()
    other = AlertHandler(world.dependencies)
    outcome = other.handle(alert(starts_at=START + MINUTE), LIVE, seconds=9)
    assert outcome.result is Result.COOLDOWN_SKIP


def test_the_cooldown_starts_when_the_action_ends(world: HealerWorld) -> None:
    world.deliver(raw_alert())
    world.later(40)
    world.tick()
    until = world.store.locks["AetherLinkService=crm-api"].cooldown_until
    assert until is not None
    assert until >= START + timedelta(seconds=40 + COOLDOWN)


def test_an_alert_s_own_cooldown_wins_over_the_default() -> None:
    world = HealerWorld().tuned(cooldowns={TCP: 5})
    world.deliver(raw_alert())
    world.tick()
    world.later(6)
    assert world.deliver(raw_alert(starts_at=START + MINUTE)).result is Result.EXECUTED


def test_the_same_episode_is_healed_once_however_often_it_is_delivered(
    world: HealerWorld,
) -> None:
    assert world.deliver(raw_alert()).result is Result.EXECUTED
    for _ in range(5):
        assert world.deliver(raw_alert()).reason in ("in_progress", "target_locked")
    assert len(world.commander.sent) == 1


def test_fifty_deliveries_at_once_send_one_command(world: HealerWorld) -> None:
    together = threading.Barrier(50)
    outcomes = []

    def deliver() -> None:
        together.wait()
        outcomes.append(world.deliver(raw_alert()).result)

    threads = [threading.Thread(target=deliver) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert (len(outcomes), outcomes.count(Result.EXECUTED), len(world.commander.sent)) == (
        50,
        1,
        1,
    )


def test_attempts_are_limited() -> None:
    world = HealerWorld().tuned(default_cooldown_sec=0)
    world.commander.outcome = CommandStatus(CommandState.FAILED, 1)
    for _ in range(2):
        assert world.deliver(raw_alert()).result is Result.EXECUTED
        world.tick(3)
    assert world.deliver(raw_alert()).reason == "attempts_spent"


def test_the_hourly_cap_holds_over_all_targets() -> None:
    world = HealerWorld().tuned(fleet_cap=99)
    outcomes = [
        world.deliver(raw_alert(service=f"s{n}", fingerprint=f"{n:016x}")) for n in range(8)
    ]
    assert [outcome.reason for outcome in outcomes].count("budget_spent") == 2
    world.later(3_600)
    assert world.deliver(raw_alert(service="s99", fingerprint="f" * 16)).result is Result.EXECUTED


def test_no_more_actions_run_at_once_than_the_fleet_cap_allows() -> None:
    world = HealerWorld().tuned(fleet_cap=2)
    outcomes = [
        world.deliver(raw_alert(service=f"s{n}", fingerprint=f"{n:016x}")) for n in range(3)
    ]
    assert outcomes[2].reason == "fleet_busy"
    world.tick()
    assert world.deliver(raw_alert(service="s2", fingerprint=f"{2:016x}")).result is Result.EXECUTED


def test_two_alerts_about_one_target_do_not_act_on_it_at_once(world: HealerWorld) -> None:
    world.deliver(raw_alert())
    other = raw_alert("UptimeProbeFailing", fingerprint="00000000000000b2")
    assert world.deliver(other).reason == "target_locked"


def test_the_mode_is_checked_again_just_before_sending(world: HealerWorld) -> None:
    turned: list[bool] = []

    def turn_off(after: Any) -> None:
        if after.state is State.DISPATCHING and not turned:
            turned.append(True)
            world.store._config = Config(Mode.OFF, version=1)

    world.store.on_move = turn_off
    outcome = world.deliver(raw_alert())
    assert (outcome.result, world.commander.sent) == (Result.CANCELLED, [])


def test_an_open_breaker_stops_actions_until_a_trial_succeeds() -> None:
    world = HealerWorld().tuned(default_cooldown_sec=0)
    world.commander.outcome = CommandStatus(CommandState.FAILED, 1)
    for number in range(3):
        world.deliver(raw_alert(starts_at=START + MINUTE * number))
        world.tick(3)
    assert world.deliver(raw_alert(starts_at=START + 5 * MINUTE)).reason == "breaker_open"
    world.tick(3)
    assert world.store.breakers([TCP])[TCP].state is BreakerState.OPEN
    world.later(901)
    world.tick(3)
    assert world.store.breakers([TCP])[TCP].state is BreakerState.HALF_OPEN
    world.commander.outcome = CommandStatus(CommandState.SUCCEEDED, 0)
    trial = world.deliver(raw_alert(starts_at=START + 6 * MINUTE))
    second = world.deliver(
        raw_alert(starts_at=START + 7 * MINUTE, service="other", fingerprint="00000000000000b2")
    )
    assert (trial.result, second.reason) == (Result.EXECUTED, "breaker_open")
    world.tick()
    assert world.store.breakers([TCP])[TCP] == Breaker(TCP)


def test_a_failed_trial_opens_the_breaker_again() -> None:
    world = HealerWorld().tuned(default_cooldown_sec=0)
    world.commander.outcome = CommandStatus(CommandState.FAILED, 1)
    world.store._breakers[TCP] = Breaker(TCP, BreakerState.HALF_OPEN, failures=2)
    assert world.deliver(raw_alert()).result is Result.EXECUTED
    world.tick(3)
    world.tick(3)
    assert world.store.breakers([TCP])[TCP].state is BreakerState.OPEN
