from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.outbox.batching import RECORD_OVERHEAD_BYTES, plan
from chalicelib.outbox.envelope import PendingEvent
from chalicelib.outbox.ports import Refused, Unreachable
from tests.fakes.clock import FakeClock
from tests.fakes.outbox import FakeOutbox


def _place(event: PendingEvent) -> Any:
    return event.topic


def _events(*streams_and_topics: tuple[str, str]) -> list[PendingEvent]:
    outbox = FakeOutbox(FakeClock())
    return [outbox.append(stream, topic=topic) for stream, topic in streams_and_topics]


def test_a_stream_is_in_one_batch_at_a_time() -> None:
    events = _events(
        ("job:1", "created"), ("job:1", "moved"), ("job:2", "created"), ("job:1", "created")
    )
    assert plan(events, _place, batch_bytes=10**6).included == [events[0], events[2]]


def test_what_does_not_fit_waits_and_so_does_what_is_behind_it() -> None:
    events = _events(("job:1", "t"), ("job:2", "t"), ("job:2", "other"), ("job:3", "other"))
    chosen = plan(events, _place, batch_bytes=RECORD_OVERHEAD_BYTES + 10)
    assert chosen.included == [events[0], events[3]]


def test_an_event_larger_than_a_batch_travels_alone() -> None:
    events = _events(("job:1", "t"), ("job:2", "t"))
    assert plan(events, _place, batch_bytes=1).included == events[:1]


def test_what_cannot_be_placed_grounds_its_own_stream_alone() -> None:
    events = _events(("job:1", "nowhere"), ("job:1", "t"), ("job:2", "t"))
    refusal = Refused("no such topic", alone=True)
    chosen = plan(
        events,
        lambda event: refusal if event.topic == "nowhere" else event.topic,
        batch_bytes=10**6,
    )
    assert (chosen.included, chosen.rejected) == ([events[2]], [(events[0], refusal)])


def test_a_broker_that_is_away_ends_the_planning() -> None:
    assert plan(
        _events(("job:1", "t")), lambda _: Unreachable("away"), batch_bytes=10**6
    ).unreachable


def test_a_suspect_flies_in_small_company() -> None:
    events = _events(("job:1", "t"), ("job:2", "t"), ("job:3", "t"))
    assert plan(events, _place, batch_bytes=10**6, company={events[1].id: 1}).included == [
        events[0],
        events[2],
    ]
    assert plan(events, _place, batch_bytes=10**6, company={events[0].id: 1}).included == events[:1]
    assert (
        plan(events, _place, batch_bytes=10**6, held={"job:1"}, company={events[1].id: 2}).included
        == events[1:]
    )


STREAMS = st.lists(
    st.tuples(st.sampled_from(["a", "b", "c"]), st.sampled_from(["t", "u"])), max_size=30
)


@given(STREAMS, st.integers(1, 4), st.sets(st.sampled_from(["a", "b", "c"])))
def test_whatever_waits_a_flight_is_a_prefix_of_every_stream_in_one_batch(
    waiting: list[tuple[str, str]], room: int, held: set[str]
) -> None:
    events = _events(*waiting)
    included = plan(
        events, _place, batch_bytes=room * (RECORD_OVERHEAD_BYTES + 10), held=held
    ).included
    for stream in {event.stream_key for event in events}:
        mine = [event for event in events if event.stream_key == stream]
        flown = [event for event in included if event.stream_key == stream]
        assert flown == mine[: len(flown)]
        assert len({event.topic for event in flown}) <= 1
        assert not (flown and stream in held)
    for topic in ("t", "u"):
        assert sum(event.topic == topic for event in included) <= room
    if events and not held:
        assert included, "something must always be able to fly"
