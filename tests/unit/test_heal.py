"""From a delivery to actions: which alerts are healed, which are skipped, and why."""

from typing import Any

import pytest

from chalicelib.autoheal.actions import FollowUp, Result, State
from chalicelib.autoheal.heal import Healer
from chalicelib.autoheal.ports import SendRefused
from chalicelib.shared.errors import Unavailable
from tests.builders.alerts import TCP, alert, delivery, raw_alert
from tests.builders.autoheal import MINUTE, HealerWorld
from tests.builders.runbooks import changed
from tests.fakes.clock import START


@pytest.fixture
def world() -> HealerWorld:
    return HealerWorld()


def test_an_alert_becomes_a_command_that_is_verified_and_audited(world: HealerWorld) -> None:
    outcome = world.deliver(raw_alert())
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
    outcome = world.deliver(raw_alert(status="resolved"))
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
def test_a_skipped_alert_is_recorded_with_the_reason(
    world: HealerWorld, raw: Any, reason: str
) -> None:
    outcome = world.deliver(raw)
    assert (outcome.result, outcome.reason, world.commander.sent) == (
        Result.SKIPPED,
        reason,
        [],
    )
    [event] = [event for event in world.audit.events.values() if event.kind == "decision_skip"]
    assert event.details["reason"] == reason


def test_the_annotation_is_checked_before_the_allowlist(world: HealerWorld) -> None:
    assert world.deliver(raw_alert("SomethingElse", autoheal=None)).reason == "not_annotated"


def test_a_delivery_is_counted_without_a_metrics_request(world: HealerWorld) -> None:
    world.deliver(raw_alert(autoheal=None))
    assert world.total("autoheal_event_total", kind="webhook_received") == 1
    assert world.total("autoheal_event_total", kind="decision_skip") == 1
    assert world.total("autoheal_last_event_timestamp") >= START.timestamp()
    assert world.total("autoheal_audit_write_seconds") > 0


def test_a_dry_run_passes_the_same_rails_and_sends_nothing() -> None:
    world = HealerWorld().tuned(dry_run=True)
    outcome = world.deliver(raw_alert())
    assert (outcome.result, world.commander.sent) == (Result.DRY_RUN, [])
    assert "action_dry_run" in world.audit.kinds()
    assert world.deliver(raw_alert(starts_at=START + MINUTE)).result is Result.COOLDOWN_SKIP


def test_nothing_is_done_in_mode_off() -> None:
    world = HealerWorld().tuned(enabled=False)
    outcome = world.deliver(raw_alert())
    assert (outcome.reason, world.commander.sent, world.store.kept) == ("disabled", [], {})


def test_a_failure_on_purpose_is_not_sent_and_marked_as_chaos() -> None:
    world = HealerWorld().tuned(chaos_failure_rate=100)  # more than may be set
    outcome = world.deliver(raw_alert())
    assert (outcome.result, world.commander.sent) == (Result.CHAOS, [])
    [event] = [
        event.to_dict() for event in world.audit.events.values() if event.kind == "action_fail"
    ]
    assert {"kind", "alertname", "cmd", "rc", "chaos"} <= set(event)
    assert (event["alertname"], event["rc"], event["chaos"]) == (TCP, 1, True)
    assert world.total("autoheal_actions_total", result="chaos_injected_failure") == 1
    assert world.total("autoheal_action_failures_total", alertname=TCP) == 1
    assert world.store.breakers([TCP])[TCP].failures == 0, "left out of the breaker"


def test_chaos_ends_by_itself() -> None:
    world = HealerWorld().tuned(chaos_failure_rate=100, chaos_until=(START + MINUTE).timestamp())
    world.later(61)
    assert world.deliver(raw_alert()).result is Result.EXECUTED


def test_a_resolved_alert_cancels_an_action_that_waits_for_approval() -> None:
    world = HealerWorld(runbooks=changed(approval=True))
    waiting = world.deliver(raw_alert())
    assert waiting.result is Result.AWAITING_APPROVAL
    over = world.deliver(raw_alert(status="resolved"))
    assert (over.result, over.action and over.action.state) == (
        Result.CANCELLED,
        State.CANCELLED,
    )
    assert world.commander.sent == []


def test_a_late_delivery_of_a_resolved_alert_heals_nothing(world: HealerWorld) -> None:
    world.deliver(raw_alert(status="resolved"))
    assert world.deliver(raw_alert()).reason == "resolved"


def test_a_refused_command_is_a_failure_that_is_retried_later(
    world: HealerWorld,
) -> None:
    world.commander.refuses = SendRefused("InvalidDocument")
    outcome = world.deliver(raw_alert())
    assert outcome.action
    assert (outcome.result, outcome.action.follow_up) == (Result.FAILED, FollowUp.RETRY)


def test_five_hundred_alerts_come_in_one_delivery(world: HealerWorld) -> None:
    raws = [raw_alert(service=f"s{n}", fingerprint=f"{n:016x}") for n in range(500)]
    outcomes = world.receive(*raws)
    assert len(outcomes) == 500
    assert len(world.commander.sent) == 4, "the fleet's cap"


def test_alerts_that_a_delivery_left_out_are_fetched(world: HealerWorld) -> None:
    world.alertmanager.firing = [
        alert(),
        alert(service="billing", fingerprint="00000000000000b2"),
    ]
    outcomes = world.receive(raw_alert(), truncatedAlerts=1, groupLabels={"alertname": TCP})
    assert [outcome.result for outcome in outcomes] == [Result.EXECUTED, Result.EXECUTED]


def test_a_delivery_whose_remaining_alerts_cannot_be_fetched_must_be_repeated(
    world: HealerWorld,
) -> None:
    world.alertmanager.down = True
    received = Healer(world.dependencies).receive(
        delivery(raw_alert(), truncatedAlerts=1), seconds=28
    )
    assert (received.complete, len(received.outcomes)) == (False, 1)


def test_when_time_runs_out_the_remaining_alerts_wait_for_the_next_delivery(
    world: HealerWorld,
) -> None:
    world.store.on_move = lambda _: world.later(3)
    raws = [raw_alert(service=f"s{n}", fingerprint=f"{n:016x}") for n in range(9)]
    received = Healer(world.dependencies).receive(delivery(*raws), seconds=15)
    assert not received.complete
    assert 0 < len(received.outcomes) < 9
    assert world.clock.seconds <= 16, "5 s are kept"


def test_a_delivery_fails_while_the_store_is_down(
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
def test_an_invalid_alert_is_an_error_that_does_not_affect_others(
    world: HealerWorld, bad: Any
) -> None:
    first, second = world.receive(bad, raw_alert())
    assert (first.result, second.result) == (Result.ERROR, Result.EXECUTED)


def test_unknown_fields_are_ignored(world: HealerWorld) -> None:
    raw = raw_alert() | {"silenceURL": "http://x", "values": {"B": 1}}
    assert world.receive(raw, orgId=1, title="x")[0].result is Result.EXECUTED
