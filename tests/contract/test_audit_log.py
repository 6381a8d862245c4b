"""The contracts of `AuditLog`, `MetricTotals` and `SilenceRegistry`."""

import random
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.autoheal.acknowledge import HeldSilence
from chalicelib.autoheal.audit import AuditEvent, AuditQuery, Kind
from chalicelib.telemetry import names
from chalicelib.telemetry.increments import Increments
from chalicelib.telemetry.series import Series
from tests.contract.autoheal_suites import PARAMS, Suite, suites
from tests.fakes.clock import START

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


@pytest.fixture(params=PARAMS)
def suite(request: pytest.FixtureRequest) -> Iterator[Suite]:
    yield from suites(request)


def _events(suite: Suite) -> list[AuditEvent]:
    """Append events of three days, oldest first."""
    appended = []
    for number in range(60):
        kind = Kind.ACTION_OK if number % 3 else Kind.DECISION_SKIP
        name = "" if number % 4 == 0 else f"Alert{number % 2}"
        appended.append(
            AuditEvent(
                START - 2 * DAY + number * 72 * MINUTE,
                kind,
                name,
                {"n": number, "text": "Größe <b>"},
            )
        )
    shuffled = random.Random(7).sample(appended, len(appended))
    suite.audit.append(shuffled)
    suite.later(2 * 86_400)
    return appended


def _all(suite: Suite, **values: Any) -> list[AuditEvent]:
    """Return everything, page by page."""
    events: list[AuditEvent] = []
    query = AuditQuery(**values)
    while True:
        page = suite.audit.find(query, suite.now)
        events += page.events
        if page.following is None:
            return events
        query = AuditQuery(**{**values, "after": page.following})


@pytest.mark.parametrize("limit", [1, 7, 200])
def test_pages_hold_every_event_once_newest_first(suite: Suite, limit: int) -> None:
    appended = _events(suite)
    assert _all(suite, limit=limit) == list(reversed(appended))


@pytest.mark.parametrize(
    "values",
    [
        {"kind": "action_ok"},
        {"kind": "decision_skip", "limit": 3},
        {"alertname": "Alert1"},
        {"alertname": "Alert1", "kind": "action_ok", "limit": 5},
        {"alertname": "Unknown"},
        {"since": START, "until": START + DAY / 2},
        {"since": START - 2 * DAY, "until": START - 2 * DAY},
        {"until": START - DAY, "kind": "action_ok"},
        {"since": START + 9 * MINUTE, "alertname": "Alert1", "limit": 2},
        {"contains": "GRÖSSE"},
        {"contains": '"n": 17'},
        {"contains": "größe <b>", "limit": 7},
        {"contains": "nowhere"},
    ],
)
def test_only_matching_events_are_returned(suite: Suite, values: dict[str, Any]) -> None:
    appended = _events(suite)
    query = AuditQuery(**values)
    assert _all(suite, **values) == [event for event in reversed(appended) if query.matches(event)]


def test_appending_an_event_twice_has_no_effect(suite: Suite) -> None:
    event = AuditEvent(START, Kind.ACK, "A")
    suite.audit.append([event])
    suite.audit.append([event])
    assert list(suite.audit.find(AuditQuery(), suite.now).events) == [event]


def test_events_of_the_same_time_are_all_returned(suite: Suite) -> None:
    appended = [AuditEvent(START, Kind.ACK, "A", {"n": n}) for n in range(30)]
    suite.audit.append(appended)
    events = _all(suite, limit=4)
    assert {event.id for event in events} == {event.id for event in appended}
    assert len(events) == 30


def test_the_totals_are_sums_or_the_latest_value(suite: Suite) -> None:
    for number in range(3):
        adding = (
            Increments()
            .add(names.AUTOHEAL_EVENTS, kind="ack")
            .observe(names.AUTOHEAL_AUDIT_WRITE, 0.15)
        )
        suite.totals.add(adding.at(names.AUTOHEAL_LAST_EVENT, START + number * MINUTE))
    totals = suite.totals.totals()
    assert totals[Series(names.AUTOHEAL_EVENTS, (("kind", "ack"),))] == 3
    assert totals[Series(names.AUTOHEAL_AUDIT_WRITE, (), "le=0.2")] == 3
    assert totals[Series(names.AUTOHEAL_AUDIT_WRITE, (), "sum")] == pytest.approx(0.45)
    assert totals[Series(names.AUTOHEAL_LAST_EVENT)] == (START + 2 * MINUTE).timestamp()


def test_adding_nothing_changes_nothing(suite: Suite) -> None:
    suite.totals.add(Increments())
    assert suite.totals.totals() == {}


def test_a_thousand_additions_at_once_add_up_to_a_thousand(suite: Suite) -> None:
    def add() -> None:
        for _ in range(50):
            suite.totals.add(Increments().add(names.AUTOHEAL_EVENTS, kind="ack"))

    threads = [threading.Thread(target=add) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert suite.totals.totals()[Series(names.AUTOHEAL_EVENTS, (("kind", "ack"),))] == 1_000


def test_a_key_holds_one_silence_until_it_ends(suite: Suite) -> None:
    silences = suite.silences
    until = START + MINUTE
    ends = START + 30 * MINUTE
    assert silences.reserve("k", "a", suite.now, until) is None
    assert silences.reserve("k", "b", suite.now, until) == HeldSilence("")
    assert not silences.keep("k", "b", "other", ends)
    assert silences.keep("k", "a", "s", ends)
    silences.release("k", "a")
    assert silences.reserve("k", "b", suite.now, until) == HeldSilence("s")
    suite.later(31 * 60)
    assert silences.reserve("k", "b", suite.now, suite.now + MINUTE) is None


def test_a_key_is_free_when_it_is_released_or_its_silence_has_ended(suite: Suite) -> None:
    silences = suite.silences
    until = START + MINUTE
    silences.reserve("k", "a", suite.now, until)
    silences.release("k", "b")
    assert silences.reserve("k", "b", suite.now, until) == HeldSilence("")
    silences.release("k", "a")
    assert silences.reserve("k", "b", suite.now, until) is None
    silences.keep("k", "b", "s", START + 30 * MINUTE)
    silences.forget("other")
    silences.forget("s")
    assert silences.reserve("k", "c", suite.now, until) is None
