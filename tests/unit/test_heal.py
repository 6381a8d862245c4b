"""From an alert to an action: who is healed, who is not, and why."""

import threading
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.autoheal.actions import FollowUp, Result, State
from chalicelib.autoheal.alert_handler import AlertHandler
from chalicelib.autoheal.heal import Healer
from chalicelib.autoheal.modes import Breaker, BreakerState, Config, Mode
from chalicelib.autoheal.ports import CommandState, CommandStatus, SendRefused
from chalicelib.shared.errors import Unavailable
from tests.builders.alerts import TCP, alert, delivery, raw_alert
from tests.builders.autoheal import LIVE, MINUTE, HealerWorld
from tests.builders.runbooks import changed
from tests.fakes.clock import START

DRY = Config(Mode.DRY_RUN)
OFF = Config(Mode.OFF)
COOLDOWN = 600


@pytest.fixture
def world() -> HealerWorld:
    return HealerWorld()


def test_an_alert_becomes_a_command_a_verified_cure_and_a_story(world: HealerWorld) -> None:
    outcome = world.one(raw_alert())
    assert (outcome.result, world.commander.sent[0].parameters) == (
        Result.EXECUTED,
        {"Service": "crm-api"},
    )
    assert world.commander.sent[0].document == "AetherLink-RestartService:1"
    world.alertmanager.firing = []
    world.tick()
    assert outcome.action
    ended = world.store.kept[outcome.action.id]
    assert (ended.state, ended.result, ended.rc) == (State.SUCCEEDED, Result.EXECUTED, 0)
    assert sorted(world.audit.kinds()) == [
        "action_eligible",
        "action_ok",
        "action_sent",
        "webhook_received",
    ]
    assert world.total("autoheal_actions_total", alertname=TCP, result="executed") == 1
    assert world.total("autoheal_action_failures_total") == 0


def test_a_resolved_alert_is_not_healed(world: HealerWorld) -> None:
    outcome = world.one(raw_alert(status="resolved"))
    assert (outcome.result, outcome.reason, world.commander.sent) == (
        Result.SKIPPED,
        "resolved",
        [],
    )


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (raw_alert(autoheal=None), "not_annotated"),
        (raw_alert(autoheal="yes"), "not_annotated"),
        (raw_alert(autoheal="True"), "not_annotated"),
        (raw_alert("SomethingElse"), "not_allowlisted"),
        (raw_alert("AutohealServiceDown"), "self_alert"),
        (raw_alert(service="crm;rm -rf /"), "bad_parameters"),
        (raw_alert(service="crm-api\u00a0"), "bad_parameters"),
        (raw_alert(service="$(id)"), "bad_parameters"),
        (raw_alert(service=""), "bad_parameters"),
        (raw_alert(service="-oops"), "bad_parameters"),
    ],
)
def test_what_is_not_to_be_healed_is_skipped_and_the_reason_recorded(
    world: HealerWorld, raw: Any, reason: str
) -> None:
    outcome = world.one(raw)
    assert (outcome.result, outcome.reason, world.commander.sent) == (
        Result.SKIPPED,
        reason,
        [],
    )
    [event] = [one for one in world.audit.events.values() if one.kind == "decision_skip"]
    assert event.details["reason"] == reason


def test_not_annotated_is_looked_at_before_the_allowlist(world: HealerWorld) -> None:
    assert world.one(raw_alert("SomethingElse", autoheal=None)).reason == "not_annotated"


def test_a_cooldown_skip_does_not_restart_the_cooldown(world: HealerWorld) -> None:
    world.one(raw_alert())
    world.tick()
    ends = world.store.locks["AetherLinkService=crm-api"].cooldown_until
    for number in range(5):
        world.later(100)
        again = raw_alert(starts_at=START + MINUTE * (number + 1), fingerprint="00000000000000b2")
        assert world.one(again).result is Result.COOLDOWN_SKIP
    assert world.store.locks["AetherLinkService=crm-api"].cooldown_until == ends
    world.later(COOLDOWN - 450)
    assert world.one(raw_alert(starts_at=START + 9 * MINUTE)).result is Result.EXECUTED
    assert world.total("autoheal_actions_total", result="cooldown_skip") == 5


