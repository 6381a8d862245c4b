"""The contract of `HealStore`: changes of actions and config."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.autoheal.actions import FollowUp, State
from chalicelib.autoheal.decide import Reason
from chalicelib.autoheal.modes import Config, Mode
from chalicelib.autoheal.records import ChangeRecord
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


def test_a_claim_on_another_configuration_is_refused(suite: Suite) -> None:
    assert suite.store.config() is None
    new = Config(Mode.LIVE, 5.0, START + MINUTE, 1, "ada", START)
    assert suite.store.change_config(new, ChangeRecord())
    assert suite.store.config() == new
    assert suite.store.claim(claim(planned()), seconds=SECONDS) is Reason.MODE_CHANGED
    claimed(suite, planned(), config_version=1)


def test_only_one_of_two_concurrent_configuration_changes_succeeds(suite: Suite) -> None:
    assert suite.store.change_config(Config(Mode.LIVE, version=1), ChangeRecord())
    assert not suite.store.change_config(Config(Mode.OFF, version=1), ChangeRecord())
    assert suite.store.change_config(Config(Mode.OFF, version=2), ChangeRecord())
    config = suite.store.config()
    assert config
    assert (config.mode, config.version) == (Mode.OFF, 2)


def test_a_move_on_another_configuration_is_refused(suite: Suite) -> None:
    action = claimed(suite, planned())
    assert suite.store.change_config(Config(Mode.OFF, version=1), ChangeRecord())
    sending = action.moved(State.DISPATCHING, suite.now)
    assert not suite.store.move(action, sending, ChangeRecord(), seconds=SECONDS, config_version=0)
    assert suite.store.action(action.id) == action
    assert suite.store.move(action, sending, ChangeRecord(), seconds=SECONDS, config_version=1)


def test_a_move_succeeds_once(suite: Suite) -> None:
    action = claimed(suite, planned())
    sending = action.moved(State.DISPATCHING, suite.now, next_check=START + MINUTE)
    assert suite.store.move(action, sending, ChangeRecord(), seconds=SECONDS)
    assert not suite.store.move(action, sending, ChangeRecord(), seconds=SECONDS)
    assert not suite.store.move(
        action, action.moved(State.CANCELLED, suite.now), ChangeRecord(), seconds=SECONDS
    )
    assert suite.store.action(action.id) == sending


def test_all_fields_of_an_action_are_stored(suite: Suite) -> None:
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


def test_due_actions_are_listed_most_urgent_first_and_settled_ones_not_at_all(suite: Suite) -> None:
    first = claimed(suite, planned("e1#t", target="tag=1", next_check=START + 5 * MINUTE))
    second = claimed(suite, planned("e2#t", target="tag=2", next_check=START + MINUTE))
    claimed(suite, planned("e3#t", target="tag=3", next_check=START + 60 * MINUTE))
    due = suite.store.due(State.PLANNED, START + 6 * MINUTE, limit=9)
    assert [action.id for action in due] == [second.id, first.id]
    ended(suite, second)
    assert suite.store.due(State.CANCELLED, START + 99 * MINUTE, limit=9) == []
    assert len(suite.store.due(State.PLANNED, START + 99 * MINUTE, limit=1)) == 1


def test_actions_are_listed_newest_first_in_pages_and_by_state(suite: Suite) -> None:
    actions = [
        claimed(
            suite,
            planned(f"e{n}#t", target=f"tag={n}", created_at=START + n * MINUTE),
            fleet_cap=9,
        )
        for n in range(5)
    ]
    ended(suite, actions[3])
    page, following = suite.store.actions(None, limit=2)
    rest, end = suite.store.actions(None, limit=9, after=following)
    assert [action.id for action in page + rest] == [action.id for action in reversed(actions)]
    assert end == ""
    cancelled, _ = suite.store.actions(State.CANCELLED, limit=9)
    assert [action.id for action in cancelled] == [actions[3].id]
