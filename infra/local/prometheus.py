"""Prometheus on this machine, with the product's own configuration and rules."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.local.service import Service, ServiceSpec
from infra.paths import CACHE, ROOT

FOLDER = ROOT / "infra" / "prometheus"
RULES = FOLDER / "rules" / "*.yml"
RETENTION = "2d"
CALL_SECONDS = 10


@dataclass(frozen=True, slots=True)
class ScrapeTargets:
    """What Prometheus scrapes and whom it alerts: `host:port` each, except `api`, which is a URL.

    `services` are addresses by name; those in `exporters` have metrics of their own.
    """

    api: str
    services: Mapping[str, str]
    exporters: tuple[str, ...]
    pushgateway: str
    alertmanager: str
    blackbox: str


class Prometheus(Service):
    """One Prometheus."""

    spec = ServiceSpec(
        name="prometheus",
        label="Prometheus",
        health_path="/-/ready",
        package="prometheus",
        program="prometheus",
    )

    def __init__(
        self, home: Path, port: int, cache: Path = CACHE, data: Path | None = None
    ) -> None:
        """Keep configuration and log in `home`, and the samples there or in `data`."""
        super().__init__(home, port, cache)
        self._data = data or home / "data"

    @property
    def configuration(self) -> Path:
        """The configuration that it runs with."""
        return self.home / "prometheus.yml"

    def start(
        self, targets: ScrapeTargets | None = None, rules: Path = RULES, interval: str = ""
    ) -> bool:
        """Start it, or load what changed; return whether there was anything to do.

        Args:
            targets: what it scrapes; None keeps the configuration written last.
            rules: where its rules are, a pattern of absolute paths.
            interval: how often it scrapes and evaluates, e.g. `2s`; the shipped
                configuration's where it is empty.

        Raises:
            ServiceFailed: it does not start.
        """
        file = self.configuration
        before = file.read_text() if file.exists() else ""
        if targets is not None:
            self.home.mkdir(parents=True, exist_ok=True)
            file.write_text(configuration(targets, self.port, rules, interval))
        if super().start():
            return True
        self.reload()
        return file.read_text() != before

    def reload(self) -> None:
        """Load configuration and rules again.

        Raises:
            requests.HTTPError: Prometheus refuses them and goes on with those that it had.
        """
        import requests  # slow to import

        requests.post(f"{self.url}/-/reload", timeout=CALL_SECONDS).raise_for_status()

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the series of `expression`, with `metric` and `value` as in the API."""
        import requests  # slow to import

        response = requests.get(
            f"{self.url}/api/v1/query", params={"query": expression}, timeout=CALL_SECONDS
        )
        response.raise_for_status()
        return list(response.json()["data"]["result"])

    def command(self) -> Sequence[str]:
        """Return the command; it may be reloaded over HTTP."""
        return [
            self.program(),
            f"--config.file={self.configuration}",
            f"--storage.tsdb.path={self._data}",
            f"--storage.tsdb.retention.time={RETENTION}",
            f"--web.listen-address={self.address}",
            "--web.enable-lifecycle",
        ]


def configuration(
    targets: ScrapeTargets, port: int, rules: Path = RULES, interval: str = ""
) -> str:
    """Return the shipped configuration with the addresses of `targets`, as YAML."""
    import yaml

    document = copy.deepcopy(yaml.safe_load((FOLDER / "prometheus.yml").read_text()))
    document["rule_files"] = [str(rules)]
    if interval:
        document["global"] |= {"scrape_interval": interval, "evaluation_interval": interval}
    [alertmanager] = document["alerting"]["alertmanagers"]
    alertmanager["static_configs"][0]["targets"] = [targets.alertmanager]
    static_configs = _static_configs(targets, port)
    for job in document["scrape_configs"]:
        job["static_configs"] = static_configs[job["job_name"]]
        for step in job.get("relabel_configs", []):
            if step.get("replacement") == "blackbox:9115":
                step["replacement"] = targets.blackbox
    return yaml.safe_dump(document, sort_keys=False)


def _static_configs(targets: ScrapeTargets, port: int) -> dict[str, list[dict[str, Any]]]:
    """Return the targets of each scrape job."""
    services: list[dict[str, Any]] = [
        {"targets": [address], "labels": {"service": name}}
        for name, address in targets.services.items()
    ]
    exporters = [
        service for service in services if service["labels"]["service"] in targets.exporters
    ]
    return {
        "prometheus": [{"targets": [f"127.0.0.1:{port}"]}],
        "pushgateway": [{"targets": [targets.pushgateway]}],
        "autoheal-health": [{"targets": [targets.api]}],
        "services-tcp": services,
        "services-http": services,
        "services": exporters,
    }
