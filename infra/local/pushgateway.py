"""The pushgateway on this machine: where the functions' totals are published, for Prometheus to scrape."""

from pathlib import Path

import requests

from infra.local.debian import program
from infra.local.process import Process, refuse_foreign

PACKAGE = NAME = "prometheus-pushgateway"
START_SECONDS = 20.0
SETTING = "AETHERLINK_PUSHGATEWAY_PORT"


class LocalPushgateway:
    """One pushgateway, in memory and on loopback."""

    def __init__(self, home: Path, port: int, cache: Path) -> None:
        """Keep the log in `home`."""
        self.home = home
        self.port = port
        self._cache = cache
        self.process = Process("pushgateway", home)

    @property
    def url(self) -> str:
        """Where it answers (`PUSHGATEWAY_URL`)."""
        return f"http://127.0.0.1:{self.port}"

    def running(self) -> bool:
        """Tell whether it is ready."""
        return self.process.running() and self._ready()

    def start(self) -> bool:
        """Start it; return whether it had to be started. Raises `PartFailed`."""
        if self.running():
            return False
        self.process.kill()
        refuse_foreign("pushgateway", self.port, SETTING)
        command = [
            str(program(PACKAGE, NAME, self._cache)),
            f"--web.listen-address=127.0.0.1:{self.port}",
        ]
        self.process.start(
            [
                *command,
                "--persistence.file=",
            ],  # Debian's keeps its state otherwise, and shows it to the next run
            ready=self._ready,
            seconds=START_SECONDS,
            remedy="read the log and try again",
        )
        return True

    def stop(self) -> None:
        """Stop it."""
        self.process.stop()

    def kill(self) -> None:
        """Crash it."""
        self.process.kill()

    def _ready(self) -> bool:
        try:
            return requests.get(f"{self.url}/-/ready", timeout=2).ok
        except requests.RequestException:
            return False
