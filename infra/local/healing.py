"""Everything the healer works with on this machine: services to heal, Systems Manager, monitoring.

Monitoring comes from Debian packages. Where they cannot be downloaded, the stack says so and
runs without them.
"""

import secrets
from collections.abc import Callable, Mapping
from pathlib import Path

from infra.local.alertmanager import Alertmanager
from infra.local.blackbox import Blackbox
from infra.local.demo_services import DemoServices
from infra.local.errors import ServiceFailed
from infra.local.ports import Ports
from infra.local.progress import Progress
from infra.local.prometheus import Prometheus, ScrapeTargets
from infra.local.pushgateway import LocalPushgateway
from infra.local.service import Service
from infra.local.ssm import LocalSsm
from infra.paths import CACHE

TOKENS = ("AUTOHEAL_WEBHOOK_TOKENS", "METRICS_SCRAPE_TOKENS", "AUTOHEAL_LINK_SECRETS")
TOKEN_BYTES = 24
EXPORTER = "crm-exporter"
UNUSED_CHAT = "http://127.0.0.1:9/chat"
FLEET_CAP = "12"
"""More than the product's own, so that a drill has enough actions in a short time."""


class Healing:
    """The services around the healer."""

    def __init__(self, home: Path, ports: Ports) -> None:
        """Keep everything under `home`; the second demo service takes the port after the first."""
        self._home = home
        first = ports.services
        self.services = DemoServices(home / "services", {"crm-api": first, EXPORTER: first + 1})
        self.ssm = LocalSsm(home / "ssm", ports.ssm, self.services.bin, self.services.ports)
        self.alertmanager = Alertmanager(home / "alertmanager", ports.alertmanager, CACHE)
        self.pushgateway = LocalPushgateway(home / "pushgateway", ports.pushgateway, CACHE)
        self.blackbox = Blackbox(home / "blackbox", ports.blackbox, CACHE)
        self.prometheus = Prometheus(home / "prometheus", ports.prometheus, CACHE)

    @property
    def monitoring(self) -> Mapping[str, Service]:
        """The services that the stack can do without, by name."""
        return {
            "alertmanager": self.alertmanager,
            "pushgateway": self.pushgateway,
            "blackbox": self.blackbox,
            "prometheus": self.prometheus,
        }

    def start_monitoring(self, api_url: str, progress: Progress) -> None:
        """Start what monitors the API at `api_url`; a service that does not start is left out."""
        webhook = self.webhook(api_url)
        targets = self.scrape_targets(api_url)
        starts: list[tuple[Service, Callable[[], bool]]] = [
            (self.alertmanager, lambda: self.alertmanager.start(webhook)),
            (self.pushgateway, self.pushgateway.start),
            (self.blackbox, self.blackbox.start),
            (self.prometheus, lambda: self.prometheus.start(targets)),
        ]
        for service, start in starts:
            try:
                progress.start(service, start)
            except ServiceFailed as error:
                first, *rest = str(error).splitlines()
                progress.say(
                    "\n".join([f"! continuing without {service.spec.label}: {first}", *rest])
                )

    def webhook(self, api_url: str) -> Mapping[str, str]:
        """Return the values of Alertmanager's configuration for the API at `api_url`."""
        return {
            "AUTOHEAL_WEBHOOK_URL": f"{api_url}/autoheal/alert",
            "AUTOHEAL_WEBHOOK_TOKEN": self._secret(TOKENS[0]),
            "CHAT_WEBHOOK_URL": UNUSED_CHAT,
            "AUTOHEAL_PUBLIC_URL": api_url,
        }

    def scrape_targets(self, api_url: str) -> ScrapeTargets:
        """Return what Prometheus scrapes."""
        return ScrapeTargets(
            api=f"{api_url}/",
            services={name: f"127.0.0.1:{port}" for name, port in self.services.ports.items()},
            exporters=(EXPORTER,),
            pushgateway=self.pushgateway.address,
            alertmanager=self.alertmanager.address,
            blackbox=self.blackbox.address,
        )

    def settings(self) -> Mapping[str, str]:
        """Return the functions' settings."""
        return {
            "AWS_ENDPOINT_URL_SSM": self.ssm.url,
            "ALERTMANAGER_URL": self.alertmanager.url,
            "PUSHGATEWAY_URL": self.pushgateway.url,
            "AUTOHEAL_ENABLED": "true",
            "AUTOHEAL_FLEET_CAP": FLEET_CAP,
        }

    def secrets(self) -> dict[str, str]:
        """Return the functions' secrets, by setting."""
        return {name: self._secret(name) for name in TOKENS}

    def _secret(self, name: str) -> str:
        """Return a secret of this stack, made once."""
        file = self._home / f"{name.lower().replace('_', '-')}.secret"
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch(mode=0o600)
            file.write_text(secrets.token_urlsafe(TOKEN_BYTES))
        return file.read_text()
