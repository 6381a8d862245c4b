"""The metrics that are published: name, kind, help text and buckets of each."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from chalicelib.telemetry import names

AUTOHEAL: Final = "autoheal"
CRM: Final = "crm"
JOBS: Final = (AUTOHEAL, CRM)
"""The jobs by which the pushgateway groups metrics."""

AUDIT_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.5, 5.0)
REQUEST_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
BATCH_BUCKETS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper bounds of histogram buckets, in seconds."""


@dataclass(frozen=True, slots=True)
class Metric:
    """What is known of a metric. `kind` is counter, gauge or histogram.

    The total of a metric that is `latest` is the greatest of its values, not their sum.
    """

    name: str
    kind: str
    help: str
    job: str = AUTOHEAL
    buckets: tuple[float, ...] = ()
    latest: bool = False


_AUTOHEAL_METRICS = (
    Metric(
        names.AUTOHEAL_ENABLED,
        "gauge",
        "1 while alerts are healed, or would be but for the dry run.",
    ),
    Metric(
        names.AUTOHEAL_ACTIONS,
        "counter",
        "Actions that ended, and cooldown skips, by result.",
    ),
    Metric(
        names.AUTOHEAL_ACTION_FAILURES,
        "counter",
        "Actions that failed, on purpose or not.",
    ),
    Metric(
        names.AUTOHEAL_ACTION_LAST,
        "gauge",
        "When an action last ended, Unix seconds.",
        latest=True,
    ),
    Metric(
        names.AUTOHEAL_COOLDOWN,
        "gauge",
        "Seconds until an alert's targets are all cooled down.",
        latest=True,
    ),
    Metric(names.AUTOHEAL_EVENTS, "counter", "Audit events by kind."),
    Metric(
        names.AUTOHEAL_LAST_EVENT,
        "gauge",
        "When something was last recorded, Unix seconds.",
        latest=True,
    ),
    Metric(
        names.AUTOHEAL_AUDIT_WRITE,
        "histogram",
        "How long audit writes took.",
        buckets=AUDIT_BUCKETS,
    ),
)
_CRM_METRICS = (
    Metric(names.CRM_REQUESTS, "counter", "HTTP requests answered.", CRM),
    Metric(
        names.CRM_REQUEST_SECONDS,
        "histogram",
        "How long HTTP requests took.",
        CRM,
        REQUEST_BUCKETS,
    ),
    Metric(names.OUTBOX_PENDING, "gauge", "Events that wait to be published.", CRM),
    Metric(
        names.OUTBOX_OLDEST_PENDING,
        "gauge",
        "When the oldest waiting event occurred, or now; Unix seconds.",
        CRM,
    ),
    Metric(names.OUTBOX_PARKED_STREAMS, "gauge", "Streams that wait for an operator.", CRM),
    Metric(names.OUTBOX_PUBLISHED, "counter", "Events that the broker acknowledged.", CRM),
    Metric(
        names.OUTBOX_REFUSED,
        "counter",
        "Attempts to publish an event that the broker refused.",
        CRM,
    ),
    Metric(names.OUTBOX_PARKED, "counter", "Streams that were parked.", CRM),
    Metric(
        names.OUTBOX_LEASE_MISSES,
        "counter",
        "Times that a relay found every shard leased.",
        CRM,
    ),
    Metric(
        names.OUTBOX_PUBLISH_SECONDS,
        "histogram",
        "How long publishing a batch took.",
        CRM,
        BATCH_BUCKETS,
    ),
    Metric(
        names.OUTBOX_MARK_SECONDS,
        "histogram",
        "How long marking a batch took.",
        CRM,
        BATCH_BUCKETS,
    ),
)
METRICS: Final[Mapping[str, Metric]] = {
    metric.name: metric for metric in (*_AUTOHEAL_METRICS, *_CRM_METRICS)
}
