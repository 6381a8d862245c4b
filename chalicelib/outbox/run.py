"""One run of the relay: what its leases, its wave and its delivery share."""

from dataclasses import dataclass, field

from chalicelib.outbox.policy import RelayPolicy, RelayReport
from chalicelib.outbox.ports import OutboxStore
from chalicelib.shared.clock import Clock
from chalicelib.telemetry.meter import Meter


@dataclass(frozen=True, slots=True)
class RelayRun:
    """The ports and the policy of a run, its end on the monotonic clock, and its report so far."""

    store: OutboxStore
    clock: Clock
    policy: RelayPolicy
    meter: Meter
    ends_at: float
    report: RelayReport = field(default_factory=RelayReport)

    def seconds_left(self) -> float:
        """Return the seconds until the run's end; negative after it."""
        return self.ends_at - self.clock.monotonic()
