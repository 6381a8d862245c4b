"""Acknowledging an alert creates one exact silence, limited in time, by a named person."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from chalicelib.autoheal.acknowledge import (
    Acknowledgement,
    matchers_of,
    parse_duration,
    silence_key,
)
from chalicelib.shared.errors import BadGateway, Conflict, Invalid, NotFound
from tests.builders.alerts import TCP, alert
from tests.builders.autoheal import HealerWorld

LABELS = {
    "alertname": TCP,
    "service": "crm-api",
    "instance": "10.0.0.7:8080",
    "pod": "x-123",
}
ACKNOWLEDGEMENT = Acknowledgement(labels=LABELS, duration="30m", comment="on it")


@pytest.fixture
def world() -> HealerWorld:
    return HealerWorld()


def test_the_server_builds_exact_matchers_of_identifying_labels(world: HealerWorld) -> None:
    silence_id = world.acknowledger.acknowledge(ACKNOWLEDGEMENT, "ada")
    silence = world.alertmanager.created[silence_id]
    assert {matcher["name"]: matcher["value"] for matcher in silence["matchers"]} == {
        "alertname": TCP,
        "service": "crm-api",
        "instance": "10.0.0.7:8080",
    }
    assert not any(matcher["isRegex"] for matcher in silence["matchers"])
    assert (silence["createdBy"], silence["comment"]) == ("ada", "on it")
    [event] = [event.to_dict() for event in world.audit.events.values()]
    assert (event["kind"], event["by"], event["silence_id"]) == ("ack", "ada", silence_id)


def test_a_label_is_matched_as_the_alert_has_it(world: HealerWorld) -> None:
    labels = {"alertname": TCP, "service": " Zoe\u0308 \u200b", "instance": "\u00adx"}
    acknowledgement = Acknowledgement(labels=labels)
    silence = world.alertmanager.created[world.acknowledger.acknowledge(acknowledgement, "ada")]
    assert {matcher["name"]: matcher["value"] for matcher in silence["matchers"]} == labels


def test_acknowledging_twice_creates_one_silence(world: HealerWorld) -> None:
    first = world.acknowledger.acknowledge(ACKNOWLEDGEMENT, "ada")
    assert world.acknowledger.acknowledge(ACKNOWLEDGEMENT, "bob") == first
    assert len(world.alertmanager.created) == 1


def test_a_double_click_waits_for_the_first_and_gets_its_silence(
    world: HealerWorld,
) -> None:
    key = silence_key(matchers_of(LABELS))
    now = world.clock.now()
    world.silences.reserve(key, "first", now, now + timedelta(seconds=20))

    def first_is_done() -> None:
        world.silences.keep(key, "first", "its-silence", now + timedelta(minutes=30))

    world.clock.on_sleep = first_is_done
    assert world.acknowledger.acknowledge(ACKNOWLEDGEMENT, "ada") == "its-silence"
    assert world.alertmanager.created == {}


def test_a_request_that_never_finishes_is_a_conflict_and_then_replaced(world: HealerWorld) -> None:
    key = silence_key(matchers_of(LABELS))
    now = world.clock.now()
    world.silences.reserve(key, "first", now, now + timedelta(seconds=20))
    with pytest.raises(Conflict):
        world.acknowledger.acknowledge(ACKNOWLEDGEMENT, "ada")
    world.later(20)
    assert world.acknowledger.acknowledge(ACKNOWLEDGEMENT, "ada") in world.alertmanager.created


def test_by_fingerprint_the_labels_come_from_alertmanager(world: HealerWorld) -> None:
    world.alertmanager.firing = [alert()]
    request = Acknowledgement(fingerprint="00000000000000a1")
    silence_id = world.acknowledger.acknowledge(request, "ada")
    assert world.alertmanager.created[silence_id]["matchers"][0]["value"] == TCP
    with pytest.raises(NotFound):
        world.acknowledger.acknowledge(Acknowledgement(fingerprint="00000000000000ff"), "ada")


def test_after_a_silence_has_ended_a_new_one_may_be_created(world: HealerWorld) -> None:
    first = world.acknowledger.acknowledge(ACKNOWLEDGEMENT, "ada")
    world.alertmanager.created[first]["status"]["state"] = "expired"
    world.later(1_801)
    assert world.acknowledger.acknowledge(ACKNOWLEDGEMENT, "ada") != first


def test_ending_a_silence_allows_another(
    world: HealerWorld,
) -> None:
    first = world.acknowledger.acknowledge(ACKNOWLEDGEMENT, "ada")
    world.acknowledger.end(UUID(first), "ada")
    assert world.acknowledger.acknowledge(ACKNOWLEDGEMENT, "ada") != first
    with pytest.raises(NotFound):
        world.acknowledger.end(uuid4(), "ada")


def test_a_silence_is_found_again_after_its_request_was_killed(world: HealerWorld) -> None:
    class Crash(BaseException):
        pass

    def crash() -> None:
        raise Crash

    world.alertmanager.on_silence = crash
    with pytest.raises(Crash):
        world.acknowledger.acknowledge(ACKNOWLEDGEMENT, "ada")
    world.alertmanager.on_silence = lambda: None
    assert [world.acknowledger.acknowledge(ACKNOWLEDGEMENT, "ada")] == list(
        world.alertmanager.created
    )


def test_an_alertmanager_that_is_down_is_an_error_and_blocks_no_later_request(
    world: HealerWorld,
) -> None:
    world.alertmanager.down = True
    with pytest.raises(BadGateway):
        world.acknowledger.acknowledge(ACKNOWLEDGEMENT, "ada")
    world.alertmanager.down = False
    assert world.acknowledger.acknowledge(ACKNOWLEDGEMENT, "ada")


@pytest.mark.parametrize(
    "labels",
    [{}, {"service": "x"}, {"alertname": ""}, {"alertname": TCP, "bad-name": "x"}, None],
)
def test_a_request_without_an_alert_is_refused(
    world: HealerWorld, labels: dict[str, str] | None
) -> None:
    with pytest.raises(Invalid):
        world.acknowledger.acknowledge(Acknowledgement(labels=labels), "ada")


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("30m", timedelta(minutes=30)),
        ("2h", timedelta(hours=2)),
        ("24h", timedelta(hours=24)),
        ("1h30m", timedelta(minutes=90)),
        ("1d", timedelta(hours=24)),
        ("90s", timedelta(seconds=90)),
    ],
)
def test_durations_are_parsed(text: str, duration: timedelta) -> None:
    assert parse_duration(text) == duration


@pytest.mark.parametrize(
    "text",
    ["", "0m", "25h", "24h1s", "2d", "-1h", "1.5h", "h", "30", "1m1h", "٣h", "999999999s"],
)
def test_invalid_and_too_long_durations_are_refused(text: str) -> None:
    with pytest.raises(Invalid):
        parse_duration(text)
