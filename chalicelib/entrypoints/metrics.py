"""Metrics over HTTP: the same text that is pushed."""

from collections.abc import Mapping

from chalice.app import Blueprint

from chalicelib import bootstrap, bootstrap_healing, bootstrap_outbox, logs, names
from chalicelib.autoheal.exposition import render, series
from chalicelib.autoheal.ledger import Series
from chalicelib.entrypoints import access
from chalicelib.entrypoints.http import Answer, Call, endpoint
from chalicelib.errors import AetherLinkError
from chalicelib.proofs import bearer_is

TEXT = "text/plain; version=0.0.4; charset=utf-8"

routes = Blueprint(__name__)


@routes.route("/metrics", methods=["GET"])
@endpoint(routes)
def read_metrics(call: Call) -> Answer:
    """Give the totals as Prometheus reads them, to operators and to the scraper."""
    if not bearer_is(call.headers, bootstrap.accepted("metrics_scrape_tokens")):
        access.admitted(access.SYSTEM, call.headers)
    return Answer(render(everything()).encode(), content_type=TEXT)


def everything() -> Mapping[Series, float]:
    """Return what is published: the ledger's totals, and how the outbox stands just now.

    While the database is away the outbox's gauges are left out: missing data is bad data, an old number is a lie.

    Raises:
        errors.Unavailable: the ledger is away.
    """
    found = series(bootstrap_healing.healing(), bootstrap.settings().stage, access.RULES)
    try:
        standing = bootstrap_outbox.standing()
    except AetherLinkError as problem:
        logs.warning(names.METRICS_INCOMPLETE, code=problem.code, cause=problem.cause)
        return found
    if standing is not None:
        found[Series(names.OUTBOX_PENDING)] = float(standing.pending)
        found[Series(names.OUTBOX_OLDEST_PENDING)] = round(standing.oldest, 3)
        found[Series(names.OUTBOX_PARKED_STREAMS)] = float(standing.parked_streams)
    return found
