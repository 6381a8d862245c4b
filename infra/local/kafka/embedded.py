"""The embedded broker as a service of the local stack: Kafka's protocol without Java."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from infra.local.ports import listening
from infra.local.service import Service, ServiceSpec
from infra.paths import ROOT


class EmbeddedKafka(Service):
    """A broker that keeps records in memory until it stops. It chooses its own port."""

    spec = ServiceSpec(name="kafka", label="embedded Kafka", remedy="read the log")
    kind = "embedded"
    api_version = "2.3"

    def __init__(self, home: Path) -> None:
        """Keep the log and the address under `home`."""
        super().__init__(home, 0)
        self._address = home / "address.json"
        self._topics = home / "topics.json"

    @property
    def bootstrap_servers(self) -> str:
        """Where clients connect; empty before the first start."""
        if not self._address.exists():
            return ""
        return str(json.loads(self._address.read_text())["bootstrap"])

    @property
    def address(self) -> str:
        """Where it listens; empty before the first start."""
        return self.bootstrap_servers

    def describe(self) -> str:
        """Return what it is and is not."""
        where = f" at {self.address}" if self.address else ""
        return f"embedded Kafka (librdkafka's mock){where}: in memory, gone when it stops"

    def healthy(self) -> bool:
        """Return whether it accepts connections."""
        port = self.bootstrap_servers.rpartition(":")[2]
        return bool(port) and listening(int(port))

    def start(self, topics: Mapping[str, int] | None = None) -> bool:
        """Start it with `topics` (name -> partitions); one that runs with others is replaced.

        None keeps the topics of the last start. Return whether it had to be started.
        """
        if topics is not None:
            wanted = json.dumps(dict(topics), sort_keys=True)
            if self.running() and self._topics.read_text() == wanted:
                return False
            self._topics.parent.mkdir(parents=True, exist_ok=True)
            self._topics.write_text(wanted)
        elif self.running():
            return False
        self.process.kill()
        self.launch()
        return True

    def prepare(self) -> None:
        """Forget the address of an earlier run."""
        super().prepare()
        self._address.unlink(missing_ok=True)

    def command(self) -> Sequence[str]:
        """Return the command; the process writes where it listens to our address file."""
        module = "infra.local.kafka.embedded_server"
        return [sys.executable, "-m", module, str(self._topics), str(self._address)]

    def environment(self) -> Mapping[str, str]:
        """Return the process' environment."""
        return {"PYTHONPATH": str(ROOT)}
