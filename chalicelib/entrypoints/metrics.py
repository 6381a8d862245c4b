"""Metrics over HTTP: the same text that is pushed."""

from chalice.app import Blueprint

from chalicelib import bootstrap, bootstrap_healing
from chalicelib.autoheal.exposition import series
from chalicelib.autoheal.ledger import render
from chalicelib.entrypoints import access
from chalicelib.entrypoints.http import Answer, Call, endpoint
from chalicelib.proofs import bearer_is

TEXT = "text/plain; version=0.0.4; charset=utf-8"

routes = Blueprint(__name__)


@routes.route("/metrics", methods=["GET"])
@endpoint(routes)
def read_metrics(call: Call) -> Answer:
    """Give the totals as Prometheus reads them, to operators and to the scraper."""
    if not bearer_is(call.headers, bootstrap.accepted("metrics_scrape_tokens")):
        access.admitted(access.SYSTEM, call.headers)
    text = render(series(bootstrap_healing.healing(), bootstrap.settings().stage))
    return Answer(text.encode(), content_type=TEXT)
