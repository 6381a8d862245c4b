from collections import defaultdict
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.outbox.policy import RelayPolicy, RelayReport
from chalicelib.outbox.relay import Relay
from tests.fakes.broker import FakeBroker
from tests.fakes.clock import FakeClock
from tests.fakes.meter import FakeMeter
from tests.fakes.outbox import FakeOutbox


class World:
    """A relay between a fake outbox and a fake broker."""

    def __init__(self, **policy: Any) -> None:
        self.clock = FakeClock()
        self.broker = FakeBroker()
        self.outbox = FakeOutbox(self.clock)
        self.policy = RelayPolicy(**policy)
        self.meter = FakeMeter()

    def run(self, seconds: float = 300.0, *, until_idle: bool = True) -> RelayReport:
        return Relay(self.outbox, self.broker.publisher, self.clock, self.policy, self.meter).run(
            seconds, until_idle=until_idle
        )

    def delivered(self, stream: str) -> list[int]:
        return [event.stream_seq for event in self.broker.log if event.stream_key == stream]

    def first_seen(self, stream: str) -> list[int]:
        return list(dict.fromkeys(self.delivered(stream)))


@pytest.fixture
def world() -> World:
    return World()


def test_events_leave_in_order_and_end_in_the_archive(world: World) -> None:
    for topic in ("created", "moved", "moved"):
        world.outbox.append("job:1", topic=topic)
    assert world.run().published == 3
    assert world.delivered("job:1") == [1, 2, 3]
    assert not world.outbox.events
    assert len(world.outbox.archive) == 3


def test_it_looks_again_soon_after_work_and_seldom_where_nothing_comes(
    world: World,
) -> None:
    looked: list[float] = []
    fetch = world.outbox.fetch

    def noted(*values: Any, **named: Any) -> Any:
        looked.append(world.clock.seconds)
        return fetch(*values, **named)

    world.outbox.fetch = noted  # type: ignore[method-assign]
    world.outbox.append("job:1")
    assert world.run(20.0, until_idle=False).published == 1
    pauses = [after - before for before, after in pairwise(looked) if after - before > 0.02]
    assert pauses[:5] == pytest.approx([1 / 16, 1 / 8, 1 / 4, 1 / 2, 1], abs=0.02)
    assert pauses[5:-1] == pytest.approx([1.0] * len(pauses[5:-1]), abs=0.02)


def test_leases_are_given_back_even_when_the_run_crashes(world: World) -> None:
    world.outbox.append("job:1")

    def crash() -> None:
        raise KeyboardInterrupt

    world.broker.on_launch = crash
    with pytest.raises(KeyboardInterrupt):
        world.run()
    assert all(shard.owner is None for shard in world.outbox.shards.values())


def test_a_broker_that_is_away_costs_no_attempt_and_is_waited_out(world: World) -> None:
    world.outbox.append("job:1")
    world.broker.unreachable = True

    def back() -> None:
        world.broker.unreachable = world.clock.seconds < 20

    world.clock.on_sleep = back
    report = world.run()
    assert report.broker_troubles >= 3
    assert report.published == 1
    assert world.outbox.archive[0].attempts == 0


def test_backoff_doubles_up_to_its_bound() -> None:
    policy = RelayPolicy(backoff_base_seconds=0.5, backoff_max_seconds=3.0)
    assert [policy.backoff(n) for n in (1, 2, 3, 4, 50)] == [0.5, 1.0, 2.0, 3.0, 3.0]


def test_an_acknowledgement_that_was_lost_means_the_event_is_sent_again(
    world: World,
) -> None:
    world.outbox.append("job:1")
    world.outbox.append("job:1")
    world.broker.lost_acknowledgements = 1
    world.run()
    assert world.first_seen("job:1") == [1, 2]
    assert len(world.delivered("job:1")) > 2
    assert not world.outbox.events


def test_a_publisher_that_saw_trouble_is_replaced(world: World) -> None:
    world.outbox.append("job:1")
    world.broker.lost_acknowledgements = 1
    world.run()
    assert world.broker.publishers == 2


def test_a_refused_event_is_tried_five_times_then_its_stream_alone_is_parked(
    world: World,
) -> None:
    poison = world.outbox.append("job:1")
    world.outbox.append("job:1")
    for number in range(20):
        world.outbox.append(f"job:other-{number}")
    world.broker.refuses = lambda event: event.event_id == poison.event_id
    report = world.run()
    assert (report.refused, report.parked) == (5, 1)
    assert set(world.outbox.parked) == {"job:1"}
    assert world.delivered("job:1") == []
    assert all(world.delivered(f"job:other-{number}") == [1] for number in range(20))
    assert [event.key for event in world.broker.log if event.topic == "dlq"] == [b"job:1"]


