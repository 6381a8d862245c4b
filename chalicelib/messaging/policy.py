"""How the relay works, and what a run of it did."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Policy:
    """How the relay works. Times in seconds, sizes in bytes.

    After work it looks again within `poll_seconds / eagerness`, and doubles the pause while nothing comes: events
    seldom come alone, and a relay that just ran is likely wanted again soon.
    """

    poll_seconds: float = 1.0
    eagerness: float = 16.0
    wave_rows: int = 2_000
    wave_bytes: int = 8_000_000
    batch_bytes: int = 480_000
    shards: int = 1_024
    max_attempts: int = 5
    backoff_base_seconds: float = 0.5
    backoff_max_seconds: float = 30.0
    delivery_timeout_seconds: float = 12.0
    lease_margin_seconds: float = 5.0
    claim_seconds: float = 5.0
    measure_seconds: float = 15.0

    def backoff(self, failures: int) -> float:
        """Return how long to wait after the `failures`-th failure in a row (1, 2, ...)."""
        return float(min(self.backoff_max_seconds, self.backoff_base_seconds * 2 ** min(failures - 1, 30)))


@dataclass(slots=True)
class Report:
    """What a run did. Latencies are totals in seconds."""

    published: int = 0
    refused: int = 0
    parked: int = 0
    flights: int = 0
    largest_flight: int = 0
    publish_seconds: float = 0.0
    mark_seconds: float = 0.0
    broker_troubles: int = 0
    store_troubles: int = 0
    lease_misses: int = 0