def test_two_instances_of_one_alert_do_not_block_each_other(world: HealerWorld) -> None:
    first = world.one(raw_alert(service="crm-api"))
    second = world.one(raw_alert(service="billing", fingerprint="00000000000000b2"))
    assert (first.result, second.result) == (Result.EXECUTED, Result.EXECUTED)


def test_the_cooldown_survives_the_process_that_started_it(world: HealerWorld) -> None:
    world.one(raw_alert())
    world.tick()
    other = AlertHandler(world.dependencies)
    outcome = other.handle(alert(starts_at=START + MINUTE), LIVE, seconds=9)
    assert outcome.result is Result.COOLDOWN_SKIP


def test_the_cooldown_starts_when_the_action_ends(world: HealerWorld) -> None:
    world.one(raw_alert())
    world.later(40)
    world.tick()
    until = world.store.locks["AetherLinkService=crm-api"].cooldown_until
    assert until is not None
    assert until >= START + timedelta(seconds=40 + COOLDOWN)


def test_an_alert_s_own_cooldown_wins_over_the_default() -> None:
    world = HealerWorld().tuned(cooldowns={TCP: 5})
    world.one(raw_alert())
    world.tick()
    world.later(6)
    assert world.one(raw_alert(starts_at=START + MINUTE)).result is Result.EXECUTED


def test_counters_move_while_nobody_watches(world: HealerWorld) -> None:
    world.one(raw_alert(autoheal=None))
    assert world.total("autoheal_event_total", kind="webhook_received") == 1
    assert world.total("autoheal_event_total", kind="decision_skip") == 1
    assert world.total("autoheal_last_event_timestamp") >= START.timestamp()
    assert world.total("autoheal_audit_write_seconds") > 0


def test_a_dry_run_walks_the_same_rails_and_sends_nothing() -> None:
    world = HealerWorld().tuned(dry_run=True)
    outcome = world.one(raw_alert())
    assert (outcome.result, world.commander.sent) == (Result.DRY_RUN, [])
    assert "action_dry_run" in world.audit.kinds()
    assert world.one(raw_alert(starts_at=START + MINUTE)).result is Result.COOLDOWN_SKIP


def test_off_means_nothing_is_done() -> None:
    world = HealerWorld().tuned(enabled=False)
    outcome = world.one(raw_alert())
    assert (outcome.reason, world.commander.sent, world.store.kept) == ("disabled", [], {})


def test_chaos_fails_instead_of_being_sent_and_says_so() -> None:
    world = HealerWorld().tuned(chaos_failure_rate=100)  # beyond what anybody may set
    outcome = world.one(raw_alert())
    assert (outcome.result, world.commander.sent) == (Result.CHAOS, [])
    [event] = [one.to_dict() for one in world.audit.events.values() if one.kind == "action_fail"]
    assert {"kind", "alertname", "cmd", "rc", "chaos"} <= set(event)
    assert (event["alertname"], event["rc"], event["chaos"]) == (TCP, 1, True)
    assert world.total("autoheal_actions_total", result="chaos_injected_failure") == 1
    assert world.total("autoheal_action_failures_total", alertname=TCP) == 1
    assert world.store.breakers([TCP])[TCP].failures == 0, "left out of the breaker"


def test_chaos_ends_by_itself() -> None:
    world = HealerWorld().tuned(chaos_failure_rate=100, chaos_until=(START + MINUTE).timestamp())
    world.later(61)
    assert world.one(raw_alert()).result is Result.EXECUTED


def test_the_same_episode_is_healed_once_however_often_it_is_delivered(
    world: HealerWorld,
) -> None:
    assert world.one(raw_alert()).result is Result.EXECUTED
    for _ in range(5):
        assert world.one(raw_alert()).reason in ("in_progress", "target_locked")
    assert len(world.commander.sent) == 1


