"""One fake for each port. They pass the same contract suites as the real adapters."""

import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from chalicelib.outbox.envelope import PendingEvent
from chalicelib.outbox.ports import Acknowledged, Outcome, Refused, Unreachable


class FakeBroker:
    """What publishers of one broker share: the log, and what goes wrong."""

    def __init__(self) -> None:
        self.log: list[PendingEvent] = []
        self.batches: list[list[PendingEvent]] = []
        self.unreachable = False
        self.lost_acknowledgements = 0
        self.refuses: Callable[[PendingEvent], bool] = lambda _: False
        self.unplaceable: Callable[[PendingEvent], bool] = lambda _: False
        self.on_launch: Callable[[], None] = lambda: None
        self.publishers = 0
        self.lock = threading.Lock()

    def publisher(self) -> "FakePublisher":
        self.publishers += 1
        return FakePublisher(self)


class FakePublisher:
    def __init__(self, broker: FakeBroker) -> None:
        self._broker = broker
        self.closed = False

    def place(self, event: PendingEvent) -> Any:
        if self._broker.unreachable:
            return Unreachable("nobody answers")
        if self._broker.unplaceable(event):
            return Refused("no such topic", alone=True)
        return event.topic, sum(event.key) % 3

    def launch(self, events: Sequence[PendingEvent]) -> "FakeSentBatch":
        assert not self.closed, "a publisher that saw trouble must not be used on"
        self._broker.batches.append(list(events))
        batches: dict[Any, list[PendingEvent]] = defaultdict(list)
        for event in events:
            batches[self.place(event)].append(event)
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
        self._broker.on_launch()
        return FakeSentBatch([outcomes[event.id] for event in events])

    def close(self) -> None:
        self.closed = True


@dataclass
class FakeSentBatch:
    outcomes: list[Outcome]

    def land(self, timeout: float) -> list[Outcome]:
        return self.outcomes
