"""The query parameters of the audit log, to an `AuditQuery`; and the cursor of the next page."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import UUID

from chalicelib.autoheal.audit import (
    DEFAULT_EVENTS,
    MAX_EVENTS,
    AuditPage,
    AuditPosition,
    AuditQuery,
)
from chalicelib.bootstrap import container
from chalicelib.entrypoints.operation import Parameter
from chalicelib.entrypoints.parameters import invalid_parameters, unknown_parameters
from chalicelib.entrypoints.schemas import STRING, count_up_to, text_of
from chalicelib.shared.errors import FieldError
from chalicelib.shared.paging import Position, Query
from chalicelib.shared.schema import EARLIEST, LATEST, RFC3339, YEARS

FORMATS = ("json", "csv")
TEXT_FILTERS = ("kind", "alertname", "contains")
TIMES = ("since", "until")
MAX_TEXT_LENGTH = 200
SECONDS = re.compile(r"\d{1,10}(\.\d{1,9})?", re.ASCII)
NO_TENANT = UUID(int=0)
"""The log belongs to the whole system, not to a tenant. Its cursors are bound to this."""

TEXT_SCHEMA = text_of(MAX_TEXT_LENGTH, min_length=1)
TIME_SCHEMA = {
    "anyOf": [
        {"type": "string", "pattern": f"^{SECONDS.pattern}$".replace(r"\d", "[0-9]")},
        {"type": "string", "format": "date-time", "pattern": YEARS},
    ]
}
PARAMETERS = (
    Parameter(
        "n",
        count_up_to(MAX_EVENTS, default=DEFAULT_EVENTS),
        "The number of events on a page.",
    ),
    Parameter("since", TIME_SCHEMA, "Only events from this time on: RFC 3339 or Unix seconds."),
    Parameter("until", TIME_SCHEMA, "Only events before this time: RFC 3339 or Unix seconds."),
    Parameter("kind", TEXT_SCHEMA, "Only events of this kind."),
    Parameter("alertname", TEXT_SCHEMA, "Only events about alerts with this name."),
    Parameter("contains", TEXT_SCHEMA, "Only events that contain this text."),
    Parameter("cursor", STRING, "The `nextCursor` of the page before, with the same filters."),
    Parameter(
        "format",
        {"type": "string", "enum": list(FORMATS), "default": FORMATS[0]},
        "The format of the response.",
    ),
)


def audit_query(parameters: Mapping[str, str]) -> AuditQuery:
    """Return the query that the parameters ask for.

    Raises:
        errors.Invalid: names each parameter that is unknown or not valid.
    """
    times = {name: _time(parameters[name]) for name in TIMES if name in parameters}
    errors = [
        *unknown_parameters(parameters, [parameter.name for parameter in PARAMETERS]),
        *_value_errors(parameters),
        *_time_errors(times),
    ]
    if errors:
        raise invalid_parameters(errors)
    after = None
    if "cursor" in parameters:
        position = (
            container()
            .access.cursors()
            .read(
                parameters["cursor"],
                tenant_id=NO_TENANT,
                kind="audit",
                query=_filters(parameters),
            )
        )
        after = AuditPosition(position.created_at, position.id)
    return AuditQuery(
        limit=int(parameters.get("n", DEFAULT_EVENTS)),
        since=times.get("since"),
        until=times.get("until"),
        kind=parameters.get("kind"),
        alertname=parameters.get("alertname"),
        contains=parameters.get("contains"),
        after=after,
    )


def next_cursor(query: AuditQuery, page: AuditPage) -> str | None:
    """Return the cursor of the page after `page`, or None at the end."""
    if page.following is None:
        return None
    position = Position(page.following.time, page.following.id)
    filters = {"kind": query.kind, "alertname": query.alertname, "contains": query.contains}
    bound_to = _filters({name: value for name, value in filters.items() if value is not None})
    cursors = container().access.cursors()
    return cursors.write(position, tenant_id=NO_TENANT, kind="audit", query=bound_to)


def _value_errors(parameters: Mapping[str, str]) -> list[FieldError]:
    errors = []
    count = parameters.get("n", str(DEFAULT_EVENTS))
    if not (re.fullmatch("[0-9]{1,4}", count) and 1 <= int(count) <= MAX_EVENTS):
        errors.append(FieldError("n", f"must be from 1 to {MAX_EVENTS}"))
    for name in TEXT_FILTERS:
        text = parameters.get(name)
        if text is not None and not (1 <= len(text) <= MAX_TEXT_LENGTH and "\x00" not in text):
            reason = f"must have 1 to {MAX_TEXT_LENGTH} characters and no NUL character"
            errors.append(FieldError(name, reason))
    if parameters.get("format", FORMATS[0]) not in FORMATS:
        errors.append(FieldError("format", f"must be one of: {', '.join(FORMATS)}"))
    return errors


def _time_errors(times: Mapping[str, datetime | None]) -> list[FieldError]:
    reason = "must be Unix seconds or an RFC 3339 time such as 2030-01-31T09:00:00Z"
    return [FieldError(name, reason) for name, time in times.items() if time is None]


def _filters(parameters: Mapping[str, str]) -> Query:
    """Return what a cursor is bound to: the filters, but neither the page size nor the format."""
    return Query(filters={name: parameters[name] for name in TEXT_FILTERS if name in parameters})


def _time(text: str) -> datetime | None:
    """Return the time that `text` states, in UTC; None where it is not valid."""
    if SECONDS.fullmatch(text):
        return datetime.fromtimestamp(float(text), UTC)
    if not RFC3339.fullmatch(text):
        return None
    try:
        time = datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return time if EARLIEST <= time < LATEST else None
