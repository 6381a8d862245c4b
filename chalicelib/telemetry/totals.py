"""Metrics of functions that do not live long: totals that are added up in a ledger.

A pushgateway keeps what was pushed last and adds nothing up. So counters and histogram
buckets are added here, in the same transaction as the state change where there is one, and
whoever publishes them publishes the whole set.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol

from chalicelib.telemetry import names

AUTOHEAL = "autoheal"
CRM = "crm"
"""The jobs, as the pushgateway groups them."""

AUDIT_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.5, 5.0)
REQUEST_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
BATCH_BUCKETS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Metric:
    """What a series is: `kind` is counter, gauge or histogram; `latest` keeps the greatest instead of a sum."""

    name: str
    kind: str
    help: str
    job: str = AUTOHEAL
    buckets: tuple[float, ...] = ()
    latest: bool = False


METRICS: Final[Mapping[str, Metric]] = {
    one.name: one
    for one in (
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
            "Attempts at an event that the broker refused.",
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
            "How long flights to the broker took.",
            CRM,
            BATCH_BUCKETS,
        ),
        Metric(
            names.OUTBOX_MARK_SECONDS,
            "histogram",
            "How long marking a flight took.",
            CRM,
            BATCH_BUCKETS,
        ),
    )
}
_LABEL = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Series:
    """One number: a metric with its labels; of a histogram, one bucket, the sum or the count."""

    metric: str
    labels: Labels = ()
    part: str = ""

    @property
    def key(self) -> str:
        """Return what names it in a store."""
        return json.dumps(
            [self.metric, self.part, *[list(pair) for pair in self.labels]],
            ensure_ascii=False,
        )

    @classmethod
    def read(cls, key: str) -> "Series":
        """Return the series that `key` names."""
        metric, part, *labels = json.loads(key)
        return cls(metric, tuple((name, value) for name, value in labels), part)

    @property
    def latest(self) -> bool:
        """Tell whether the greatest value counts rather than the sum."""
        return METRICS[self.metric].latest


@dataclass
class Increments:
    """What to add to the ledger. Not for several threads at once."""

    values: dict[Series, float] = field(default_factory=dict)

    def add(self, metric: str, times: float = 1, **labels: str) -> "Increments":
        """Add to a counter."""
        series = Series(metric, _sorted(labels))
        self.values[series] = self.values.get(series, 0.0) + times
        return self

    def at(self, metric: str, moment: datetime, **labels: str) -> "Increments":
        """Note when something last happened."""
        series = Series(metric, _sorted(labels))
        self.values[series] = max(self.values.get(series, 0.0), moment.timestamp())
        return self

    def observe(self, metric: str, seconds: float, **labels: str) -> "Increments":
        """Add one to a distribution."""
        wanted = _sorted(labels)
        bound = next(
            (f"{limit:g}" for limit in METRICS[metric].buckets if seconds <= limit), "+Inf"
        )
        for part, value in ((f"le={bound}", 1.0), ("sum", seconds), ("count", 1.0)):
            series = Series(metric, wanted, part)
            self.values[series] = self.values.get(series, 0.0) + value
        return self

    def merge(self, other: "Increments") -> "Increments":
        """Add everything of `other`."""
        for series, value in other.values.items():
            known = self.values.get(series, 0.0)
            self.values[series] = max(known, value) if series.latest else known + value
        return self

    def take(self) -> "Increments":
        """Return everything, and start anew."""
        taken = Increments(self.values)
        self.values = {}
        return taken


class MetricTotals(Protocol):
    """Where the totals are. Raises `errors.Unavailable` while it is away."""

    def add(self, increments: Increments) -> None:
        """Add all of it."""
        ...

    def totals(self) -> Mapping[Series, float]:
        """Return every total."""
        ...


class Pusher(Protocol):
    """Where the totals are published."""

    def put(self, job: str, text: str) -> None:
        """Replace what is known of `job`. Raises `errors.Unavailable`."""
        ...


def _sorted(labels: Mapping[str, str]) -> Labels:
    if not all(_LABEL.fullmatch(name) for name in labels):
        raise ValueError("a label's name is no name")
    return tuple(sorted(labels.items()))
