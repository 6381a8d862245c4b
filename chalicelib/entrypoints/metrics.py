"""Metrics over HTTP, in the text that is also pushed to the Pushgateway."""

from collections.abc import Mapping

from chalice.app import Blueprint

from chalicelib.autoheal.metrics import series
from chalicelib.bootstrap import container
from chalicelib.entrypoints import access
from chalicelib.entrypoints.answer import Answer
from chalicelib.entrypoints.call import Call
from chalicelib.entrypoints.endpoint import endpoint
from chalicelib.entrypoints.operation import READ_ERRORS, Operation, Tag
from chalicelib.entrypoints.schemas import STRING
from chalicelib.security.signing import bearer_is
from chalicelib.shared.errors import AetherLinkError
from chalicelib.telemetry import logs, names
from chalicelib.telemetry.exposition import render
from chalicelib.telemetry.series import Series

TEXT = "text/plain; version=0.0.4; charset=utf-8"

routes = Blueprint(__name__)


@routes.route("/metrics", methods=["GET"])
@endpoint(
    routes,
    Operation(
        summary="Read the metrics",
        tag=Tag.SERVICE,
        description="The totals of all functions, in the Prometheus text format.",
        response=STRING,
        response_description="The metrics.",
        media_type="text/plain",
        errors=READ_ERRORS,
        security=("bearer", "scraper"),
    ),
)
def read_metrics(call: Call) -> Answer:
    """Return the metrics, to operators and to the scraper."""
    tokens = container().secrets.accepted("shared_secrets.metrics_scrape_tokens")
    if not bearer_is(call.headers, tokens):
        access.authorize(access.SYSTEM, call.headers)
    return Answer(render(everything()).encode(), content_type=TEXT)


def everything() -> Mapping[Series, float]:
    """Return every published series: the stored totals, and the outbox's gauges.

    While the database is down the gauges are left out, because an old value would mislead.

    Raises:
        errors.Unavailable: the store of the totals is down.
    """
    values = series(container().autoheal.dependencies, container().settings.stage, access.RULES)
    try:
        stats = container().outbox.stats()
    except AetherLinkError as problem:
        logs.warning(names.METRICS_INCOMPLETE, code=problem.code, cause=problem.cause)
        return values
    if stats is not None:
        values[Series(names.OUTBOX_PENDING)] = float(stats.pending)
        values[Series(names.OUTBOX_OLDEST_PENDING)] = round(stats.oldest_timestamp, 3)
        values[Series(names.OUTBOX_PARKED_STREAMS)] = float(stats.parked_streams)
    return values
