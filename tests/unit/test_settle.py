"""Settling: open actions are checked, verified, retried and escalated."""

from datetime import timedelta

import pytest

from chalicelib.autoheal.actions import FollowUp, Result, State
from chalicelib.autoheal.admin import ChaosChange, ConfigChange, ModeName
from chalicelib.autoheal.ports import CommandState, CommandStatus
from chalicelib.shared.errors import Conflict, NotFound, PreconditionFailed
from chalicelib.shared.ids import uuid7
from chalicelib.shared.preconditions import EntityTags, Precondition
from tests.builders.alerts import TCP, alert, raw_alert
from tests.builders.autoheal import MINUTE, HealerWorld
from tests.builders.runbooks import changed
from tests.fakes.clock import START

AT_VERSION_0 = Precondition(if_match=EntityTags(strong=frozenset({"0"})))


@pytest.fixture
def world() -> HealerWorld:
    return HealerWorld()


def _state(world: HealerWorld) -> State:
    [action] = world.store.kept.values()
    return action.state


def test_an_alert_that_still_fires_makes_the_action_ineffective(world: HealerWorld) -> None:
    world.alertmanager.firing = [alert()]
    world.deliver(raw_alert())
    world.tick()
    assert _state(world) is State.VERIFYING
    world.later(180)
    world.tick(3)
    assert _state(world) is State.INEFFECTIVE
    assert world.total("autoheal_actions_total", result="failed") == 1


def test_a_new_firing_of_the_alert_is_another_episode(world: HealerWorld) -> None:
    world.alertmanager.firing = [alert(starts_at=START + MINUTE)]
    world.deliver(raw_alert())
    world.tick()
    assert _state(world) is State.SUCCEEDED


def test_a_resolved_delivery_ends_the_wait(world: HealerWorld) -> None:
    world.alertmanager.firing = [alert()]
    world.deliver(raw_alert())
    world.tick(5)
    outcome = world.deliver(raw_alert(status="resolved"))
    assert outcome.action
    assert (outcome.action.state, outcome.result) == (State.SUCCEEDED, Result.EXECUTED)


@pytest.mark.parametrize(
    ("command_state", "state"),
    [
        (CommandState.FAILED, State.FAILED),
        (CommandState.NO_TARGETS, State.FAILED),
        (CommandState.TIMED_OUT, State.TIMED_OUT),
        (CommandState.CANCELLED, State.CANCELLED),
    ],
)
def test_an_action_ends_as_its_command_did(
    world: HealerWorld, command_state: CommandState, state: State
) -> None:
    world.commander.outcome = CommandStatus(command_state, 3, "output")
    world.deliver(raw_alert())
    world.tick(5)
    assert _state(world) is state


def test_a_command_that_is_not_listed_yet_has_not_failed(world: HealerWorld) -> None:
    world.deliver(raw_alert())
    status = world.commander.sent[0].status
    world.commander.sent[0].status = CommandStatus(CommandState.MISSING)
    world.tick(20)
    assert _state(world) is State.RUNNING
    world.commander.sent[0].status = status
    world.tick()
    assert _state(world) is State.SUCCEEDED


def test_a_command_that_runs_too_long_is_cancelled_and_timed_out(
    world: HealerWorld,
) -> None:
    world.commander.outcome = CommandStatus(CommandState.RUNNING)
    world.deliver(raw_alert())
    world.later(121)
    world.tick(5)
    assert _state(world) is State.TIMED_OUT
    assert world.commander.cancelled == [world.commander.sent[0].id]


def test_after_a_lost_answer_the_command_is_found_by_its_comment_and_not_sent_twice(
    world: HealerWorld,
) -> None:
    world.commander.loses_answer = True
    assert world.deliver(raw_alert()).result is Result.ERROR
    assert _state(world) is State.DISPATCHING
    world.later(61)
    world.tick()
    assert (_state(world), len(world.commander.sent)) == (State.SUCCEEDED, 1)


def test_an_action_of_unknown_state_is_escalated_and_not_sent_again(
    world: HealerWorld,
) -> None:
    world.commander.takes_nothing = True
    world.alertmanager.firing = [alert()]
    world.deliver(raw_alert())
    world.later(61)
    world.tick(5)
    assert _state(world) is State.UNKNOWN
    assert world.escalation.notices[0][0] == f"{TCP} on AetherLinkService=crm-api: UNKNOWN"
    world.commander.takes_nothing = False
    for _ in range(5):
        world.later(700)
        assert world.deliver(raw_alert()).reason == "attempts_spent"
        world.tick(5)
    assert world.commander.sent == []
    assert len(world.escalation.notices) == 1


def test_an_action_planned_before_a_crash_is_sent_by_the_tick(world: HealerWorld) -> None:
    class Crash(BaseException):
        pass

    def crash(after: object) -> None:
        raise Crash

    world.store.on_move = crash
    with pytest.raises(Crash):
        world.deliver(raw_alert())
    assert _state(world) is State.PLANNED
    world.store.on_move = lambda _: None
    world.later(61)
    world.tick()
    assert (_state(world), len(world.commander.sent)) == (State.SUCCEEDED, 1)


