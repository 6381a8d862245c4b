"""A broker in memory. Its publishers pass the same contract suite as Kafka's."""

import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from chalicelib.outbox.envelope import PendingEvent
from chalicelib.outbox.ports import Acknowledged, Outcome, Refused, Unreachable


class FakeBroker:
    """The state that the publishers of one broker share: the log, and what fails.

    `batches` has one entry for each call of `send`. `on_send` runs after the events of a batch
    were logged, before the publisher returns.
    """

    def __init__(self) -> None:
        self.log: list[PendingEvent] = []
        self.batches: list[list[PendingEvent]] = []
        self.unreachable = False
        self.lost_acknowledgements = 0
        self.refuses: Callable[[PendingEvent], bool] = lambda _: False
        self.rejects: Callable[[PendingEvent], bool] = lambda _: False
        self.on_send: Callable[[], None] = lambda: None
        self.publishers = 0
        self.lock = threading.Lock()

    def publisher(self) -> "FakePublisher":
        self.publishers += 1
        return FakePublisher(self)


class FakePublisher:
    def __init__(self, broker: FakeBroker) -> None:
        self._broker = broker
        self.closed = False

    def partition_of(self, event: PendingEvent) -> Any:
        if self._broker.unreachable:
            return Unreachable("no answer")
        if self._broker.rejects(event):
            return Refused("no such topic", alone=True)
        return event.topic, sum(event.key) % 3

    def send(self, events: Sequence[PendingEvent]) -> "FakeSentBatch":
        assert not self.closed, "a publisher must not be used after a failure"
        self._broker.batches.append(list(events))
        batches: dict[Any, list[PendingEvent]] = defaultdict(list)
        for event in events:
            batches[self.partition_of(event)].append(event)
        outcomes: dict[int, Outcome] = {}
        for batch in batches.values():
            refused = [event for event in batch if self._broker.refuses(event)]
            for event in batch:
                if self._broker.unreachable:
                    outcomes[event.id] = Unreachable("no answer")
                elif refused:
                    outcomes[event.id] = Refused("invalid record", alone=len(batch) == 1)
                else:
                    self._broker.log.append(event)
                    outcomes[event.id] = Acknowledged(
                        event.id, event.event_id, 0, len(self._broker.log)
                    )
                    if self._broker.lost_acknowledgements:
                        self._broker.lost_acknowledgements -= 1
                        outcomes[event.id] = Unreachable("acknowledgement lost")
        self._broker.on_send()
        return FakeSentBatch([outcomes[event.id] for event in events])

    def close(self) -> None:
        self.closed = True


@dataclass
class FakeSentBatch:
    outcomes: list[Outcome]

    def wait(self, timeout: float) -> list[Outcome]:
        return self.outcomes
