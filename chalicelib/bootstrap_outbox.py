"""The outbox's composition root: the database as the relay sees it, the broker, and what measures both."""

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from chalicelib import bootstrap, bootstrap_healing
from chalicelib.config import Settings
from chalicelib.metrics import Meter

if TYPE_CHECKING:
    from chalicelib.adapters.postgres.guarded import Guarded
    from chalicelib.adapters.postgres.outbox_store import PostgresOutboxStore
    from chalicelib.messaging.desk import OutboxDesk
    from chalicelib.messaging.ports import Publisher, Standing
    from chalicelib.messaging.relay import Relay
    from chalicelib.messaging.replay import Replayer


def _connection(name: str) -> "Guarded":
    from chalicelib.adapters.postgres import driver
    from chalicelib.adapters.postgres.guarded import Guarded

    chosen = bootstrap.settings()
    return Guarded(lambda: driver.log_in(bootstrap.secret("relay_database_url"), chosen, name=name))


def kafka_settings() -> Settings:
    """Return the settings with Kafka's password itself where they refer to it."""
    chosen = bootstrap.settings()
    if not chosen.kafka_password:
        return chosen
    return replace(chosen, kafka_password=bootstrap.secret("kafka_password").value())


def _publisher() -> "Publisher":
    from chalicelib.adapters.kafka import KafkaPublisher

    chosen = kafka_settings()
    if not chosen.kafka_password:
        return KafkaPublisher(chosen)
    return KafkaPublisher(chosen, bootstrap.secret("kafka_password").renew)


def relay() -> "Relay":
    """Return a relay on Postgres and Kafka."""
    from chalicelib.messaging.policy import Policy
    from chalicelib.messaging.relay import Relay

    chosen = bootstrap.settings()
    policy = Policy(
        poll_seconds=chosen.relay_poll_seconds,
        wave_rows=chosen.relay_wave_rows,
        wave_bytes=chosen.relay_wave_bytes,
        shards=chosen.relay_shards_per_run,
        max_attempts=chosen.relay_max_attempts,
        backoff_base_seconds=chosen.relay_backoff_base_seconds,
        backoff_max_seconds=chosen.relay_backoff_max_seconds,
        delivery_timeout_seconds=chosen.kafka_delivery_timeout_ms / 1_000,
        lease_margin_seconds=chosen.relay_lease_margin_seconds,
    )
    return Relay(_store("aetherlink-relay"), _publisher, bootstrap.clock(), policy, _meter())


def _store(name: str) -> "PostgresOutboxStore":
    from chalicelib.adapters.postgres.outbox_store import PostgresOutboxStore

    chosen = bootstrap.settings()
    return PostgresOutboxStore(
        _connection(name),
        dead_letter_topic=chosen.outbox_dead_letter_topic,
        dead_letter_bytes=chosen.max_body_bytes // 2,
    )


def _meter() -> Meter:
    """Return what measures the relay: log lines for CloudWatch, and the ledger where there is one."""
    from chalicelib.adapters.emf import EmfMeter
    from chalicelib.autoheal.buffer import LedgerMeter
    from chalicelib.metrics import Meters

    log = EmfMeter(bootstrap.clock(), stage=bootstrap.settings().stage, function="relay")
    if not bootstrap.settings().autoheal_table_prefix:
        return log
    return Meters(log, LedgerMeter(bootstrap_healing.ledger, bootstrap.clock()))


@cache
def _standing_store() -> "PostgresOutboxStore":
    return _store("aetherlink-metrics")


def standing() -> "Standing | None":
    """Return how the outbox stands, asked of the database; None where this deployment has none.

    Raises:
        errors.Unavailable: the database is away.
    """
    return _standing_store().standing() if bootstrap.settings().relay_database_url else None


def replayer() -> "Replayer":
    """Return what carries out replays."""
    from chalicelib.adapters.postgres.replay_store import PostgresReplayStore
    from chalicelib.messaging.replay import Pace, Replayer

    chosen = bootstrap.settings()
    pace = Pace(
        per_second=chosen.replay_events_per_second, delivery_timeout_seconds=chosen.kafka_delivery_timeout_ms / 1_000
    )
    return Replayer(PostgresReplayStore(_connection("aetherlink-replay")), _publisher, bootstrap.clock(), pace)


@cache
def desk() -> "OutboxDesk":
    """Return the operators' desk."""
    from chalicelib.adapters.postgres.outbox_desk import PostgresOutboxDesk

    return PostgresOutboxDesk(_connection("aetherlink-desk"))


def upkeep() -> dict[str, list[str]]:
    """Make the archive's partitions ahead and drop those past retention; return their names."""
    from chalicelib.adapters.postgres.outbox_upkeep import maintain

    return maintain(_connection("aetherlink-upkeep"), retention_days=bootstrap.settings().outbox_archive_retention_days)


def idempotency_cleanup() -> int:
    """Delete what the ledger kept past its time; return how many rows."""
    from chalicelib.adapters.postgres.ledger import clean

    return clean(_connection("aetherlink-cleanup"))
