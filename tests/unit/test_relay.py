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

    def recover(self) -> None:
        self.broker.unreachable = False
        self.outbox.down = False

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


def test_polls_follow_soon_after_work_and_become_rare_while_the_outbox_is_empty(
    world: World,
) -> None:
    polls: list[float] = []
    fetch = world.outbox.fetch

    def recording_fetch(*arguments: Any, **named: Any) -> Any:
        polls.append(world.clock.seconds)
        return fetch(*arguments, **named)

    world.outbox.fetch = recording_fetch  # type: ignore[method-assign]
    world.outbox.append("job:1")
    assert world.run(20.0, until_idle=False).published == 1
    pauses = [after - before for before, after in pairwise(polls) if after - before > 0.02]
    assert pauses[:5] == pytest.approx([1 / 16, 1 / 8, 1 / 4, 1 / 2, 1], abs=0.02)
    assert pauses[5:-1] == pytest.approx([1.0] * len(pauses[5:-1]), abs=0.02)


def test_leases_are_released_even_when_the_run_crashes(world: World) -> None:
    world.outbox.append("job:1")

    def crash() -> None:
        raise KeyboardInterrupt

    world.broker.on_send = crash
    with pytest.raises(KeyboardInterrupt):
        world.run()
    assert all(shard.owner is None for shard in world.outbox.shards.values())


def test_a_broker_that_is_down_costs_no_attempt_and_is_waited_out(world: World) -> None:
    world.outbox.append("job:1")
    world.broker.unreachable = True

    def come_back() -> None:
        world.broker.unreachable = world.clock.seconds < 20

    world.clock.on_sleep = come_back
    report = world.run()
    assert report.broker_troubles >= 3
    assert report.published == 1
    assert world.outbox.archive[0].attempts == 0


def test_backoff_doubles_up_to_its_maximum() -> None:
    policy = RelayPolicy(backoff_base_seconds=0.5, backoff_max_seconds=3.0)
    assert [policy.backoff(n) for n in (1, 2, 3, 4, 50)] == [0.5, 1.0, 2.0, 3.0, 3.0]


def test_an_event_whose_acknowledgement_was_lost_is_sent_again(
    world: World,
) -> None:
    world.outbox.append("job:1")
    world.outbox.append("job:1")
    world.broker.lost_acknowledgements = 1
    world.run()
    assert world.first_seen("job:1") == [1, 2]
    assert len(world.delivered("job:1")) > 2
    assert not world.outbox.events


def test_a_publisher_is_replaced_after_a_failure(world: World) -> None:
    world.outbox.append("job:1")
    world.broker.lost_acknowledgements = 1
    world.run()
    assert world.broker.publishers == 2


def test_after_five_refusals_of_an_event_its_stream_alone_is_parked(
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


def test_an_event_whose_topic_does_not_exist_is_parked_and_others_are_sent(world: World) -> None:
    world.outbox.append("job:1", topic="nowhere")
    world.outbox.append("job:2")
    world.broker.rejects = lambda event: event.topic == "nowhere"
    report = world.run()
    assert report.parked == 1
    assert world.delivered("job:2") == [1]


def test_a_refused_dead_letter_has_no_dead_letter_of_its_own(world: World) -> None:
    world.outbox.append("job:1")
    world.broker.refuses = lambda _: True
    report = world.run()
    assert report.parked == 2
    assert set(world.outbox.parked) == {"job:1", "dlq:job:1"}


def test_acknowledged_events_are_marked_later_if_the_database_fails_during_a_batch(
    world: World,
) -> None:
    world.outbox.append("job:1")

    def go_down() -> None:
        world.outbox.down = True
        world.broker.on_send = lambda: None

    def come_back() -> None:
        world.outbox.down = False

    world.broker.on_send = go_down
    world.clock.on_sleep = come_back
    report = world.run()
    assert report.store_troubles >= 1
    assert world.delivered("job:1") == [1], "an acknowledged event is marked later, not sent again"
    assert not world.outbox.events


def test_a_relay_takes_no_shard_that_another_has_leased(world: World) -> None:
    world.outbox.append("job:1")
    for shard in world.outbox.shards.values():
        shard.owner = None
        shard.lease_until = 10_000.0
    report = world.run(seconds=30)
    assert (report.published, report.lease_misses > 0) == (0, True)


def test_a_batch_is_never_larger_than_the_wave(world: World) -> None:
    small = World(wave_rows=10, wave_bytes=100)
    for number in range(100):
        small.outbox.append(f"job:{number}", payload=b"x" * 40)
    small.run()
    assert len(small.outbox.archive) == 100
    assert max(len(batch) for batch in small.broker.batches) <= 10


def test_an_idle_relay_stops_in_time(world: World) -> None:
    world.run(seconds=30, until_idle=False)
    assert 30 <= world.clock.seconds < 31


def test_every_run_reports_the_state_of_the_outbox_and_what_was_done(world: World) -> None:
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
def test_whatever_fails_nothing_is_lost_and_streams_keep_their_order(
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
    kinds = st.sampled_from(["none", "lost acknowledgement", "broker down", "database down"])
    failures = iter(data.draw(st.lists(kinds, max_size=12)))

    def fail_next() -> None:
        failure = next(failures, "none")
        world.broker.lost_acknowledgements = 1 if failure == "lost acknowledgement" else 0
        world.broker.unreachable = failure == "broker down"
        world.outbox.down = failure == "database down"

    world.broker.on_send = fail_next
    world.clock.on_sleep = world.recover
    world.run(seconds=10_000)
    world.outbox.down = False
    world.run(seconds=10_000)
    stuck = defaultdict(list)
    for event in world.outbox.events.values():
        stuck[event.stream_key].append(event.stream_seq)
    for stream, last in sequence.items():
        seen = world.first_seen(stream)
        assert seen == list(range(1, len(seen) + 1)), "events are in order, without a gap"
        assert seen + sorted(stuck[stream]) == list(range(1, last + 1)), (
            "every event is delivered or parked"
        )
    assert set(world.outbox.parked) == {
        event.stream_key for event in world.outbox.events.values() if event.event_id in poisoned
    }
