"""Lists over HTTP: query parameters to a `Query`, and a page to an answer."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Any
from uuid import UUID

from chalicelib.bootstrap import container
from chalicelib.crm.entities import EntityType
from chalicelib.crm.model import Entity
from chalicelib.entrypoints.answer import Answer
from chalicelib.entrypoints.call import Call
from chalicelib.entrypoints.parameters import invalid_parameters, unknown_parameters
from chalicelib.shared.errors import FieldError
from chalicelib.shared.paging import Position, Query

DEFAULT_LIMIT = 50
MAX_LIMIT = 100
MAX_SEARCH_LENGTH = 200
SORTS = ("createdAt", "-createdAt")


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
        search=parameters.get("q"),
        filters={
            field: parameters[name]
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

    `entities` has one more than `query.limit` if another page follows.
    """
    page = entities[: query.limit]
    cursor = b"null"
    if len(entities) > query.limit:
        cursor = b'"' + _next_cursor(call, kind, query, page[-1]).encode() + b'"'
    items = b",".join(entity.to_json() for entity in page)
    return Answer(b'{"items":[' + items + b'],"nextCursor":' + cursor + b"}")


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


def _errors(parameters: Mapping[str, str], kind: EntityType[Any]) -> Iterator[FieldError]:
    filter_fields = _filter_fields(kind)
    yield from unknown_parameters(parameters, {"limit", "cursor", "q", "sort", *filter_fields})
    limit = parameters.get("limit", str(DEFAULT_LIMIT))
    if not (limit.isascii() and limit.isdigit() and 1 <= int(limit[:4]) <= MAX_LIMIT):
        yield FieldError("limit", f"must be from 1 to {MAX_LIMIT}")
    if parameters.get("sort", SORTS[0]) not in SORTS:
        yield FieldError("sort", f"must be one of: {', '.join(SORTS)}")
    search = parameters.get("q")
    if search is not None and not (1 <= len(search) <= MAX_SEARCH_LENGTH and "\x00" not in search):
        yield FieldError("q", f"must have 1 to {MAX_SEARCH_LENGTH} characters and no NUL character")
    for name, field in filter_fields.items():
        if name in parameters:
            message = _invalid_value(kind.value_type(field), parameters[name])
            if message:
                yield FieldError(name, message)


def _invalid_value(value_type: type, value: str) -> str | None:
    """Return what is wrong with the value of a filter, or None."""
    if "\x00" in value or len(value) > MAX_SEARCH_LENGTH:
        return f"must have at most {MAX_SEARCH_LENGTH} characters and no NUL character"
    if value_type is UUID:
        try:
            UUID(value)
        except ValueError:
            return "must be a UUID"
    if issubclass(value_type, StrEnum) and value not in set(value_type):
        return f"must be one of: {', '.join(value_type)}"
    return None
