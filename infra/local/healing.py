"""What the healer works with on this machine: services to heal, Systems Manager, and those that watch.

Those that watch come from Debian packages; where they are not to be had, the stack says so
and runs without them.
"""

import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from infra.aws.package import ROOT
from infra.local.alertmanager import Alertmanager
from infra.local.blackbox import Blackbox
from infra.local.demo_services import DemoServices
from infra.local.process import PartFailed
from infra.local.prometheus import Prometheus, Watched
from infra.local.pushgateway import LocalPushgateway
from infra.local.ssm_agent import LocalSsm

CACHE = ROOT / ".local" / "cache"
TOKENS = ("AUTOHEAL_WEBHOOK_TOKENS", "METRICS_SCRAPE_TOKENS", "AUTOHEAL_LINK_SECRETS")
TOKEN_BYTES = 24
EXPORTER = "crm-exporter"
FLEET_CAP = "12"
"""More than the product's own, so that a drill has enough actions in a short time."""
WATCHERS = ("alertmanager", "pushgateway", "blackbox", "prometheus")


class Healing:
    """The healer's surroundings."""

    def __init__(self, home: Path, ports: Mapping[str, int]) -> None:
        """Keep everything under `home`; listen on `ports`, by part, the second service on the one after `services`."""
        self._home = home
        first = ports["services"]
        self.services = DemoServices(home / "services", {"crm-api": first, EXPORTER: first + 1})
        self.ssm = LocalSsm(home / "ssm", ports["ssm"], self.services.bin, self.services.ports)
        self.alertmanager = Alertmanager(home / "alertmanager", ports["alertmanager"], CACHE)
        self.pushgateway = LocalPushgateway(home / "pushgateway", ports["pushgateway"], CACHE)
        self.blackbox = Blackbox(home / "blackbox", ports["blackbox"], CACHE)
        self.prometheus = Prometheus(home / "prometheus", ports["prometheus"], CACHE)

    def start(self) -> bool:
        """Start what the functions need; return whether something had to be started. Raises `PartFailed`."""
        started = [self.services.start(), self.ssm.start()]
        return any(started)

    def watch(self, api_url: str, say: Callable[[str], None]) -> None:
        """Start what watches the deployed API at `api_url`, if it is to be had."""
        values = {
            "AUTOHEAL_WEBHOOK_URL": f"{api_url}/autoheal/alert",
            "AUTOHEAL_WEBHOOK_TOKEN": self._secret(TOKENS[0]),
            "CHAT_WEBHOOK_URL": "http://127.0.0.1:9/chat",
            "AUTOHEAL_PUBLIC_URL": api_url,
        }
        self._start(
            f"Alertmanager at {self.alertmanager.url}",
            lambda: self.alertmanager.start(values),
            say,
        )
        self._start(f"Pushgateway at {self.pushgateway.url}", self.pushgateway.start, say)
        self._start(f"Blackbox exporter at {self.blackbox.url}", self.blackbox.start, say)
        watched = self.watched(api_url)
        self._start(
            f"Prometheus at {self.prometheus.url}",
            lambda: self.prometheus.start(watched),
            say,
        )

    def watched(self, api_url: str) -> Watched:
        """Return what Prometheus watches."""
        return Watched(
            api=f"{api_url}/",
            services={name: f"127.0.0.1:{port}" for name, port in self.services.ports.items()},
            exporters=(EXPORTER,),
            pushgateway=f"127.0.0.1:{self.pushgateway.port}",
            alertmanager=f"127.0.0.1:{self.alertmanager.port}",
            blackbox=f"127.0.0.1:{self.blackbox.port}",
        )

    def environment(self) -> Mapping[str, str]:
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

    def parts(self) -> dict[str, Any]:
        """Return the parts by name."""
        return {
            "services": self.services,
            "ssm": self.ssm,
            "alertmanager": self.alertmanager,
            "pushgateway": self.pushgateway,
            "blackbox": self.blackbox,
            "prometheus": self.prometheus,
        }

    def status(self) -> dict[str, Any]:
        """Return each part's state and address; those that are not to be had are left out."""
        found = {
            "services": {
                "running": self.services.running(),
                "address": ", ".join(self._addresses()),
            },
            "ssm": {"running": self.ssm.running(), "address": self.ssm.url},
        }
        for name in WATCHERS:
            one = self.parts()[name]
            if one.process.log.exists():
                found[name] = {"running": one.running(), "address": one.url}
        return found

    def _start(self, label: str, start: Callable[[], bool], say: Callable[[str], None]) -> None:
        try:
            say(f"✓ {label}" if start() else f"✓ {label} (was running)")
        except PartFailed as problem:
            lines = str(problem).splitlines()
            say("\n".join([f"· going on without {label}: {lines[0]}", *lines[1:]]))

    def _addresses(self) -> list[str]:
        return [f"{name} http://127.0.0.1:{port}" for name, port in self.services.ports.items()]

    def _secret(self, name: str) -> str:
        """Return a secret of this stack, made once."""
        file = self._home / f"{name.lower().replace('_', '-')}.secret"
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch(mode=0o600)
            file.write_text(secrets.token_urlsafe(TOKEN_BYTES))
        return file.read_text()
