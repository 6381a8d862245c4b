"""What every `Publisher` does; the fake and Kafka pass the same suite."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from chalicelib.adapters.kafka import KafkaPublisher
from chalicelib.config import Settings
from chalicelib.outbox.envelope import PendingEvent
from chalicelib.outbox.ports import Acknowledged, Publisher, Refused, Unreachable
from infra.local.kafka import Broker
from infra.local.ports import free_port
from tests.fakes.broker import FakeBroker
from tests.fakes.clock import FakeClock
from tests.fakes.outbox import FakeOutbox

TOPIC = "aetherlink.events.jobcreated"


@dataclass
class Suite:
    publisher: Publisher
    unreachable: Callable[[], Publisher]
    event: Callable[..., PendingEvent]


@pytest.fixture(params=["fake", "kafka"])
def suite(request: pytest.FixtureRequest) -> Iterator[Suite]:
    outbox = FakeOutbox(FakeClock())

    def event(stream: str, topic: str = TOPIC, **values: Any) -> PendingEvent:
        return outbox.append(stream, topic=topic, **values)

    if request.param == "fake":
        broker = FakeBroker()
        broker_down = FakeBroker()
        broker.rejects = lambda event: event.topic != TOPIC or len(event.payload) > 10**6
        broker_down.unreachable = True
        publisher: Publisher = broker.publisher()
        yield Suite(publisher, broker_down.publisher, event)
    else:
        real: Broker = request.getfixturevalue("broker")
        settings = Settings().changed(
            kafka={
                "bootstrap_servers": real.bootstrap_servers,
                "api_version": real.api_version,
            }
        )
        no_broker = Settings().changed(
            kafka={
                "bootstrap_servers": f"127.0.0.1:{free_port()}",
                "request_timeout_ms": 300,
            }
        )
        publisher = KafkaPublisher(settings.kafka)
        yield Suite(publisher, lambda: KafkaPublisher(no_broker.kafka), event)
    publisher.close()


def test_a_sent_event_is_acknowledged_with_its_partition_and_offset(suite: Suite) -> None:
    events = [suite.event("job:1"), suite.event("job:1"), suite.event("job:2")]
    assert all(
        not isinstance(suite.publisher.partition_of(event), Refused | Unreachable)
        for event in events
    )
    outcomes = suite.publisher.send(events).wait(10)
    acknowledged = [outcome for outcome in outcomes if isinstance(outcome, Acknowledged)]
    assert [item.event_id for item in acknowledged] == [event.event_id for event in events]
    assert acknowledged[0].partition == acknowledged[1].partition
    assert acknowledged[0].offset < acknowledged[1].offset


def test_the_events_of_a_stream_have_one_partition(suite: Suite) -> None:
    assert suite.publisher.partition_of(suite.event("job:1")) == suite.publisher.partition_of(
        suite.event("job:1")
    )


def test_an_event_that_no_broker_takes_is_refused_before_it_is_sent(suite: Suite) -> None:
    assert isinstance(
        suite.publisher.partition_of(suite.event("job:1", topic="aetherlink.nowhere")), Refused
    )
    assert isinstance(
        suite.publisher.partition_of(suite.event("job:1", topic="not a topic!")), Refused
    )
    assert isinstance(
        suite.publisher.partition_of(suite.event("job:1", payload=b"x" * 1_100_000)), Refused
    )


def test_a_broker_that_is_down_is_unreachable_and_its_publisher_can_be_closed_twice(
    suite: Suite,
) -> None:
    publisher = suite.unreachable()
    assert isinstance(publisher.partition_of(suite.event("job:1")), Unreachable)
    publisher.close()
    publisher.close()
