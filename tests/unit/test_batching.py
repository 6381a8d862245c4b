from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.outbox.batching import RECORD_OVERHEAD_BYTES, plan
from chalicelib.outbox.envelope import PendingEvent
from chalicelib.outbox.ports import Refused, Unreachable
from tests.fakes.clock import FakeClock
from tests.fakes.outbox import FakeOutbox


def _partition(event: PendingEvent) -> Any:
    return event.topic


def _events(*streams_and_topics: tuple[str, str]) -> list[PendingEvent]:
    outbox = FakeOutbox(FakeClock())
    return [outbox.append(stream, topic=topic) for stream, topic in streams_and_topics]


def test_a_stream_is_in_one_record_batch_at_a_time() -> None:
    events = _events(
        ("job:1", "created"), ("job:1", "moved"), ("job:2", "created"), ("job:1", "created")
    )
    assert plan(events, _partition, batch_bytes=10**6).included == [events[0], events[2]]


def test_an_event_that_does_not_fit_waits_with_everything_behind_it_in_its_stream() -> None:
    events = _events(("job:1", "t"), ("job:2", "t"), ("job:2", "other"), ("job:3", "other"))
    batch_plan = plan(events, _partition, batch_bytes=RECORD_OVERHEAD_BYTES + 10)
    assert batch_plan.included == [events[0], events[3]]


def test_an_event_larger_than_a_batch_is_sent_alone() -> None:
    events = _events(("job:1", "t"), ("job:2", "t"))
    assert plan(events, _partition, batch_bytes=1).included == events[:1]


def test_an_event_without_a_partition_holds_back_its_own_stream_alone() -> None:
    events = _events(("job:1", "nowhere"), ("job:1", "t"), ("job:2", "t"))
    refusal = Refused("no such topic", alone=True)
    batch_plan = plan(
        events,
        lambda event: refusal if event.topic == "nowhere" else event.topic,
        batch_bytes=10**6,
    )
    assert (batch_plan.included, batch_plan.rejected) == ([events[2]], [(events[0], refusal)])


def test_a_broker_that_is_down_ends_the_planning() -> None:
    assert plan(
        _events(("job:1", "t")), lambda _: Unreachable("no answer"), batch_bytes=10**6
    ).unreachable


def test_a_suspected_event_is_sent_in_a_small_batch() -> None:
    events = _events(("job:1", "t"), ("job:2", "t"), ("job:3", "t"))
    assert plan(
        events, _partition, batch_bytes=10**6, max_batch_size={events[1].id: 1}
    ).included == [
        events[0],
        events[2],
    ]
    assert (
        plan(events, _partition, batch_bytes=10**6, max_batch_size={events[0].id: 1}).included
        == events[:1]
    )
    assert (
        plan(
            events, _partition, batch_bytes=10**6, held={"job:1"}, max_batch_size={events[1].id: 2}
        ).included
        == events[1:]
    )


STREAMS = st.lists(
    st.tuples(st.sampled_from(["a", "b", "c"]), st.sampled_from(["t", "u"])), max_size=30
)


@given(STREAMS, st.integers(1, 4), st.sets(st.sampled_from(["a", "b", "c"])))
def test_a_batch_holds_a_prefix_of_every_stream_in_one_record_batch(
    waiting: list[tuple[str, str]], room: int, held: set[str]
) -> None:
    events = _events(*waiting)
    included = plan(
        events, _partition, batch_bytes=room * (RECORD_OVERHEAD_BYTES + 10), held=held
    ).included
    for stream in {event.stream_key for event in events}:
        pending = [event for event in events if event.stream_key == stream]
        sent = [event for event in included if event.stream_key == stream]
        assert sent == pending[: len(sent)]
        assert len({event.topic for event in sent}) <= 1
        assert not (sent and stream in held)
    for topic in ("t", "u"):
        assert sum(event.topic == topic for event in included) <= room
    if events and not held:
        assert included, "at least one event is always sent"
