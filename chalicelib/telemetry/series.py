"""One time series: a metric with its labels."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from chalicelib.telemetry.catalog import METRICS

Labels = tuple[tuple[str, str], ...]
_LABEL_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Series:
    """One number: a metric with its labels.

    `part` says which number of a histogram it is: `le=` and a bucket's bound, `sum` or `count`.
    """

    metric: str
    labels: Labels = ()
    part: str = ""

    @property
    def key(self) -> str:
        """Return the series as a string, for use as a key in a store."""
        parts = [self.metric, self.part, *[list(pair) for pair in self.labels]]
        return json.dumps(parts, ensure_ascii=False)

    @classmethod
    def read(cls, key: str) -> "Series":
        """Return the series whose `key` this is."""
        metric, part, *labels = json.loads(key)
        return cls(metric, tuple((name, value) for name, value in labels), part)

    @property
    def latest(self) -> bool:
        """Return whether the total is the greatest value rather than the sum."""
        return METRICS[self.metric].latest


def sorted_labels(labels: Mapping[str, str]) -> Labels:
    """Return `labels` in the order in which they are compared.

    Raises:
        ValueError: a name that Prometheus would not accept.
    """
    if not all(_LABEL_NAME.fullmatch(name) for name in labels):
        raise ValueError("a label's name is not valid")
    return tuple(sorted(labels.items()))
