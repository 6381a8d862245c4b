"""The outbox: the database as the relay sees it, and the broker."""

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chalicelib.adapters.postgres.outbox_store import PostgresOutboxStore
    from chalicelib.adapters.postgres.reconnecting import ReconnectingConnection
    from chalicelib.bootstrap.container import Container
    from chalicelib.config.kafka import KafkaSettings
    from chalicelib.outbox.admin import OutboxAdmin
    from chalicelib.outbox.policy import RelayPolicy
    from chalicelib.outbox.ports import OutboxStats, Publisher
    from chalicelib.outbox.relay import Relay
    from chalicelib.outbox.replay import Replayer


class OutboxServices:
    """Relay, replay, administration and upkeep of the outbox."""

    def __init__(self, container: "Container") -> None:
        """Connect to nothing yet."""
        self._container = container

    def connection(self, name: str) -> "ReconnectingConnection":
        """Return a connection as the relay role; PostgreSQL shows it as `name`."""
        from chalicelib.adapters.postgres import driver
        from chalicelib.adapters.postgres.reconnecting import ReconnectingConnection

        relay_url = self._container.secrets.secret("database.relay_url")
        settings = self._container.settings.database
        return ReconnectingConnection(lambda: driver.log_in(relay_url, settings, name=name))

    def kafka_settings(self) -> "KafkaSettings":
        """Return Kafka's settings, with the password itself where they refer to it."""
        settings = self._container.settings.kafka
        if not settings.password:
            return settings
        return replace(settings, password=self._container.secrets.secret("kafka.password").value())

    def publisher(self) -> "Publisher":
        """Return a new publisher; after the first failure it is replaced by another one."""
        from chalicelib.adapters.kafka import KafkaPublisher

        settings = self.kafka_settings()
        if not settings.password:
            return KafkaPublisher(settings)
        return KafkaPublisher(settings, self._container.secrets.secret("kafka.password").renew)

    def store(self, name: str) -> "PostgresOutboxStore":
        """Return the outbox as the relay sees it; PostgreSQL shows its connection as `name`."""
        from chalicelib.adapters.postgres.outbox_store import PostgresOutboxStore

        settings = self._container.settings
        return PostgresOutboxStore(
            self.connection(name),
            dead_letter_topic=settings.outbox.dead_letter_topic,
            dead_letter_bytes=settings.http.max_body_bytes // 2,
        )

    def relay_policy(self) -> "RelayPolicy":
        """Return the relay's settings, with Kafka's delivery timeout."""
        return replace(
            self._container.settings.relay,
            delivery_timeout_seconds=self._container.settings.kafka.delivery_timeout_ms / 1_000,
        )

    def relay(self) -> "Relay":
        """Return a relay from PostgreSQL to Kafka."""
        from chalicelib.outbox.relay import Relay

        store = self.store("aetherlink-relay")
        meter = self._container.telemetry.relay_meter
        return Relay(store, self.publisher, self._container.clock, self.relay_policy(), meter)

    def replayer(self) -> "Replayer":
        """Return what carries out replays."""
        from chalicelib.adapters.postgres.replay_store import PostgresReplayStore
        from chalicelib.outbox.replay import Replayer

        policy = replace(
            self._container.settings.replay,
            delivery_timeout_seconds=self._container.settings.kafka.delivery_timeout_ms / 1_000,
        )
        store = PostgresReplayStore(self.connection("aetherlink-replay"))
        return Replayer(store, self.publisher, self._container.clock, policy)

    @cached_property
    def admin(self) -> "OutboxAdmin":
        """What operators may do with the outbox."""
        from chalicelib.adapters.postgres.outbox_admin import PostgresOutboxAdmin

        return PostgresOutboxAdmin(self.connection("aetherlink-desk"))

    @cached_property
    def _stats_store(self) -> "PostgresOutboxStore":
        return self.store("aetherlink-metrics")

    def stats(self) -> "OutboxStats | None":
        """Return the outbox's figures from the database; None on a deployment without outbox.

        Raises:
            errors.Unavailable: the database cannot be reached.
        """
        return self._stats_store.stats() if self._container.settings.database.relay_url else None

    def upkeep(self) -> dict[str, list[str]]:
        """Create coming partitions of the archive and drop those past retention.

        Returns:
            The names of the partitions, by what was done with them.
        """
        from chalicelib.adapters.postgres.outbox_upkeep import maintain

        retention_days = self._container.settings.outbox.archive_retention_days
        return maintain(self.connection("aetherlink-upkeep"), retention_days=retention_days)
