"""A broker that is run elsewhere."""

from collections.abc import Mapping

from infra.local.errors import ServiceFailed
from infra.local.ports import listening


class ExternalKafka:
    """The brokers that `KAFKA_BOOTSTRAP_SERVERS` names. We neither start nor stop them."""

    kind = "external"
    api_version = ""

    def __init__(self, bootstrap_servers: str) -> None:
        """Use `bootstrap_servers`, `host:port` separated by commas."""
        if not bootstrap_servers:
            raise ServiceFailed(
                "kafka",
                "no brokers are named",
                remedy="set KAFKA_BOOTSTRAP_SERVERS to host:port",
            )
        self._servers = bootstrap_servers

    @property
    def bootstrap_servers(self) -> str:
        """Where clients connect."""
        return self._servers

    @property
    def address(self) -> str:
        """Where clients connect."""
        return self._servers

    def describe(self) -> str:
        """Return where it is."""
        return f"Kafka at {self._servers} (KAFKA_BOOTSTRAP_SERVERS)"

    def needs_download(self) -> bool:
        """Return whether the first start has to download something: never."""
        return False

    def running(self) -> bool:
        """Return whether the first broker accepts connections."""
        host, _, port = self._servers.split(",")[0].strip().rpartition(":")
        return listening(int(port), host)

    def start(self, topics: Mapping[str, int] | None = None) -> bool:
        """Create the missing `topics`. Raises `ServiceFailed` where no broker answers."""
        from chalicelib.config import Settings
        from infra.ops import topics as topic_tools

        if not self.running():
            raise ServiceFailed(
                "kafka",
                f"no broker answers at {self._servers}",
                remedy="start it, or unset the variable",
            )
        if topics:
            settings = Settings().changed(kafka={"bootstrap_servers": self._servers})
            topic_tools.ensure(settings, only=dict(topics))
        return False

    def stop(self) -> None:
        """Leave it running."""

    def kill(self) -> None:
        """Leave it running."""

    def pause(self) -> None:
        """Leave it running."""

    def resume(self) -> None:
        """Leave it running."""
