"""The blackbox exporter on this machine: probes the API and the demo services."""

from collections.abc import Sequence

from infra.local.service import Service, ServiceSpec
from infra.paths import ROOT

CONFIGURATION = ROOT / "infra" / "prometheus" / "blackbox.yml"


class Blackbox(Service):
    """One blackbox exporter."""

    spec = ServiceSpec(
        name="blackbox",
        label="Blackbox exporter",
        health_path="/-/healthy",
        package="prometheus-blackbox-exporter",
        program="prometheus-blackbox-exporter",
    )

    def command(self) -> Sequence[str]:
        """Return the command, with the product's own probes."""
        return [
            self.program(),
            f"--config.file={CONFIGURATION}",
            f"--web.listen-address={self.address}",
        ]
