"""A Kafka broker on this machine: one that is already there, Apache Kafka, or the embedded one; in that order."""

import os
import shutil
from pathlib import Path
from typing import Protocol

from infra.local.kafka.apache import ApacheKafka
from infra.local.kafka.embedded import EmbeddedKafka
from infra.local.kafka.external import ExternalKafka
from infra.local.process import PartFailed

KINDS = ("external", "apache", "embedded")


class Broker(Protocol):
    """What the stack needs of a broker. `api_version` is empty where the broker can be asked."""

    kind: str
    api_version: str

    @property
    def bootstrap_servers(self) -> str:
        """Where clients connect, `host:port`."""
        ...

    def describe(self) -> str:
        """Say in one line what this broker is, and what to know of it."""
        ...

    def running(self) -> bool:
        """Tell whether it accepts connections."""
        ...

    def start(self, topics: dict[str, int]) -> bool:
        """Start it and create the missing `topics` (name -> partitions); return whether it had to be started."""
        ...

    def stop(self) -> None:
        """Shut it down."""
        ...

    def kill(self) -> None:
        """Crash it."""
        ...

    def pause(self) -> None:
        """Freeze it."""
        ...

    def resume(self) -> None:
        """Thaw it."""
        ...


def choose(home: Path, port: int, cache: Path, wanted: str | None = None) -> Broker:
    """Return the broker to use: `wanted`, or `KAFKA_BROKER`, or the best that this machine can have.

    Raises:
        PartFailed: the one asked for does not exist or cannot be had.
    """
    wanted = wanted or os.environ.get("KAFKA_BROKER") or _best()
    if wanted == "external":
        return ExternalKafka(os.environ.get("KAFKA_BOOTSTRAP_SERVERS", ""))
    if wanted == "apache":
        return ApacheKafka(home, port, cache)
    if wanted == "embedded":
        return EmbeddedKafka(home)
    raise PartFailed("kafka", f"no such broker: {wanted}", remedy=f"set KAFKA_BROKER to one of {', '.join(KINDS)}")


def _best() -> str:
    if os.environ.get("KAFKA_BOOTSTRAP_SERVERS"):
        return "external"
    return "apache" if shutil.which("java") and shutil.which("mvn") else "embedded"
