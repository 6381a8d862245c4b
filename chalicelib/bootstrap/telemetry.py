"""Meters, the metric totals, and where they are pushed."""

from functools import cached_property
from typing import TYPE_CHECKING

from chalicelib.telemetry.meter import Meter, Meters
from chalicelib.telemetry.pusher import Pusher
from chalicelib.telemetry.request_metrics import RequestMetrics
from chalicelib.telemetry.totals import MetricTotals
from chalicelib.telemetry.totals_meter import TotalsMeter

if TYPE_CHECKING:
    from chalicelib.bootstrap.container import Container


class TelemetryServices:
    """What measures the product."""

    def __init__(self, container: "Container") -> None:
        """Measure nothing yet."""
        self._container = container

    def log_meter(self, function: str) -> Meter:
        """Return a meter that writes log lines in CloudWatch's embedded metric format."""
        from chalicelib.adapters.emf import EmfMeter

        return EmfMeter(
            self._container.clock, stage=self._container.settings.stage, function=function
        )

    @cached_property
    def api_meter(self) -> Meter:
        """What measures the API."""
        return self.log_meter("api")

    @cached_property
    def relay_meter(self) -> Meter:
        """What measures the relay: log lines, and the metric totals where there are any."""
        log = self.log_meter("relay")
        if not self._has_totals:
            return log
        return Meters(log, TotalsMeter(lambda: self.totals, self._container.clock))

    @cached_property
    def request_metrics(self) -> RequestMetrics:
        """What counts requests; it counts nothing where the deployment has no metric totals."""
        source = (lambda: self.totals) if self._has_totals else None
        return RequestMetrics(source, self._container.clock)

    @cached_property
    def totals(self) -> MetricTotals:
        """The metric totals. Raises `errors.Unavailable` where a deployment has no healer."""
        from chalicelib.adapters.dynamodb.metric_totals import DynamoMetricTotals

        return DynamoMetricTotals(*self._container.autoheal.tables)

    @cached_property
    def pusher(self) -> Pusher | None:
        """Where metrics are pushed; None where no pushgateway is named."""
        from chalicelib.adapters.pushgateway import Pushgateway

        settings = self._container.settings.pushgateway
        if not settings.url:
            return None
        return Pushgateway(settings.url, timeout_seconds=settings.timeout_seconds)

    @property
    def _has_totals(self) -> bool:
        return bool(self._container.settings.autoheal_store.table_prefix)
