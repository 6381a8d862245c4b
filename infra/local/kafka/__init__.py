"""The Kafka broker of the local stack: Apache Kafka, an embedded one, or one run elsewhere."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from infra.local.errors import ServiceFailed
from infra.local.kafka.apache import ApacheKafka
from infra.local.kafka.embedded import EmbeddedKafka
from infra.local.kafka.external import ExternalKafka

KINDS = ("external", "apache", "embedded")
IN_USE = "in-use.json"
MIN_JAVA = 17
JAVA_SECONDS = 20


class Broker(Protocol):
    """What the stack needs of a broker.

    `api_version` is empty where clients can ask the broker for it.
    """

    kind: str
    api_version: str

    @property
    def bootstrap_servers(self) -> str:
        """Where clients connect, `host:port`."""
        ...

    @property
    def address(self) -> str:
        """The same, for people."""
        ...

    def describe(self) -> str:
        """Return in one line what this broker is, and its limits."""
        ...

    def needs_download(self) -> bool:
        """Return whether the first start has to download the broker."""
        ...

    def running(self) -> bool:
        """Return whether it accepts connections."""
        ...

    def start(self, topics: Mapping[str, int] | None = None) -> bool:
        """Start it and create the missing `topics` (name -> partitions).

        Return whether it had to be started.
        """
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
        """Let it continue after `pause`."""
        ...


def choose(home: Path, port: int, cache: Path, kind: str | None = None) -> Broker:
    """Return the broker of `kind`, or as the environment says, or the one in use, or the best.

    The environment says it with `KAFKA_BROKER` (a kind) or `KAFKA_BOOTSTRAP_SERVERS` (an
    external one). What `remember` wrote into `home` holds until `forget`, so that every
    later command means the same broker.

    Raises:
        ServiceFailed: there is no such kind, or an external one without an address.
    """
    servers = os.environ.get("KAFKA_BOOTSTRAP_SERVERS", "")
    kind = kind or os.environ.get("KAFKA_BROKER") or ("external" if servers else None)
    if kind is None:
        kind, servers = _remembered(home) or (_best(home, port, cache), "")
    if kind == "external":
        return ExternalKafka(servers)
    if kind == "apache":
        return ApacheKafka(home, port, cache)
    if kind == "embedded":
        return EmbeddedKafka(home)
    raise ServiceFailed(
        "kafka",
        f"there is no broker of the kind {kind}",
        remedy=f"set KAFKA_BROKER to one of {', '.join(KINDS)}",
    )


def remember(home: Path, broker: Broker) -> None:
    """Record in `home` which broker is in use."""
    home.mkdir(parents=True, exist_ok=True)
    (home / IN_USE).write_text(json.dumps([broker.kind, broker.bootstrap_servers]))


def forget(home: Path) -> None:
    """Remove the record: the next `choose` is free again."""
    (home / IN_USE).unlink(missing_ok=True)


def _remembered(home: Path) -> tuple[str, str] | None:
    try:
        kind, servers = json.loads((home / IN_USE).read_text())
    except (FileNotFoundError, ValueError):
        return None
    return str(kind), str(servers)


def _best(home: Path, port: int, cache: Path) -> str:
    """Return the best kind there is; Maven is needed only for the first start of Apache Kafka."""
    fetched = not ApacheKafka(home, port, cache).needs_download()
    usable = (fetched or shutil.which("mvn")) and _java_version() >= MIN_JAVA
    return "apache" if usable else "embedded"


def _java_version() -> int:
    """Return Java's major version, 0 where there is none."""
    try:
        result = subprocess.run(
            ["java", "-version"], capture_output=True, text=True, timeout=JAVA_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired):
        return 0
    version = re.search(r'version "(?:1\.)?(\d+)', result.stderr)
    return int(version[1]) if version else 0
