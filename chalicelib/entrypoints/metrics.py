"""Metrics over HTTP: the same text that is pushed."""

from collections.abc import Mapping

from chalice.app import Blueprint

from chalicelib.autoheal.metrics import series
from chalicelib.bootstrap import container
from chalicelib.entrypoints import access
from chalicelib.entrypoints.answer import Answer
from chalicelib.entrypoints.call import Call
from chalicelib.entrypoints.endpoint import endpoint
from chalicelib.security.signing import bearer_is
from chalicelib.shared.errors import AetherLinkError
from chalicelib.telemetry import logs, names
from chalicelib.telemetry.exposition import render
from chalicelib.telemetry.totals import Series

TEXT = "text/plain; version=0.0.4; charset=utf-8"

routes = Blueprint(__name__)


@routes.route("/metrics", methods=["GET"])
@endpoint(routes)
def read_metrics(call: Call) -> Answer:
    """Give the totals as Prometheus reads them, to operators and to the scraper."""
    if not bearer_is(
        call.headers, container().secrets.accepted("shared_secrets.metrics_scrape_tokens")
    ):
        access.admitted(access.SYSTEM, call.headers)
    return Answer(render(everything()).encode(), content_type=TEXT)


def everything() -> Mapping[Series, float]:
    """Return what is published: the ledger's totals, and how the outbox stands just now.

    While the database is away the outbox's gauges are left out: missing data is bad data,
    an old number is a lie.

    Raises:
        errors.Unavailable: the ledger is away.
    """
    found = series(container().autoheal.dependencies, container().settings.stage, access.RULES)
    try:
        stats = container().outbox.stats()
    except AetherLinkError as problem:
        logs.warning(names.METRICS_INCOMPLETE, code=problem.code, cause=problem.cause)
        return found
    if stats is not None:
        found[Series(names.OUTBOX_PENDING)] = float(stats.pending)
        found[Series(names.OUTBOX_OLDEST_PENDING)] = round(stats.oldest, 3)
        found[Series(names.OUTBOX_PARKED_STREAMS)] = float(stats.parked_streams)
    return found
