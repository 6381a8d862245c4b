"""What any `HealStore` does; the fake, moto, the emulator and a client that meets conflicts pass the same suite."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import boto3
import pytest
from moto import mock_aws

from chalicelib.adapters.dynamodb import client as dynamodb
from chalicelib.adapters.dynamodb.heal_store import DynamoHealStore
from chalicelib.adapters.dynamodb.transactions import Tables
from chalicelib.autoheal.actions import Action, FollowUp, State, action_id
from chalicelib.autoheal.audit import AuditEvent, AuditQuery, Kind
from chalicelib.autoheal.decide import History, Reason
from chalicelib.autoheal.modes import Breaker, BreakerState, Config, Mode
from chalicelib.autoheal.ports import ActionClaim, Ending
from chalicelib.autoheal.records import ChangeRecord, change_record
from chalicelib.shared.errors import Unavailable
from chalicelib.telemetry import names
from infra.local.ports import free_port
from tests.builders.alerts import TCP
from tests.contract.autoheal_suites import (
    PARAMS,
    Conflicting,
    Suite,
    create_tables,
    on_dynamodb,
    suites,
)
from tests.fakes.clock import START, FakeClock

SECONDS = 8.0
MINUTE = timedelta(minutes=1)


@pytest.fixture(params=PARAMS)
def suite(request: pytest.FixtureRequest) -> Iterator[Suite]:
    yield from suites(request)


def planned(
    episode: str = "a1#t", attempt: int = 1, target: str = "tag=crm", **values: Any
) -> Action:
    made: dict[str, Any] = {
        "id": action_id(episode, attempt),
        "episode": episode,
        "attempt": attempt,
        "alertname": TCP,
        "labels": {"service": "crm"},
        "target": target,
        "command": "doc:1 Service=crm",
        "parameters": {"Service": "crm"},
        "state": State.PLANNED,
        "version": 1,
        "created_at": START,
        "changed_at": START,
        "next_check": START + MINUTE,
    }
    return Action(**(made | values))


def claim(action: Action, **values: Any) -> ActionClaim:
    event = AuditEvent(START, Kind.ACTION_ELIGIBLE, TCP, {"action_id": str(action.id)})
    made: dict[str, Any] = {
        "action": action,
        "config_version": 0,
        "attempts": 2,
        "hourly_cap": 6,
        "fleet_cap": 3,
        "breaker_failures": 3,
        "lease_until": START + 20 * MINUTE,
        "record": change_record(event),
    }
    return ActionClaim(**(made | values))


def claimed(suite: Suite, action: Action, **values: Any) -> Action:
    found = suite.store.claim(claim(action, **values), seconds=SECONDS)
    assert isinstance(found, Action), found
    return found


def ended(suite: Suite, action: Action, to: State = State.CANCELLED, **values: Any) -> Action:
    after = action.moved(to, suite.now)
    assert suite.store.move(action, after, ChangeRecord(), seconds=SECONDS, ending=Ending(**values))
    return after


def test_a_claim_writes_the_action_the_event_and_the_counts_together(suite: Suite) -> None:
    action = claimed(suite, planned())
    assert suite.store.action(action.id) == action
    assert suite.store.history("a1#t", "tag=crm", suite.now) == History(1, busy=True, locked=True)
    [event] = suite.audit.find(AuditQuery(kind="action_eligible"), suite.now).events
    assert event.details["action_id"] == str(action.id)
    totals = suite.totals.totals()
    assert [v for s, v in totals.items() if s.metric == names.AUTOHEAL_EVENTS] == [1.0]
    assert [v for s, v in totals.items() if s.metric == names.AUTOHEAL_LAST_EVENT] == [
        START.timestamp()
    ]


def test_what_a_rail_stops_leaves_nothing_behind(suite: Suite) -> None:
    claimed(suite, planned())
    assert suite.store.claim(claim(planned("b2#t")), seconds=SECONDS) is Reason.TARGET_LOCKED
    assert suite.store.action(action_id("b2#t", 1)) is None
    assert len(suite.audit.find(AuditQuery(), suite.now).events) == 1
    assert suite.store.history("b2#t", "other", suite.now) == History()


def test_many_histories_are_read_together(suite: Suite) -> None:
    claimed(suite, planned())
    many = [(f"e{n}#t", f"tag={n}") for n in range(130)]
    found = suite.store.histories(
        [*many, ("a1#t", "tag=crm"), ("other#t", "tag=crm"), ("a1#t", "")], suite.now
    )
    assert found[:130] == [History()] * 130
    assert found[130:] == [
        History(1, busy=True, locked=True),
        History(locked=True),
        History(1, busy=True),
    ]
    assert suite.store.histories([], suite.now) == []


def test_the_same_attempt_is_claimed_once(suite: Suite) -> None:
    claimed(suite, planned())
    assert suite.store.claim(claim(planned()), seconds=SECONDS) is Reason.IN_PROGRESS


def test_another_attempt_waits_for_the_end_of_the_first(suite: Suite) -> None:
    first = claimed(suite, planned())
    assert suite.store.claim(claim(planned(attempt=2)), seconds=SECONDS) is Reason.IN_PROGRESS
    ended(suite, first)
    claimed(suite, planned(attempt=2))


def test_attempts_run_out(suite: Suite) -> None:
    for attempt in (1, 2):
        ended(suite, claimed(suite, planned(attempt=attempt)))
    assert suite.store.claim(claim(planned(attempt=2)), seconds=SECONDS) is Reason.ATTEMPTS_SPENT


def test_a_spent_episode_has_no_other_attempt(suite: Suite) -> None:
    ended(suite, claimed(suite, planned()), spent=True)
    assert suite.store.claim(claim(planned(attempt=2)), seconds=SECONDS) is Reason.ATTEMPTS_SPENT
    assert suite.store.history("a1#t", "tag=crm", suite.now).attempts > 1_000


def test_a_target_cools_down_after_the_end_and_a_skip_changes_nothing(suite: Suite) -> None:
    until = START + 10 * MINUTE
    ended(suite, claimed(suite, planned()), cooldown_until=until)
    for _ in range(3):
        assert suite.store.claim(claim(planned("b2#t")), seconds=SECONDS) is Reason.COOLDOWN
        assert suite.store.history("b2#t", "tag=crm", suite.now).cooldown_until == until
    suite.later(601)
    claimed(suite, planned("b2#t"))


def test_another_target_is_not_cooled_down(suite: Suite) -> None:
    ended(suite, claimed(suite, planned()), cooldown_until=START + 10 * MINUTE)
    claimed(suite, planned("b2#t", target="tag=other"))


def test_a_lock_whose_lease_ended_is_free_and_its_late_owner_frees_nothing(
    suite: Suite,
) -> None:
    late = claimed(suite, planned(), lease_until=START + MINUTE)
    suite.later(61)
    newer = claimed(suite, planned("b2#t"))
    ended(suite, late, cooldown_until=START + 30 * MINUTE)
    found = suite.store.history("b2#t", "tag=crm", suite.now)
    assert (found.locked, found.cooldown_until) == (True, None)
    ended(suite, newer)
    assert not suite.store.history("b2#t", "tag=crm", suite.now).locked


def test_places_in_the_fleet_are_bounded_and_come_free(suite: Suite) -> None:
    actions = [claimed(suite, planned(f"e{n}#t", target=f"tag={n}")) for n in range(3)]
    assert {one.slot for one in actions} == {0, 1, 2}
    assert (
        suite.store.claim(claim(planned("e9#t", target="tag=9")), seconds=SECONDS)
        is Reason.FLEET_BUSY
    )
    ended(suite, actions[1])
    assert claimed(suite, planned("e9#t", target="tag=9")).slot == actions[1].slot


def test_the_budget_of_an_hour_is_bounded(suite: Suite) -> None:
    for number in range(2):
        ended(suite, claimed(suite, planned(f"e{number}#t"), hourly_cap=2))
    assert (
        suite.store.claim(claim(planned("e9#t"), hourly_cap=2), seconds=SECONDS)
        is Reason.BUDGET_SPENT
    )
    suite.later(3_600)
    claimed(suite, planned("e9#t"), hourly_cap=2)


def test_a_claim_on_another_config_is_stopped(suite: Suite) -> None:
    assert suite.store.config() is None
    new = Config(Mode.LIVE, 5.0, START + MINUTE, 1, "ada", START)
    assert suite.store.change_config(new, ChangeRecord())
    assert suite.store.config() == new
    assert suite.store.claim(claim(planned()), seconds=SECONDS) is Reason.MODE_CHANGED
    claimed(suite, planned(), config_version=1)


def test_of_two_changes_of_the_config_one_wins(suite: Suite) -> None:
    assert suite.store.change_config(Config(Mode.LIVE, version=1), ChangeRecord())
    assert not suite.store.change_config(Config(Mode.OFF, version=1), ChangeRecord())
    assert suite.store.change_config(Config(Mode.OFF, version=2), ChangeRecord())
    found = suite.store.config()
    assert found
    assert (found.mode, found.version) == (Mode.OFF, 2)


def test_the_switch_stops_an_edge(suite: Suite) -> None:
    action = claimed(suite, planned())
    assert suite.store.change_config(Config(Mode.OFF, version=1), ChangeRecord())
    sending = action.moved(State.DISPATCHING, suite.now)
    assert not suite.store.move(action, sending, ChangeRecord(), seconds=SECONDS, config_version=0)
    assert suite.store.action(action.id) == action
    assert suite.store.move(action, sending, ChangeRecord(), seconds=SECONDS, config_version=1)


def test_an_edge_is_taken_once(suite: Suite) -> None:
    action = claimed(suite, planned())
    sending = action.moved(State.DISPATCHING, suite.now, next_check=START + MINUTE)
    assert suite.store.move(action, sending, ChangeRecord(), seconds=SECONDS)
    assert not suite.store.move(action, sending, ChangeRecord(), seconds=SECONDS)
    assert not suite.store.move(
        action, action.moved(State.CANCELLED, suite.now), ChangeRecord(), seconds=SECONDS
    )
    assert suite.store.action(action.id) == sending


def test_an_action_is_kept_with_all_it_has(suite: Suite) -> None:
    action = claimed(suite, planned())
    changes: dict[str, Any] = {
        "command_id": "c",
        "verify_until": START + MINUTE,
        "detail": 'x"',
        "rc": 3,
        "chaos": True,
    }
    changes |= {
        "chaos": True,
        "follow_up": FollowUp.RETRY,
        "approved_by": "ada",
        "next_check": START + MINUTE,
    }
    after = replace(action, state=State.FAILED, version=2, **changes)
    assert suite.store.move(action, after, ChangeRecord(), seconds=SECONDS)
    assert suite.store.action(action.id) == after


def test_what_is_over_cannot_be_claimed_and_names_what_is_open(suite: Suite) -> None:
    assert suite.store.resolve("b2#t", suite.now) is None
    assert suite.store.claim(claim(planned("b2#t")), seconds=SECONDS) is Reason.RESOLVED
    action = claimed(suite, planned())
    assert suite.store.resolve("a1#t", suite.now) == action.id
    assert suite.store.history("a1#t", "tag=crm", suite.now).resolved


def test_what_is_due_comes_first_and_what_owes_nothing_not_at_all(suite: Suite) -> None:
    first = claimed(suite, planned("e1#t", target="tag=1", next_check=START + 5 * MINUTE))
    second = claimed(suite, planned("e2#t", target="tag=2", next_check=START + MINUTE))
    claimed(suite, planned("e3#t", target="tag=3", next_check=START + 60 * MINUTE))
    due = suite.store.due(State.PLANNED, START + 6 * MINUTE, limit=9)
    assert [one.id for one in due] == [second.id, first.id]
    ended(suite, second)
    assert suite.store.due(State.CANCELLED, START + 99 * MINUTE, limit=9) == []
    assert len(suite.store.due(State.PLANNED, START + 99 * MINUTE, limit=1)) == 1


def test_actions_are_listed_newest_first_in_pages_and_by_state(suite: Suite) -> None:
    made = [
        claimed(
            suite,
            planned(f"e{n}#t", target=f"tag={n}", created_at=START + n * MINUTE),
            fleet_cap=9,
        )
        for n in range(5)
    ]
    ended(suite, made[3])
    page, following = suite.store.actions(None, limit=2)
    rest, end = suite.store.actions(None, limit=9, after=following)
    assert [one.id for one in page + rest] == [one.id for one in reversed(made)]
    assert end == ""
    cancelled, _ = suite.store.actions(State.CANCELLED, limit=9)
    assert [one.id for one in cancelled] == [made[3].id]


def _fail(suite: Suite, episode: str) -> None:
    ended(suite, claimed(suite, planned(episode)), healthy=False)


def test_failures_in_a_row_stop_a_runbook_and_one_success_forgets_them(
    suite: Suite,
) -> None:
    _fail(suite, "e1#t")
    ended(suite, claimed(suite, planned("e2#t")), healthy=True)
    for number in range(3, 6):
        _fail(suite, f"e{number}#t")
    assert suite.store.breakers([TCP])[TCP] == Breaker(TCP, failures=3)
    assert (
        suite.store.claim(claim(planned("e9#t"), hourly_cap=99), seconds=SECONDS)
        is Reason.BREAKER_OPEN
    )


def test_a_half_open_breaker_lets_one_trial_through(suite: Suite) -> None:
    for number in range(3):
        _fail(suite, f"e{number}#t")
    before = suite.store.breakers([TCP])[TCP]
    opened = replace(before, state=BreakerState.OPEN, open_until=START + MINUTE)
    assert suite.store.change_breaker(before, opened, ChangeRecord())
    assert not suite.store.change_breaker(before, opened, ChangeRecord())
    assert (
        suite.store.claim(claim(planned("e8#t"), hourly_cap=99), seconds=SECONDS)
        is Reason.BREAKER_OPEN
    )
    half = Breaker(TCP, BreakerState.HALF_OPEN, failures=2)
    assert suite.store.change_breaker(opened, half, ChangeRecord())
    trial = claimed(suite, planned("e9#t"), hourly_cap=99)
    assert trial.trial
    other = claim(planned("e10#t", target="tag=other"), hourly_cap=99)
    assert suite.store.claim(other, seconds=SECONDS) is Reason.BREAKER_OPEN
    ended(suite, trial)
    assert suite.store.breakers([TCP])[TCP] == half, "a trial that was cancelled says nothing"
    again = claimed(suite, planned("e11#t"), hourly_cap=99)
    ended(suite, again, healthy=True)
    assert suite.store.breakers([TCP])[TCP] == Breaker(TCP)


def test_a_lease_has_one_holder(suite: Suite) -> None:
    until = START + MINUTE
    assert suite.store.hold("push", "a", suite.now, until)
    assert suite.store.hold("push", "a", suite.now, until)
    assert not suite.store.hold("push", "b", suite.now, until)
    assert suite.store.hold("push", "b", suite.later(61), START + 9 * MINUTE)
    suite.store.release("push", "a")
    assert not suite.store.hold("push", "a", suite.later(61), START + 9 * MINUTE), (
        "it was b's by then"
    )
    suite.store.release("push", "b")
    assert suite.store.hold("push", "a", suite.later(61), START + 9 * MINUTE)


def test_of_forty_claims_at_once_one_wins(suite: Suite) -> None:
    together = threading.Barrier(40)
    outcomes = list[Action | Reason]()

    def attempt() -> None:
        together.wait()
        outcomes.append(suite.store.claim(claim(planned()), seconds=30))

    threads = [threading.Thread(target=attempt) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(outcomes) == 40
    assert len([one for one in outcomes if isinstance(one, Action)]) == 1


def test_forty_claims_of_other_targets_never_pass_the_fleet_s_cap(suite: Suite) -> None:
    together = threading.Barrier(40)
    outcomes = list[Action | Reason]()

    def attempt(number: int) -> None:
        together.wait()
        one = claim(planned(f"e{number}#t", target=f"tag={number}"), hourly_cap=99)
        outcomes.append(suite.store.claim(one, seconds=30))

    threads = [threading.Thread(target=attempt, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    won = [one for one in outcomes if isinstance(one, Action)]
    assert (len(outcomes), {one.slot for one in won}, len(won)) == (40, {0, 1, 2}, 3)


def test_conflicts_that_last_are_told_within_the_time_that_is_left() -> None:
    with mock_aws():
        client = boto3.client("dynamodb", region_name="us-east-1")
        create_tables(client, "t")
        conflicting = Conflicting(client, times=10_000)
        suite = on_dynamodb(conflicting, FakeClock(), "t")
        with pytest.raises(Unavailable):
            suite.store.claim(claim(planned()), seconds=0.5)
    assert conflicting.injected > 1


def test_a_store_that_is_away_says_so_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", f"http://127.0.0.1:{free_port()}")
    store = DynamoHealStore(
        dynamodb.client(timeout_seconds=0.2), Tables.of(str(uuid4())), FakeClock()
    )
    for ask in (store.config, lambda: store.claim(claim(planned()), seconds=1)):
        with pytest.raises(Unavailable):
            ask()
