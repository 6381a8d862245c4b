"""Metrics over HTTP: the same text that is pushed."""

from chalice.app import Blueprint

from chalicelib import bootstrap
from chalicelib.autoheal.exposition import series
from chalicelib.autoheal.ledger import render
from chalicelib.entrypoints.http import Answer, Call, admitted, endpoint
from chalicelib.identity import Role
from chalicelib.proofs import bearer_is

TEXT = "text/plain; version=0.0.4; charset=utf-8"

routes = Blueprint(__name__)


@routes.route("/metrics", methods=["GET"])
@endpoint(routes)
def read_metrics(call: Call) -> Answer:
    """Give the totals as Prometheus reads them, to operators and to the scraper."""
    settings = bootstrap.settings()
    if not bearer_is(call.headers, settings.metrics_scrape_tokens):
        admitted(call.headers, {Role.OPS, Role.ADMIN})
    text = render(series(bootstrap.healing(), settings.stage))
    return Answer(text.encode(), content_type=TEXT)