def test_fifty_deliveries_at_once_send_one_command(world: HealerWorld) -> None:
    together = threading.Barrier(50)
    outcomes = []

    def deliver() -> None:
        together.wait()
        outcomes.append(world.one(raw_alert()).result)

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


def test_attempts_are_bounded() -> None:
    world = HealerWorld().tuned(default_cooldown_sec=0)
    world.commander.outcome = CommandStatus(CommandState.FAILED, 1)
    for _ in range(2):
        assert world.one(raw_alert()).result is Result.EXECUTED
        world.tick(3)
    assert world.one(raw_alert()).reason == "attempts_spent"


def test_the_hourly_cap_holds_over_all_targets() -> None:
    world = HealerWorld().tuned(fleet_cap=99)
    outcomes = [world.one(raw_alert(service=f"s{n}", fingerprint=f"{n:016x}")) for n in range(8)]
    assert [one.reason for one in outcomes].count("budget_spent") == 2
    world.later(3_600)
    assert world.one(raw_alert(service="s99", fingerprint="f" * 16)).result is Result.EXECUTED


def test_no_more_actions_run_at_once_than_the_fleet_allows() -> None:
    world = HealerWorld().tuned(fleet_cap=2)
    outcomes = [world.one(raw_alert(service=f"s{n}", fingerprint=f"{n:016x}")) for n in range(3)]
    assert outcomes[2].reason == "fleet_busy"
    world.tick()
    assert world.one(raw_alert(service="s2", fingerprint=f"{2:016x}")).result is Result.EXECUTED


def test_two_alerts_about_one_target_do_not_act_on_it_at_once(world: HealerWorld) -> None:
    world.one(raw_alert())
    other = raw_alert("UptimeProbeFailing", fingerprint="00000000000000b2")
    assert world.one(other).reason == "target_locked"


def test_the_switch_is_looked_at_once_more_just_before_sending(world: HealerWorld) -> None:
    turned: list[bool] = []

    def turn_off(after: Any) -> None:
        if after.state is State.DISPATCHING and not turned:
            turned.append(True)
            world.store._config = Config(Mode.OFF, version=1)

    world.store.on_move = turn_off
    outcome = world.one(raw_alert())
    assert (outcome.result, world.commander.sent) == (Result.CANCELLED, [])


def test_an_alert_that_is_over_cancels_what_waits_for_approval() -> None:
    world = HealerWorld(runbooks=changed(approval=True))
    waiting = world.one(raw_alert())
    assert waiting.result is Result.AWAITING_APPROVAL
    over = world.one(raw_alert(status="resolved"))
    assert (over.result, over.action and over.action.state) == (
        Result.CANCELLED,
        State.CANCELLED,
    )
    assert world.commander.sent == []


def test_a_late_delivery_of_what_is_over_heals_nothing(world: HealerWorld) -> None:
    world.one(raw_alert(status="resolved"))
    assert world.one(raw_alert()).reason == "resolved"


def test_an_open_breaker_stops_and_one_trial_closes_it() -> None:
    world = HealerWorld().tuned(default_cooldown_sec=0)
    world.commander.outcome = CommandStatus(CommandState.FAILED, 1)
    for number in range(3):
        world.one(raw_alert(starts_at=START + MINUTE * number))
        world.tick(3)
    assert world.one(raw_alert(starts_at=START + 5 * MINUTE)).reason == "breaker_open"
    world.tick(3)
    assert world.store.breakers([TCP])[TCP].state is BreakerState.OPEN
    world.later(901)
    world.tick(3)
    assert world.store.breakers([TCP])[TCP].state is BreakerState.HALF_OPEN
    world.commander.outcome = CommandStatus(CommandState.SUCCEEDED, 0)
    trial = world.one(raw_alert(starts_at=START + 6 * MINUTE))
    second = world.one(
        raw_alert(starts_at=START + 7 * MINUTE, service="other", fingerprint="00000000000000b2")
    )
    assert (trial.result, second.reason) == (Result.EXECUTED, "breaker_open")
    world.tick()
    assert world.store.breakers([TCP])[TCP] == Breaker(TCP)


