"""Pushing metrics to a pushgateway, each job as a whole set."""

from collections.abc import Mapping
from typing import Protocol

from chalicelib.telemetry.catalog import JOBS
from chalicelib.telemetry.exposition import render
from chalicelib.telemetry.series import Series


class Pusher(Protocol):
    """Where metrics are pushed to."""

    def put(self, job: str, text: str) -> None:
        """Replace the metrics of `job` by `text`. Raises `errors.Unavailable`."""
        ...


def publish(totals: Mapping[Series, float], pusher: Pusher) -> dict[str, int]:
    """Push `totals`, job by job; return how many lines each job has.

    A job without any series is left as it is.

    Raises:
        errors.Unavailable: the pushgateway does not accept them.
    """
    lines = {}
    for job in JOBS:
        text = render(totals, job)
        if text.strip():
            pusher.put(job, text)
            lines[job] = text.count("\n")
    return lines
