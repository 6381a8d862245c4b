"""Lists over HTTP: query parameters to a `Query`, and a page to an answer."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from chalicelib.bootstrap import container
from chalicelib.crm.model import Entity, JobStatus
from chalicelib.entrypoints.answer import Answer
from chalicelib.entrypoints.call import Call
from chalicelib.entrypoints.parameters import invalid_parameters, unknown_parameters
from chalicelib.shared.errors import FieldError
from chalicelib.shared.paging import Position, Query

MAX_LIMIT = 100
MAX_SEARCH_LENGTH = 200
SORTS = ("createdAt", "-createdAt")


def query_of(call: Call, kind: type[Entity], filters: Mapping[str, str]) -> Query:
    """Read the list parameters; `filters` maps those that this list has to the fields they look at.

    Raises:
        errors.Invalid: names each parameter that is unknown or not as it should be.
    """
    given = dict(call.query)
    problems = unknown_parameters(given, {"limit", "cursor", "q", "sort", *filters})
    limit = given.get("limit", "50")
    if not (limit.isascii() and limit.isdigit() and 1 <= int(limit[:4]) <= MAX_LIMIT):
        problems.append(FieldError("limit", f"must be from 1 to {MAX_LIMIT}"))
    sort = given.get("sort", SORTS[0])
    if sort not in SORTS:
        problems.append(FieldError("sort", f"must be one of: {', '.join(SORTS)}"))
    search = given.get("q")
    if search is not None and not (1 <= len(search) <= MAX_SEARCH_LENGTH and "\x00" not in search):
        problems.append(
            FieldError("q", f"must have 1 to {MAX_SEARCH_LENGTH} characters and no NUL character")
        )
    problems += [
        problem for name in filters if name in given and (problem := _wrong(name, given[name]))
    ]
    if problems:
        raise invalid_parameters(problems)
    chosen = {field: given[name] for name, field in filters.items() if name in given}
    query = Query(limit=int(limit), descending=sort.startswith("-"), search=search, filters=chosen)
    if "cursor" not in given:
        return query
    tenant_id = call.principal.tenant_id
    return replace(
        query,
        after=container()
        .access.cursors()
        .read(given["cursor"], tenant_id=tenant_id, kind=kind.__name__, query=query),
    )


def continued(call: Call, kind: type[Entity], query: Query, found: Sequence[Entity]) -> Answer:
    """Answer with one page of `found`, and the cursor of the next where there is one more than a page."""
    page = found[: query.limit]
    cursor = None
    if len(found) > query.limit:
        end = Position(page[-1].created_at, page[-1].id)
        cursor = (
            container()
            .access.cursors()
            .write(
                end,
                tenant_id=call.principal.tenant_id,
                kind=kind.__name__,
                query=replace(query, after=None),
            )
        )
    items = b",".join(entity.to_json() for entity in page)
    following = b"null" if cursor is None else b'"' + cursor.encode() + b'"'
    return Answer(b'{"items":[' + items + b'],"nextCursor":' + following + b"}")


def _wrong(name: str, value: str) -> FieldError | None:
    if "\x00" in value or len(value) > MAX_SEARCH_LENGTH:
        return FieldError(
            name, f"must have at most {MAX_SEARCH_LENGTH} characters and no NUL character"
        )
    if name.endswith("Id"):
        try:
            UUID(value)
        except ValueError:
            return FieldError(name, "must be a UUID")
    if name == "status" and value not in set(JobStatus):
        return FieldError(name, f"must be one of: {', '.join(JobStatus)}")
    return None
