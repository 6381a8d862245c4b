"""The pushgateway on this machine: holds the functions' metric totals for Prometheus."""

from collections.abc import Sequence

from infra.local.service import Service, ServiceSpec


class LocalPushgateway(Service):
    """One pushgateway, in memory; its `url` is `PUSHGATEWAY_URL`."""

    spec = ServiceSpec(
        name="pushgateway",
        label="Pushgateway",
        health_path="/-/ready",
        package="prometheus-pushgateway",
        program="prometheus-pushgateway",
    )

    def command(self) -> Sequence[str]:
        """Return the command; Debian's build would keep its state and show it to the next run."""
        return [
            self.program(),
            f"--web.listen-address={self.address}",
            "--persistence.file=",
        ]