def test_a_failed_action_is_retried_after_the_cooldown_and_then_escalated(
    world: HealerWorld,
) -> None:
    world.commander.outcome = CommandStatus(CommandState.FAILED, 1)
    world.alertmanager.firing = [alert()]
    world.deliver(raw_alert())
    world.tick(5)
    assert (len(world.commander.sent), world.escalation.notices) == (1, [])
    world.later(600)
    world.tick(10)
    assert len(world.commander.sent) == 2
    assert "FAILED" in world.escalation.notices[0][0]
    world.later(6_000)
    world.tick(10)
    assert (len(world.commander.sent), len(world.escalation.notices)) == (2, 1)
    assert {action.follow_up for action in world.store.kept.values()} == {FollowUp.NOTHING}


def test_an_alert_that_resolved_by_itself_is_not_retried(world: HealerWorld) -> None:
    world.commander.outcome = CommandStatus(CommandState.FAILED, 1)
    world.deliver(raw_alert())
    world.tick(5)
    world.alertmanager.firing = []
    world.later(601)
    world.tick(10)
    assert (len(world.commander.sent), world.escalation.notices) == (1, [])


def test_a_failed_escalation_is_repeated(world: HealerWorld) -> None:
    world.runbooks = changed(attempts=1)
    world.commander.outcome = CommandStatus(CommandState.FAILED, 1)
    world.escalation.down = True
    world.deliver(raw_alert())
    world.tick(5)
    assert world.escalation.notices == []
    world.escalation.down = False
    world.later(61)
    world.tick(5)
    assert len(world.escalation.notices) == 1


def test_an_action_does_not_succeed_while_alertmanager_is_down(
    world: HealerWorld,
) -> None:
    world.deliver(raw_alert())
    world.alertmanager.down = True
    world.tick()
    assert _state(world) is State.VERIFYING
    world.later(180 + 600)
    world.tick(5)
    assert _state(world) is State.UNKNOWN


def test_an_error_of_one_action_does_not_delay_the_others(world: HealerWorld) -> None:
    world.deliver(raw_alert())
    world.commander.down = True
    done = world.tick(10)
    assert done.troubles > 0
    world.commander.down = False
    world.tick()
    assert _state(world) is State.SUCCEEDED


def test_the_tick_records_a_heartbeat(world: HealerWorld) -> None:
    world.tick()
    assert world.total("autoheal_event_total", kind="heartbeat") == 1
    assert world.total("autoheal_last_event_timestamp") == START.timestamp()


def test_a_waiting_action_is_sent_when_it_is_approved(world: HealerWorld) -> None:
    world.runbooks = changed(approval=True)
    outcome = world.deliver(raw_alert())
    assert outcome.action
    assert world.commander.sent == []
    approved = world.admin.approve(outcome.action.id, "ada", seconds=9)
    assert (approved["state"], approved["approvedBy"], len(world.commander.sent)) == (
        "RUNNING",
        "ada",
        1,
    )
    with pytest.raises(Conflict):
        world.admin.approve(outcome.action.id, "bob", seconds=9)
    with pytest.raises(NotFound):
        world.admin.approve(uuid7(), "bob", seconds=9)


def test_a_rejected_action_is_never_sent(world: HealerWorld) -> None:
    world.runbooks = changed(approval=True)
    outcome = world.deliver(raw_alert())
    assert outcome.action
    assert world.admin.reject(outcome.action.id, "ada", seconds=9)["state"] == "CANCELLED"
    world.later(4_000)
    world.tick(5)
    assert (world.commander.sent, world.escalation.notices) == ([], [])


def test_an_action_that_is_not_approved_in_time_is_cancelled_and_escalated(
    world: HealerWorld,
) -> None:
    world.runbooks = changed(approval=True)
    world.deliver(raw_alert())
    world.later(1_801)
    world.tick(5)
    assert (_state(world), world.commander.sent, len(world.escalation.notices)) == (
        State.CANCELLED,
        [],
        1,
    )


def test_an_approval_in_mode_off_sends_nothing(
    world: HealerWorld,
) -> None:
    world.runbooks = changed(approval=True)
    outcome = world.deliver(raw_alert())
    assert outcome.action
    world.admin.change(ConfigChange(mode=ModeName.OFF), "ada")
    assert world.admin.approve(outcome.action.id, "ada", seconds=9)["state"] == "CANCELLED"
    assert world.commander.sent == []


def test_a_change_of_a_stale_configuration_is_refused(world: HealerWorld) -> None:
    assert world.admin.config()["version"] == 0
    after = world.admin.change(
        ConfigChange(chaos=ChaosChange(percent=10, seconds=60)), "ada", precondition=AT_VERSION_0
    )
    assert (after["version"], after["mode"], after["chaos"]["percent"]) == (1, "live", 10)
    with pytest.raises(PreconditionFailed):
        world.admin.change(ConfigChange(mode=ModeName.OFF), "bob", precondition=AT_VERSION_0)
    world.later(61)
    assert world.admin.config()["chaos"] == {"percent": 0.0, "until": None}
    assert "config_changed" in world.audit.kinds()


def test_a_lease_is_longer_than_an_action_can_take(world: HealerWorld) -> None:
    world.deliver(raw_alert())
    lock = world.store.locks["AetherLinkService=crm-api"]
    assert lock.lease_until is not None
    assert lock.lease_until >= START + timedelta(seconds=60 + 60 + 180 + 600)
