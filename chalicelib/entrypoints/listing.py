"""Lists over HTTP: query parameters to a `Query`, and a page to an answer."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Any
from uuid import UUID

from chalicelib.bootstrap import container
from chalicelib.crm.commands import MAX_EMAIL_LENGTH
from chalicelib.crm.entities import EntityType
from chalicelib.crm.model import Entity
from chalicelib.entrypoints.answer import Answer
from chalicelib.entrypoints.call import Call
from chalicelib.entrypoints.parameters import invalid_parameters, unknown_parameters
from chalicelib.entrypoints.size import fitting
from chalicelib.shared.errors import FieldError
from chalicelib.shared.paging import Position, Query
from chalicelib.shared.text import normalise

DEFAULT_LIMIT = 50
MAX_LIMIT = 100
MAX_SEARCH_LENGTH = 200
MAX_FILTER_LENGTH = MAX_EMAIL_LENGTH
"""The longest text that a filter has to find."""
SORTS = ("createdAt", "-createdAt")
UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")


def query_of(call: Call, kind: EntityType[Any]) -> Query:
    """Return the query that the parameters of a list describe.

    Raises:
        errors.Invalid: names each parameter that is unknown or has an invalid value.
    """
    parameters = dict(call.query)
    errors = list(_errors(parameters, kind))
    if errors:
        raise invalid_parameters(errors)
    query = Query(
        limit=int(parameters.get("limit", DEFAULT_LIMIT)),
        descending=parameters.get("sort", SORTS[0]).startswith("-"),
        search=normalise(parameters["q"]) if "q" in parameters else None,
        filters={
            field: _filter_value(kind.value_type(field), parameters[name])
            for name, field in _filter_fields(kind).items()
            if name in parameters
        },
    )
    if "cursor" not in parameters:
        return query
    end = (
        container()
        .access.cursors()
        .read(
            parameters["cursor"],
            tenant_id=call.principal.tenant_id,
            kind=kind.model.__name__,
            query=query,
        )
    )
    return replace(query, after=end)


def page_answer(
    call: Call, kind: EntityType[Any], query: Query, entities: Sequence[Entity]
) -> Answer:
    """Return the answer with one page, and the cursor of the next one.

    `entities` has one more than `query.limit` if another page follows. A page ends earlier
    where more items would not fit into one answer.
    """
    items = [entity.to_json() for entity in entities[: query.limit]]
    count = fitting(items)
    cursor = b"null"
    if len(entities) > count:
        cursor = b'"' + _next_cursor(call, kind, query, entities[count - 1]).encode() + b'"'
    return Answer(b'{"items":[' + b",".join(items[:count]) + b'],"nextCursor":' + cursor + b"}")


def _next_cursor(call: Call, kind: EntityType[Any], query: Query, last: Entity) -> str:
    return (
        container()
        .access.cursors()
        .write(
            Position(last.created_at, last.id),
            tenant_id=call.principal.tenant_id,
            kind=kind.model.__name__,
            query=replace(query, after=None),
        )
    )


def _filter_fields(kind: EntityType[Any]) -> dict[str, str]:
    """Return the filters of a list: the parameter, and the field that it looks at."""
    return {kind.wire_name(filter_.field): filter_.field for filter_ in kind.filters}


def _filter_value(value_type: type, value: str) -> str:
    return normalise(value) if value_type is str else value


def _errors(parameters: Mapping[str, str], kind: EntityType[Any]) -> Iterator[FieldError]:
    filter_fields = _filter_fields(kind)
    yield from unknown_parameters(parameters, {"limit", "cursor", "q", "sort", *filter_fields})
    limit = parameters.get("limit", str(DEFAULT_LIMIT))
    if not (re.fullmatch("[0-9]{1,3}", limit) and 1 <= int(limit) <= MAX_LIMIT):
        yield FieldError("limit", f"must be from 1 to {MAX_LIMIT}")
    if parameters.get("sort", SORTS[0]) not in SORTS:
        yield FieldError("sort", f"must be one of: {', '.join(SORTS)}")
    if "q" in parameters:
        message = _invalid_text(parameters["q"], MAX_SEARCH_LENGTH)
        if message or not normalise(parameters["q"]):
            yield FieldError("q", message or "must not be empty")
    for name, field in filter_fields.items():
        if name in parameters:
            message = _invalid_value(kind.value_type(field), parameters[name])
            if message:
                yield FieldError(name, message)


def _invalid_value(value_type: type, value: str) -> str:
    """Return what is wrong with the value of a filter, or an empty text."""
    if value_type is UUID:
        try:
            UUID(value)
        except ValueError:
            return "must be a UUID"
        return ""
    if issubclass(value_type, StrEnum) and value not in set(value_type):
        return f"must be one of: {', '.join(value_type)}"
    return _invalid_text(value, MAX_FILTER_LENGTH)


def _invalid_text(text: str, max_length: int) -> str:
    """Return what is wrong with a text to look for, or an empty text.

    Characters that cannot be seen are allowed: what was stored earlier may have them.
    """
    if UNSTORABLE.search(text):
        return "must not contain a NUL character or half of a surrogate pair"
    if max(len(text), len(normalise(text))) > max_length:
        return f"must have at most {max_length} characters"
    return ""
