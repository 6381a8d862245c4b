"""A Kafka broker on this machine: one that is already there, Apache Kafka, or the embedded one; in that order."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Protocol

from infra.local.kafka.apache import ApacheKafka
from infra.local.kafka.embedded import EmbeddedKafka
from infra.local.kafka.external import ExternalKafka
from infra.local.process import PartFailed

KINDS = ("external", "apache", "embedded")
IN_USE = "in-use.json"
MIN_JAVA = 17
JAVA_SECONDS = 20


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
    """Return the broker to use: `wanted`, or what the environment says, or the one in use, or the best to be had.

    The environment says it with `KAFKA_BROKER` (a kind) or `KAFKA_BOOTSTRAP_SERVERS` (an
    external one). What `remember` wrote into `home` holds until `forget`, so that every
    later command means the same broker.

    Raises:
        PartFailed: the one asked for does not exist or cannot be had.
    """
    servers = os.environ.get("KAFKA_BOOTSTRAP_SERVERS", "")
    wanted = wanted or os.environ.get("KAFKA_BROKER") or ("external" if servers else None)
    if wanted is None:
        wanted, servers = _remembered(home) or (_best(), "")
    if wanted == "external":
        return ExternalKafka(servers)
    if wanted == "apache":
        return ApacheKafka(home, port, cache)
    if wanted == "embedded":
        return EmbeddedKafka(home)
    raise PartFailed(
        "kafka",
        f"no such broker: {wanted}",
        remedy=f"set KAFKA_BROKER to one of {', '.join(KINDS)}",
    )


def remember(home: Path, broker: Broker) -> None:
    """Note in `home` which broker is in use."""
    home.mkdir(parents=True, exist_ok=True)
    (home / IN_USE).write_text(json.dumps([broker.kind, broker.bootstrap_servers]))


def forget(home: Path) -> None:
    """Strike the note: the next `choose` is free again."""
    (home / IN_USE).unlink(missing_ok=True)


def _remembered(home: Path) -> tuple[str, str] | None:
    try:
        kind, servers = json.loads((home / IN_USE).read_text())
    except (FileNotFoundError, ValueError):
        return None
    return str(kind), str(servers)


def _best() -> str:
    return "apache" if shutil.which("mvn") and _java() >= MIN_JAVA else "embedded"


def _java() -> int:
    """Return Java's major version, 0 where there is none."""
    try:
        said = subprocess.run(
            ["java", "-version"], capture_output=True, text=True, timeout=JAVA_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired):
        return 0
    found = re.search(r'version "(?:1\.)?(\d+)', said.stderr)
    return int(found[1]) if found else 0
