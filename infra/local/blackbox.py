"""The blackbox exporter on this machine: probes the API and the demo services for Prometheus."""

from pathlib import Path

import requests

from infra.aws.package import ROOT
from infra.local.debian import program
from infra.local.process import Process, refuse_foreign

PACKAGE = NAME = "prometheus-blackbox-exporter"
CONFIGURATION = ROOT / "infra" / "prometheus" / "blackbox.yml"
START_SECONDS = 20.0
SETTING = "AETHERLINK_BLACKBOX_PORT"


class Blackbox:
    """One blackbox exporter, on loopback."""

    def __init__(self, home: Path, port: int, cache: Path) -> None:
        """Keep the log in `home`."""
        self.home = home
        self.port = port
        self._cache = cache
        self.process = Process("blackbox", home)

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def running(self) -> bool:
        """Tell whether it answers."""
        return self.process.running() and self._ready()

    def start(self) -> bool:
        """Start it; return whether it had to be started. Raises `PartFailed`."""
        if self.running():
            return False
        self.process.kill()
        refuse_foreign("blackbox", self.port, SETTING)
        binary = program(PACKAGE, NAME, self._cache)
        self.process.start(
            [
                str(binary),
                f"--config.file={CONFIGURATION}",
                f"--web.listen-address=127.0.0.1:{self.port}",
            ],
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
            return requests.get(f"{self.url}/-/healthy", timeout=2).ok
        except requests.RequestException:
            return False
