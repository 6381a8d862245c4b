"""The audit log over HTTP: filters, pages, JSON and CSV."""

import json

from chalice.app import Blueprint

from chalicelib.autoheal.audit import AuditPage, AuditPosition, as_csv
from chalicelib.bootstrap import container
from chalicelib.entrypoints.answer import Answer
from chalicelib.entrypoints.audit_query import FORMATS, PARAMETERS, audit_query, next_cursor
from chalicelib.entrypoints.autoheal_schemas import AUDIT_PAGE
from chalicelib.entrypoints.call import Call
from chalicelib.entrypoints.endpoint import endpoint
from chalicelib.entrypoints.links import link
from chalicelib.entrypoints.operation import READ_ERRORS, Operation, Tag
from chalicelib.entrypoints.size import fitting

routes = Blueprint(__name__)


@routes.route("/audit", methods=["GET"])
@endpoint(
    routes,
    Operation(
        summary="Read the audit log",
        tag=Tag.AUDIT,
        description=(
            "Every decision and action of the self-healing, and every change that an operator "
            "made. The newest events come first."
        ),
        parameters=PARAMETERS,
        response=AUDIT_PAGE,
        response_description="One page, and the cursor of the next one.",
        alternative_media_type="text/csv",
        response_headers=("Link", "X-Next-Cursor"),
        errors=(400, *READ_ERRORS),
    ),
)
def read_audit(call: Call) -> Answer:
    """Return a page of the audit log, newest first."""
    query = audit_query(call.query)
    is_csv = call.query.get("format", FORMATS[0]) == "csv"
    page = container().autoheal.dependencies.audit.find(query, container().clock.now())
    page = _fitting(page, is_csv=is_csv)
    cursor = next_cursor(query, page)
    if is_csv:
        headers = {"Content-Disposition": 'attachment; filename="audit.csv"'}
        if cursor:
            headers["X-Next-Cursor"] = cursor
            next_page = link(call, "/audit", {**call.query, "cursor": cursor})
            headers["Link"] = f'<{next_page}>; rel="next"'
        return Answer(
            as_csv(page.events).encode(),
            headers=headers,
            content_type="text/csv; charset=utf-8; header=present",
        )
    events = [event.to_dict() for event in page.events]
    return Answer(
        json.dumps({"count": len(events), "events": events, "nextCursor": cursor}).encode()
    )


def _fitting(page: AuditPage, *, is_csv: bool) -> AuditPage:
    """Return the page, ended earlier where more events would not fit into one answer."""
    events = page.events
    rows = (
        as_csv([event], header=False) if is_csv else json.dumps(event.to_dict()) for event in events
    )
    count = fitting(row.encode() for row in rows)
    if count == len(events):
        return page
    last = events[count - 1]
    return AuditPage(events[:count], AuditPosition(last.time, last.id))
