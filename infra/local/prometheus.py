"""Prometheus on this machine, with the product's own configuration and rules."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
import yaml

from infra.aws.package import ROOT
from infra.local.debian import program
from infra.local.process import Process, refuse_foreign

PACKAGE = NAME = "prometheus"
FOLDER = ROOT / "infra" / "prometheus"
RULES = FOLDER / "rules" / "*.yml"
START_SECONDS = 30.0
RETENTION = "2d"
SETTING = "AETHERLINK_PROMETHEUS_PORT"


@dataclass(frozen=True, slots=True)
class Watched:
    """What is watched, and by whom: `host:port` each, but `api` is a URL. `services` are by name, one has metrics."""

    api: str
    services: Mapping[str, str]
    exporters: tuple[str, ...]
    pushgateway: str
    alertmanager: str
    blackbox: str


class Prometheus:
    """One Prometheus, on loopback."""

    def __init__(self, home: Path, port: int, cache: Path, data: Path | None = None) -> None:
        """Keep configuration and log in `home`, and the samples in `data`, or in `home` as well."""
        self.home = home
        self.port = port
        self._cache = cache
        self._data = data or home / "data"
        self.process = Process("prometheus", home)

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def running(self) -> bool:
        """Tell whether it is ready."""
        return self.process.running() and self._ready()

    def start(self, watched: Watched, rules: Path = RULES, interval: str = "") -> bool:
        """Start it, or load what changed; return whether there was anything to do.

        Args:
            watched: what it watches.
            rules: where its rules are, a pattern of absolute paths.
            interval: how often it scrapes and evaluates, e.g. `2s`; the shipped
                configuration's where it is empty.

        Raises:
            PartFailed: it does not start.
        """
        file = self.home / "prometheus.yml"
        before = file.read_text() if file.exists() else ""
        self.home.mkdir(parents=True, exist_ok=True)
        file.write_text(configuration(watched, self.port, rules, interval))
        if self.running():
            self.reload()
            return file.read_text() != before
        self.process.kill()
        refuse_foreign("prometheus", self.port, SETTING)
        self.process.start(
            [
                str(program(PACKAGE, NAME, self._cache)),
                f"--config.file={file}",
                f"--storage.tsdb.path={self._data}",
                f"--storage.tsdb.retention.time={RETENTION}",
                f"--web.listen-address=127.0.0.1:{self.port}",
                "--web.enable-lifecycle",
            ],
            ready=self._ready,
            seconds=START_SECONDS,
            remedy="read the log and try again",
        )
        return True

    def reload(self) -> None:
        """Load configuration and rules again.

        Raises:
            requests.HTTPError: Prometheus does not take them; it goes on with those that it
            had.
        """
        requests.post(f"{self.url}/-/reload", timeout=10).raise_for_status()

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return what `expression` is now: series with `metric` and `value`, as the HTTP API has them."""
        answer = requests.get(f"{self.url}/api/v1/query", params={"query": expression}, timeout=10)
        answer.raise_for_status()
        return list(answer.json()["data"]["result"])

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


def configuration(watched: Watched, port: int, rules: Path = RULES, interval: str = "") -> str:
    """Return the shipped configuration with the addresses of `watched`, as YAML."""
    made = copy.deepcopy(yaml.safe_load((FOLDER / "prometheus.yml").read_text()))
    made["rule_files"] = [str(rules)]
    if interval:
        made["global"] |= {"scrape_interval": interval, "evaluation_interval": interval}
    made["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"] = [watched.alertmanager]
    services = [
        {"targets": [address], "labels": {"service": name}}
        for name, address in watched.services.items()
    ]
    targets = {
        "prometheus": [{"targets": [f"127.0.0.1:{port}"]}],
        "pushgateway": [{"targets": [watched.pushgateway]}],
        "autoheal-health": [{"targets": [watched.api]}],
        "services-tcp": services,
        "services-http": services,
        "services": [one for one in services if one["labels"]["service"] in watched.exporters],  # type: ignore[index]
    }
    for job in made["scrape_configs"]:
        job["static_configs"] = targets[job["job_name"]]
        for step in job.get("relabel_configs", []):
            if step.get("replacement") == "blackbox:9115":
                step["replacement"] = watched.blackbox
    return yaml.safe_dump(made, sort_keys=False)
