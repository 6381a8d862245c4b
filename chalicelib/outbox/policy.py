"""The settings of the relay and the replayer, and the report of a run of the relay."""

from dataclasses import dataclass

from chalicelib.shared.setting import number, setting


@dataclass(frozen=True, slots=True)
class RelayPolicy:
    """The settings of the relay. Times in seconds, sizes in bytes.

    After work it polls again within `poll_seconds / eagerness`, and doubles the pause while
    the outbox stays empty: an event is often followed by others.
    """

    poll_seconds: float = setting(
        "RELAY_POLL_SECONDS",
        1.0,
        "Pause between polls of an empty outbox.",
        number(float, 0.05, 5),
    )
    wave_rows: int = setting(
        "RELAY_WAVE_ROWS",
        2_000,
        "Most events published at once; bounds the relay's memory.",
        number(int, 1, 20_000),
    )
    wave_bytes: int = setting(
        "RELAY_WAVE_BYTES",
        8_000_000,
        "Most payload bytes in one wave.",
        number(int, 1_000, 256_000_000),
    )
    max_attempts: int = setting(
        "RELAY_MAX_ATTEMPTS",
        5,
        "Refusals of one event by the broker before its stream is parked.",
        number(int, 1, 100),
    )
    backoff_base_seconds: float = setting(
        "RELAY_BACKOFF_BASE_SECONDS",
        0.5,
        "First pause after a failure of the broker or the database; it doubles.",
        number(float, 0.01, 60),
    )
    backoff_max_seconds: float = setting(
        "RELAY_BACKOFF_MAX_SECONDS",
        30.0,
        "Longest pause after a failure of the broker or the database.",
        number(float, 0.01, 600),
    )
    shards_per_run: int = setting(
        "RELAY_SHARDS_PER_RUN",
        1_024,
        "Most shards one relay leases. For N relays at once, set it to OUTBOX_SHARDS / N,"
        " rounded up.",
        number(int, 1, 1_024),
    )
    stop_margin_seconds: float = setting(
        "RELAY_STOP_MARGIN_SECONDS",
        1.5,
        "How long before its own timeout the relay stops.",
        number(float, 0.5, 30),
    )
    lease_margin_seconds: float = setting(
        "RELAY_LEASE_MARGIN_SECONDS",
        5.0,
        "How long a shard's lease outlives the invocation that holds it.",
        number(float, 0.5, 60),
    )
    eagerness: float = 16.0
    batch_bytes: int = 480_000
    delivery_timeout_seconds: float = 12.0
    claim_seconds: float = 5.0
    measure_seconds: float = 15.0

    def backoff(self, failures: int) -> float:
        """Return how long to wait after the `failures`-th failure in a row (1, 2, ...)."""
        pause = self.backoff_base_seconds * 2 ** min(failures - 1, 30)
        return float(min(self.backoff_max_seconds, pause))


@dataclass(frozen=True, slots=True)
class ReplayPolicy:
    """The settings of the replayer. Times in seconds, sizes in bytes."""

    events_per_second: float = setting(
        "REPLAY_EVENTS_PER_SECOND",
        500.0,
        "Highest rate at which replays send.",
        number(float, 1, 100_000),
    )
    page_rows: int = 500
    batch_bytes: int = 480_000
    delivery_timeout_seconds: float = 12.0
    lease_seconds: float = 60.0


@dataclass(slots=True)
class RelayReport:
    """What a run did. `publish_seconds` and `mark_seconds` are totals."""

    published: int = 0
    refused: int = 0
    parked: int = 0
    batches: int = 0
    largest_batch: int = 0
    publish_seconds: float = 0.0
    mark_seconds: float = 0.0
    broker_troubles: int = 0
    store_troubles: int = 0
    lease_misses: int = 0