def test_a_failed_trial_opens_the_breaker_again() -> None:
    world = HealerWorld().tuned(default_cooldown_sec=0)
    world.commander.outcome = CommandStatus(CommandState.FAILED, 1)
    world.store._breakers[TCP] = Breaker(TCP, BreakerState.HALF_OPEN, failures=2)
    assert world.one(raw_alert()).result is Result.EXECUTED
    world.tick(3)
    world.tick(3)
    assert world.store.breakers([TCP])[TCP].state is BreakerState.OPEN


def test_a_refused_command_is_a_failure_that_is_tried_again_later(
    world: HealerWorld,
) -> None:
    world.commander.refuses = SendRefused("InvalidDocument")
    outcome = world.one(raw_alert())
    assert outcome.action
    assert (outcome.result, outcome.action.follow_up) == (Result.FAILED, FollowUp.RETRY)


def test_five_hundred_alerts_come_in_one_delivery(world: HealerWorld) -> None:
    raws = [raw_alert(service=f"s{n}", fingerprint=f"{n:016x}") for n in range(500)]
    outcomes = world.receive(*raws)
    assert len(outcomes) == 500
    assert len(world.commander.sent) == 4, "the fleet's cap"


def test_alerts_that_were_left_out_are_fetched(world: HealerWorld) -> None:
    world.alertmanager.firing = [
        alert(),
        alert(service="billing", fingerprint="00000000000000b2"),
    ]
    outcomes = world.receive(raw_alert(), truncatedAlerts=1, groupLabels={"alertname": TCP})
    assert [one.result for one in outcomes] == [Result.EXECUTED, Result.EXECUTED]


def test_a_delivery_whose_rest_cannot_be_fetched_is_to_be_sent_again(
    world: HealerWorld,
) -> None:
    world.alertmanager.down = True
    received = Healer(world.dependencies).receive(
        delivery(raw_alert(), truncatedAlerts=1), seconds=28
    )
    assert (received.complete, len(received.outcomes)) == (False, 1)


def test_when_time_runs_out_the_rest_is_left_for_the_next_delivery(
    world: HealerWorld,
) -> None:
    world.store.on_move = lambda _: world.later(3)
    raws = [raw_alert(service=f"s{n}", fingerprint=f"{n:016x}") for n in range(9)]
    received = Healer(world.dependencies).receive(delivery(*raws), seconds=15)
    assert not received.complete
    assert 0 < len(received.outcomes) < 9
    assert world.clock.seconds <= 16, "5 s are kept"


def test_a_store_that_is_down_is_told_so_that_the_delivery_comes_again(
    world: HealerWorld,
) -> None:
    world.store.down = True
    with pytest.raises(Unavailable):
        world.receive(raw_alert())
    assert world.commander.sent == []


@pytest.mark.parametrize(
    "labels",
    [
        {"service": "a\x00b"},
        {"service": "a\nb"},
        {"bad-name": "x"},
        {"x": "y" * 2_000},
        {f"l{n}": "x" for n in range(80)},
        {"": "x"},
    ],
)
def test_hostile_labels_are_refused_and_the_others_are_healed(
    world: HealerWorld, labels: dict[str, str]
) -> None:
    bad = raw_alert()
    bad["labels"] |= labels
    good = raw_alert(service="billing", fingerprint="00000000000000b2")
    first, second = world.receive(bad, good)
    assert (first.result, second.result) == (Result.ERROR, Result.EXECUTED)


@pytest.mark.parametrize(
    "bad", [None, 7, [], {}, {"labels": []}, {"labels": {"alertname": 7}}, {"labels": {}}]
)
def test_what_is_no_alert_is_an_error_of_its_own(world: HealerWorld, bad: Any) -> None:
    first, second = world.receive(bad, raw_alert())
    assert (first.result, second.result) == (Result.ERROR, Result.EXECUTED)


def test_unknown_fields_are_tolerated(world: HealerWorld) -> None:
    raw = raw_alert() | {"silenceURL": "http://x", "values": {"B": 1}}
    assert world.receive(raw, orgId=1, title="x")[0].result is Result.EXECUTED