def test_an_event_without_a_topic_is_parked_and_others_flow_on(world: World) -> None:
    world.outbox.append("job:1", topic="nowhere")
    world.outbox.append("job:2")
    world.broker.unplaceable = lambda event: event.topic == "nowhere"
    report = world.run()
    assert report.parked == 1
    assert world.delivered("job:2") == [1]


def test_a_dead_letter_that_is_refused_has_no_dead_letter_of_its_own(world: World) -> None:
    world.outbox.append("job:1")
    world.broker.refuses = lambda _: True
    report = world.run()
    assert report.parked == 2
    assert set(world.outbox.parked) == {"job:1", "dlq:job:1"}


def test_marks_survive_a_database_that_goes_away_while_a_flight_is_in_the_air(
    world: World,
) -> None:
    world.outbox.append("job:1")

    def go_down() -> None:
        world.outbox.down = True
        world.broker.on_launch = lambda: None

    def come_back() -> None:
        world.outbox.down = False

    world.broker.on_launch = go_down
    world.clock.on_sleep = come_back
    report = world.run()
    assert report.store_troubles >= 1
    assert world.delivered("job:1") == [1], (
        "acknowledged is acknowledged: it is marked later, not sent again"
    )
    assert not world.outbox.events


def test_a_relay_takes_nothing_that_another_has_leased(world: World) -> None:
    world.outbox.append("job:1")
    for shard in world.outbox.shards.values():
        shard.owner = None
        shard.lease_until = 10_000.0
    report = world.run(seconds=30)
    assert (report.published, report.lease_misses > 0) == (0, True)


def test_memory_is_bounded_by_the_wave(world: World) -> None:
    small = World(wave_rows=10, wave_bytes=100)
    for number in range(100):
        small.outbox.append(f"job:{number}", payload=b"x" * 40)
    small.run()
    assert len(small.outbox.archive) == 100
    assert max(len(flight) for flight in small.broker.batches) <= 10


def test_an_idle_relay_looks_once_a_poll_and_stops_in_time(world: World) -> None:
    world.run(seconds=30, until_idle=False)
    assert 30 <= world.clock.seconds < 31


def test_every_run_measures_how_the_outbox_stands_and_what_was_done(world: World) -> None:
    poison = world.outbox.append("job:1")
    world.outbox.append("job:2")
    world.broker.refuses = lambda event: event.event_id == poison.event_id
    world.run()
    assert world.meter.gauges == {
        "outbox_pending": 0,
        "outbox_oldest_pending_timestamp": world.clock.now().timestamp(),
        "outbox_parked_streams": 1,
    }
    assert dict(world.meter.counts) == {
        "outbox_published_total": 2,
        "outbox_failed_total": 5,
        "outbox_parked_total": 1,
        "outbox_lease_misses_total": 0,
    }
    assert set(world.meter.observed) == {
        "outbox_batch_size",
        "outbox_publish_duration_seconds",
        "outbox_mark_duration_seconds",
    }


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_whatever_goes_wrong_nothing_is_lost_and_streams_keep_their_order(
    data: st.DataObject,
) -> None:
    world = World(
        wave_rows=data.draw(st.integers(1, 8)),
        batch_bytes=data.draw(st.sampled_from([1, 1300, 10**6])),
    )
    streams = [f"job:{number}" for number in range(4)]
    for stream in data.draw(st.lists(st.sampled_from(streams), min_size=1, max_size=25)):
        world.outbox.append(
            stream,
            topic=data.draw(st.sampled_from(["t", "u"])),
            shard=data.draw(st.integers(0, 0)),
        )
    sequence = dict(world.outbox.last_seq)
    poison = data.draw(st.sets(st.sampled_from(sorted(world.outbox.events)), max_size=2))
    poisoned = {world.outbox.events[number].event_id for number in poison}
    world.broker.refuses = lambda event: event.event_id in poisoned
    troubles = iter(
        data.draw(st.lists(st.sampled_from(["fine", "lost", "away", "database"]), max_size=12))
    )

    def disturb() -> None:
        world.broker.unreachable = world.outbox.down = False
        trouble = next(troubles, "fine")
        world.broker.lost_acknowledgements = 1 if trouble == "lost" else 0
        world.broker.unreachable = trouble == "away"
        world.outbox.down = trouble == "database"

    def calm() -> None:
        world.broker.unreachable = world.outbox.down = False

    world.broker.on_launch = disturb
    world.clock.on_sleep = calm
    world.run(seconds=10_000)
    world.outbox.down = False
    world.run(seconds=10_000)
    stuck = defaultdict(list)
    for event in world.outbox.events.values():
        stuck[event.stream_key].append(event.stream_seq)
    for stream, last in sequence.items():
        seen = world.first_seen(stream)
        assert seen == list(range(1, len(seen) + 1)), "in order, without a gap"
        assert seen + sorted(stuck[stream]) == list(range(1, last + 1)), (
            "delivered or parked, nothing lost"
        )
    assert set(world.outbox.parked) == {
        e.stream_key for e in world.outbox.events.values() if e.event_id in poisoned
    }
