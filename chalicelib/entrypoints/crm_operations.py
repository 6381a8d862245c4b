"""What the CRM's operations have in common, by kind: create, list, read, change, delete.

Each function returns the `Operation` of one endpoint; what is particular to an entity is an
argument.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from chalicelib.crm.entities import EntityType
from chalicelib.entrypoints import schemas
from chalicelib.entrypoints.call import PATCH_TYPES
from chalicelib.entrypoints.listing import (
    DEFAULT_LIMIT,
    MAX_FILTER_LENGTH,
    MAX_LIMIT,
    MAX_SEARCH_LENGTH,
    SORTS,
)
from chalicelib.entrypoints.operation import (
    READ_ERRORS,
    WRITE_ERRORS,
    Operation,
    Parameter,
)
from chalicelib.entrypoints.schemas import STRING, count_up_to, enum_of, page_of, text_of
from chalicelib.shared.schema import NO_NUL_NOR_BLANK

EXAMPLE_ID = UUID("0197a3c0-6a11-7d52-8f0e-5d1c9e2b7a40")
EXAMPLE_TENANT = UUID("0197a3c0-5f3e-7cc4-9d0a-2b8b6f0f1e11")
EXAMPLE_TIME = datetime(2030, 1, 15, 9, 30, tzinfo=UTC)

LIST_PARAMETERS = (
    Parameter(
        "cursor",
        STRING,
        "The `nextCursor` of the page before. All other parameters must stay the same.",
    ),
    Parameter(
        "limit", count_up_to(MAX_LIMIT, default=DEFAULT_LIMIT), "The number of items on a page."
    ),
    Parameter(
        "q",
        {**text_of(MAX_SEARCH_LENGTH, min_length=1), "pattern": NO_NUL_NOR_BLANK},
        "Text that a searched field contains, in upper or lower case. It is compared in Unicode's"
        " composed form (NFC), without white space at its ends.",
    ),
    Parameter(
        "sort",
        {"type": "string", "enum": list(SORTS), "default": SORTS[0]},
        "The order of the items: oldest first, or newest first with `-createdAt`.",
    ),
)


def tag_of(kind: EntityType[Any]) -> str:
    """Return the group of the operations of `kind` in the OpenAPI document."""
    return kind.collection.capitalize()


def create_operation(
    kind: EntityType[Any],
    *,
    summary: str,
    example: Mapping[str, Any],
    links: tuple[str, ...],
) -> Operation:
    """Return the operation that creates an entity; `links` are what can be done with it."""
    return Operation(
        summary=summary,
        tag=tag_of(kind),
        request=kind.create,
        example=example,
        response=kind.model,
        response_example=_stored(kind, example),
        response_description="Created. `Location` is its address.",
        status=201,
        response_headers=("ETag", "Location"),
        errors=WRITE_ERRORS,
        links=links,
        idempotent=True,
        creates=True,
    )


def list_operation(kind: EntityType[Any], *, summary: str) -> Operation:
    """Return the operation that lists entities, a page at a time."""
    return Operation(
        summary=summary,
        tag=tag_of(kind),
        description="Pages through the tenant's own items, in order of creation.",
        parameters=(*_filters(kind), *LIST_PARAMETERS),
        response=page_of(kind.model),
        response_description="One page, and the cursor of the next one.",
        errors=(400, *READ_ERRORS),
    )


def read_operation(kind: EntityType[Any], *, summary: str) -> Operation:
    """Return the operation that reads one entity."""
    return Operation(
        summary=summary,
        tag=tag_of(kind),
        response=kind.model,
        response_description="The current version.",
        response_headers=("ETag",),
        errors=(400, 404, 412, *READ_ERRORS),
        cacheable=True,
    )


def change_operation(
    kind: EntityType[Any], *, summary: str, example: Mapping[str, Any]
) -> Operation:
    """Return the operation that changes some fields of an entity."""
    return Operation(
        summary=summary,
        tag=tag_of(kind),
        description="A JSON merge patch (RFC 7396): absent fields stay, `null` clears a field.",
        request=kind.change,
        example=example,
        request_types=PATCH_TYPES,
        response=kind.model,
        response_description="Changed. This is the new version.",
        response_headers=("ETag",),
        errors=(*WRITE_ERRORS, 404, 412, 428),
        if_match="required",
        idempotent=True,
    )


def delete_operation(kind: EntityType[Any], *, summary: str, description: str = "") -> Operation:
    """Return the operation that deletes an entity."""
    return Operation(
        summary=summary,
        tag=tag_of(kind),
        description=description,
        response_description="Deleted.",
        status=204,
        errors=(400, 404, 409, 412, 422, *READ_ERRORS),
        if_match="optional",
        idempotent=True,
    )


def _stored(kind: EntityType[Any], example: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the JSON of the entity that a request like `example` creates."""
    command = kind.create.model_validate(example)
    entity = kind.model(
        id=EXAMPLE_ID,
        tenant_id=EXAMPLE_TENANT,
        version=1,
        created_at=EXAMPLE_TIME,
        updated_at=EXAMPLE_TIME,
        **command.values(),
    )
    return dict(json.loads(entity.to_json()))


def _filters(kind: EntityType[Any]) -> tuple[Parameter, ...]:
    return tuple(
        Parameter(
            kind.wire_name(filter_.field),
            _filter_schema(kind.value_type(filter_.field)),
            filter_.description,
        )
        for filter_ in kind.filters
    )


def _filter_schema(value_type: type) -> Mapping[str, Any]:
    if value_type is UUID:
        return schemas.UUID
    if issubclass(value_type, StrEnum):
        return enum_of(value_type)
    return text_of(MAX_FILTER_LENGTH)
