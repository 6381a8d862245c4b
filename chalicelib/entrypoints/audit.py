"""The audit log over HTTP: filters, pages, JSON and CSV."""

import json
import re
from datetime import UTC, datetime
from urllib.parse import urlencode
from uuid import UUID

from chalice.app import Blueprint

from chalicelib.autoheal.audit import (
    DEFAULT_EVENTS,
    MAX_EVENTS,
    AuditPage,
    AuditPosition,
    AuditQuery,
    as_csv,
)
from chalicelib.bootstrap import container
from chalicelib.entrypoints.answer import Answer
from chalicelib.entrypoints.call import Call
from chalicelib.entrypoints.endpoint import endpoint
from chalicelib.shared.errors import FieldError, Invalid
from chalicelib.shared.paging import Position, Query
from chalicelib.shared.schema import EARLIEST, LATEST, RFC3339

PARAMETERS = ("n", "since", "until", "kind", "alertname", "contains", "cursor", "format")
TEXTS = ("kind", "alertname", "contains")
FORMATS = ("json", "csv")
LONGEST = 200
SECONDS = re.compile(r"\d{1,10}(\.\d{1,9})?", re.ASCII)
NOBODY = UUID(int=0)
"""The log is the whole system's, no tenant's: its cursors are bound to this."""

routes = Blueprint(__name__)


@routes.route("/audit", methods=["GET"])
@endpoint(routes)
def read_audit(call: Call) -> Answer:
    """Tell what the healer did and did not do, newest first, a page at a time."""
    query = _query(call)
    page = container().autoheal.dependencies.audit.find(query, container().clock.now())
    cursor = _cursor(query, page)
    if call.query.get("format", FORMATS[0]) == "csv":
        headers = {"Content-Disposition": 'attachment; filename="audit.csv"'}
        if cursor:
            following = urlencode({**call.query, "cursor": cursor})
            headers |= {
                "X-Next-Cursor": cursor,
                "Link": f'<{call.base_path}/audit?{following}>; rel="next"',
            }
        return Answer(
            as_csv(page.events).encode(),
            200,
            headers,
            "text/csv; charset=utf-8; header=present",
        )
    events = [event.to_dict() for event in page.events]
    return Answer(
        json.dumps({"count": len(events), "events": events, "nextCursor": cursor}).encode()
    )


def _query(call: Call) -> AuditQuery:
    """Read the parameters.

    Raises:
        errors.Invalid: names each parameter that is unknown or not as it should be.
    """
    given = dict(call.query)
    problems = [FieldError(name, "no such parameter") for name in given if name not in PARAMETERS]
    count = given.get("n", str(DEFAULT_EVENTS))
    if not (count.isascii() and count.isdigit() and 1 <= int(count[:5]) <= MAX_EVENTS):
        problems.append(FieldError("n", f"must be 1 to {MAX_EVENTS}"))
    problems += [
        FieldError(name, f"must have 1 to {LONGEST} characters, none of them NUL")
        for name in TEXTS
        if name in given and not (1 <= len(given[name]) <= LONGEST and "\x00" not in given[name])
    ]
    if given.get("format", FORMATS[0]) not in FORMATS:
        problems.append(FieldError("format", f"must be one of: {', '.join(FORMATS)}"))
    moments = {}
    for name in ("since", "until"):
        moments[name] = _moment(given[name]) if name in given else None
        if name in given and moments[name] is None:
            problems.append(
                FieldError(
                    name,
                    "must be Unix seconds or an RFC 3339 time such as 2030-01-31T09:00:00Z",
                )
            )
    if problems:
        raise Invalid("Not acceptable. See errors.", code="bad-parameter", errors=problems)
    after = None
    if "cursor" in given:
        place = (
            container()
            .access.cursors()
            .read(given["cursor"], tenant_id=NOBODY, kind="audit", query=_bound(given))
        )
        after = AuditPosition(place.created_at, place.id)
    return AuditQuery(
        limit=int(count),
        since=moments["since"],
        until=moments["until"],
        kind=given.get("kind"),
        alertname=given.get("alertname"),
        contains=given.get("contains"),
        after=after,
    )


def _cursor(query: AuditQuery, page: AuditPage) -> str | None:
    if page.following is None:
        return None
    place = Position(page.following.time, page.following.id)
    given = {"kind": query.kind, "alertname": query.alertname, "contains": query.contains}
    bound = _bound({name: value for name, value in given.items() if value is not None})
    return container().access.cursors().write(place, tenant_id=NOBODY, kind="audit", query=bound)


def _bound(given: dict[str, str]) -> Query:
    """Return what a cursor is bound to: the filters, but neither the size of the page nor its format."""
    return Query(filters={name: given[name] for name in TEXTS if name in given})


def _moment(said: str) -> datetime | None:
    if SECONDS.fullmatch(said):
        return datetime.fromtimestamp(float(said), UTC)
    try:
        found = (
            datetime.fromisoformat(said.upper()).astimezone(UTC)
            if RFC3339.fullmatch(said)
            else None
        )
    except (ValueError, OverflowError):
        return None
    return found if found is not None and EARLIEST <= found < LATEST else None
