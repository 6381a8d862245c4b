"""A real PostgreSQL and a real Kafka, each behind a proxy, and relays in their own processes."""

import os
import shutil
import tempfile
from pathlib import Path
from types import TracebackType

from kafka import KafkaAdminClient

from chalicelib.config import Settings
from infra.local.data import migrate_database
from infra.local.kafka.apache import ApacheKafka
from infra.local.ports import free_port
from infra.local.postgres import Postgres
from infra.ops import topics
from infra.paths import CACHE
from tests.faults import relay_process
from tests.faults.warm import WarmProcess
from tests.integration.proxy import Proxy

PARTITIONS = 3
TOPIC_SETTINGS = {
    "num_partitions": PARTITIONS,
    "replication_factor": 1,
    "configs": {"message.timestamp.type": "LogAppendTime"},
}
"""Records are stamped by the broker, so that the checker knows the order over all topics."""

LOG_CHARACTERS = 3_000


class World:
    """The services, their proxies, and the relays' log."""

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="aetherlink-faults-"))
        self.home.chmod(0o711)
        self.postgres = Postgres(self.home / "postgres", free_port(), fast=True)
        broker_port = free_port()
        self.kafka_proxy = Proxy(broker_port)
        self.postgres_proxy = Proxy(self.postgres.port)
        self.kafka = ApacheKafka(
            self.home / "kafka", broker_port, CACHE, advertised_port=self.kafka_proxy.port
        )

    def __enter__(self) -> "World":
        self.kafka_proxy.__enter__()
        self.postgres_proxy.__enter__()
        self.postgres.start()
        migrate_database(self.postgres)
        self.kafka.start({})
        admin = KafkaAdminClient(bootstrap_servers=self.kafka.bootstrap_servers)
        admin.create_topics(
            dict.fromkeys(topics.names(Settings()), TOPIC_SETTINGS), wait_for_metadata=True
        )
        admin.close()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kafka_proxy.__exit__(kind, error, trace)
        self.postgres_proxy.__exit__(kind, error, trace)
        self.kafka.kill()
        self.postgres.kill()
        shutil.rmtree(self.home, ignore_errors=True)

    def environment(self, **settings: str) -> dict[str, str]:
        """Return the environment of a relay that connects through the proxies."""
        url = self.postgres.database_url("aetherlink_relay").replace(
            f":{self.postgres.port}/", f":{self.postgres_proxy.port}/"
        )
        return {
            **os.environ,
            "STAGE": "local",
            "RELAY_DATABASE_URL": url,
            "KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{self.kafka_proxy.port}",
            "RELAY_POLL_SECONDS": "0.1",
            "RELAY_BACKOFF_BASE_SECONDS": "0.1",
            "RELAY_BACKOFF_MAX_SECONDS": "1",
            "RELAY_LEASE_MARGIN_SECONDS": "0.5",
            "KAFKA_REQUEST_TIMEOUT_MS": "2000",
            "KAFKA_DELIVERY_TIMEOUT_MS": "3000",
            "DATABASE_STATEMENT_TIMEOUT_MS": "3000",
            "DATABASE_CONNECT_TIMEOUT_SECONDS": "2",
            **settings,
        }

    def relay(self, *arguments: str, **settings: str) -> WarmProcess:
        """Start a relay process."""
        environment = self.environment(**settings)
        return WarmProcess(relay_process.main, arguments, environment, self._relay_log)

    def drain(self, seconds: float = 60.0) -> None:
        """Run a relay until nothing is left to send."""
        relay = self.relay("--until-idle", "--seconds", str(seconds), RELAY_WAVE_ROWS="2000")
        if exit_code := relay.wait(seconds + 30):
            log = self._relay_log.read_text()[-LOG_CHARACTERS:]
            raise AssertionError(f"the relay ended with {exit_code}:\n{log}")
        with self.postgres.connect() as connection:
            [[pending]] = connection.execute_simple(
                "SELECT count(*) FROM outbox_event WHERE NOT parked"
            ).rows
        assert not pending, f"{pending} events are left after {seconds} s"

    def clear_leases(self) -> None:
        """Clear the leases of killed relays, instead of waiting until they expire."""
        with self.postgres.connect() as connection:
            connection.execute_simple(
                "UPDATE outbox_shard SET owner = NULL, lease_until = '-infinity'"
            )

    @property
    def _relay_log(self) -> Path:
        return self.home / "relay.log"
