"""The contract of `HealStore`: the rails of a claim."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from chalicelib.autoheal.actions import action_id
from chalicelib.autoheal.audit import AuditQuery
from chalicelib.autoheal.decide import History, Reason
from chalicelib.telemetry import names
from tests.contract.autoheal_suites import (
    PARAMS,
    Suite,
    suites,
)
from tests.contract.heal_store_steps import (
    SECONDS,
    claim,
    claimed,
    ended,
    planned,
)
from tests.fakes.clock import START

MINUTE = timedelta(minutes=1)


@pytest.fixture(params=PARAMS)
def suite(request: pytest.FixtureRequest) -> Iterator[Suite]:
    yield from suites(request)


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


def test_a_refused_claim_writes_nothing(suite: Suite) -> None:
    claimed(suite, planned())
    assert suite.store.claim(claim(planned("b2#t")), seconds=SECONDS) is Reason.TARGET_LOCKED
    assert suite.store.action(action_id("b2#t", 1)) is None
    assert len(suite.audit.find(AuditQuery(), suite.now).events) == 1
    assert suite.store.history("b2#t", "other", suite.now) == History()


def test_many_histories_are_read_together(suite: Suite) -> None:
    claimed(suite, planned())
    many = [(f"e{n}#t", f"tag={n}") for n in range(130)]
    histories = suite.store.histories(
        [*many, ("a1#t", "tag=crm"), ("other#t", "tag=crm"), ("a1#t", "")], suite.now
    )
    assert histories[:130] == [History()] * 130
    assert histories[130:] == [
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


def test_attempts_are_limited(suite: Suite) -> None:
    for attempt in (1, 2):
        ended(suite, claimed(suite, planned(attempt=attempt)))
    assert suite.store.claim(claim(planned(attempt=2)), seconds=SECONDS) is Reason.ATTEMPTS_SPENT


def test_a_spent_episode_allows_no_other_attempt(suite: Suite) -> None:
    ended(suite, claimed(suite, planned()), spent=True)
    assert suite.store.claim(claim(planned(attempt=2)), seconds=SECONDS) is Reason.ATTEMPTS_SPENT
    assert suite.store.history("a1#t", "tag=crm", suite.now).attempts > 1_000


def test_a_target_cools_down_after_the_end_and_a_refused_claim_changes_nothing(
    suite: Suite,
) -> None:
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


def test_an_expired_lock_can_be_taken_and_its_late_owner_releases_nothing(
    suite: Suite,
) -> None:
    late = claimed(suite, planned(), lease_until=START + MINUTE)
    suite.later(61)
    newer = claimed(suite, planned("b2#t"))
    ended(suite, late, cooldown_until=START + 30 * MINUTE)
    history = suite.store.history("b2#t", "tag=crm", suite.now)
    assert (history.locked, history.cooldown_until) == (True, None)
    ended(suite, newer)
    assert not suite.store.history("b2#t", "tag=crm", suite.now).locked


def test_slots_of_the_fleet_are_limited_and_released_at_the_end(suite: Suite) -> None:
    actions = [claimed(suite, planned(f"e{n}#t", target=f"tag={n}")) for n in range(3)]
    assert {action.slot for action in actions} == {0, 1, 2}
    assert (
        suite.store.claim(claim(planned("e9#t", target="tag=9")), seconds=SECONDS)
        is Reason.FLEET_BUSY
    )
    ended(suite, actions[1])
    assert claimed(suite, planned("e9#t", target="tag=9")).slot == actions[1].slot


def test_the_hourly_budget_is_limited(suite: Suite) -> None:
    for number in range(2):
        ended(suite, claimed(suite, planned(f"e{number}#t"), hourly_cap=2))
    assert (
        suite.store.claim(claim(planned("e9#t"), hourly_cap=2), seconds=SECONDS)
        is Reason.BUDGET_SPENT
    )
    suite.later(3_600)
    claimed(suite, planned("e9#t"), hourly_cap=2)


def test_a_resolved_episode_cannot_be_claimed_and_returns_its_open_action(suite: Suite) -> None:
    assert suite.store.resolve("b2#t", suite.now) is None
    assert suite.store.claim(claim(planned("b2#t")), seconds=SECONDS) is Reason.RESOLVED
    action = claimed(suite, planned())
    assert suite.store.resolve("a1#t", suite.now) == action.id
    assert suite.store.history("a1#t", "tag=crm", suite.now).resolved
