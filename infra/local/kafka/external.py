"""A broker that somebody else runs."""

from chalicelib.config import Settings
from infra.local.process import PartFailed, listening
from infra.ops import topics as topic_tools


class ExternalKafka:
    """The brokers that `KAFKA_BOOTSTRAP_SERVERS` names. Started and stopped by whoever runs them."""

    kind = "external"
    api_version = ""

    def __init__(self, bootstrap_servers: str) -> None:
        """Use `bootstrap_servers`, `host:port` separated by commas."""
        if not bootstrap_servers:
            raise PartFailed(
                "kafka",
                "no brokers are named",
                remedy="set KAFKA_BOOTSTRAP_SERVERS to host:port",
            )
        self._servers = bootstrap_servers

    @property
    def bootstrap_servers(self) -> str:
        """Where clients connect."""
        return self._servers

    def describe(self) -> str:
        """Say whose it is."""
        return f"Kafka at {self._servers} (KAFKA_BOOTSTRAP_SERVERS)"

    def running(self) -> bool:
        """Tell whether the first broker accepts connections."""
        host, _, port = self._servers.split(",")[0].strip().rpartition(":")
        return listening(int(port), host)

    def start(self, topics: dict[str, int]) -> bool:
        """Create the missing topics."""
        if not self.running():
            raise PartFailed(
                "kafka",
                f"nobody answers at {self._servers}",
                remedy="start it, or unset the variable",
            )
        topic_tools.ensure(
            Settings().changed(kafka={"bootstrap_servers": self._servers}), only=topics
        )
        return False

    def stop(self) -> None:
        """Leave it be."""

    def kill(self) -> None:
        """Leave it be."""

    def pause(self) -> None:
        """Leave it be."""

    def resume(self) -> None:
        """Leave it be."""
