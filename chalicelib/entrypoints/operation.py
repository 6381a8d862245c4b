"""What an HTTP operation takes and returns, stated beside its view.

The OpenAPI document is generated from these values, so a new operation is described once.
They are plain data: importing `app` builds them, and nothing else runs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from chalicelib.entrypoints.call import JSON_TYPES
from chalicelib.shared.schema import Model

Schema = type[Model] | Mapping[str, Any]
"""A model, or a JSON Schema in which a model class stands for a reference to it."""

READ_ERRORS = (401, 403, 429, 503)
WRITE_ERRORS = (400, 401, 403, 409, 413, 415, 422, 429, 503)


class Tag(StrEnum):
    """The groups of operations in the OpenAPI document, beside one for each CRM entity."""

    OUTBOX = "Outbox"
    AUTOHEAL = "Autoheal"
    ALERTS = "Alerts"
    AUDIT = "Audit"
    SERVICE = "Service"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter in the query or the path. A path parameter called `id` needs no description."""

    name: str
    schema: Mapping[str, Any]
    description: str
    location: Literal["query", "path"] = "query"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """The contract of one endpoint, beyond its method, path and access rule.

    Attributes:
        summary: a short title in the imperative.
        tag: the group in the document.
        description: what a caller should know beyond the summary.
        parameters: the query parameters, and path parameters other than `id`.
        request: the model of the request body.
        example: an example of the request body.
        request_types: the media types of the request body.
        response: the body of a successful response; None where it has no body.
        response_example: an example of that body.
        response_description: what a successful response means.
        status: the status of a successful response.
        media_type: the media type of the response.
        alternative_media_type: another media type that the caller may ask for, as text.
        response_headers: headers of a successful response, beside those of every response.
        same_body: other statuses whose response has the same body, with their descriptions.
        errors: the statuses of problem documents.
        links: operations that take the id, and the ETag, of the response.
        security: names of the security schemes, one of which is enough. A public operation,
            and one that needs roles, follow `access.RULES` instead.
        if_match: whether the operation takes `If-Match`.
        cacheable: it only reads, and `If-None-Match` gives a 304; its answer has an `ETag`.
        idempotent: an `Idempotency-Key` is honoured: the view stores its answer.
        creates: the setting IDEMPOTENCY_REQUIRED makes the key mandatory.
    """

    summary: str
    tag: str
    description: str = ""
    parameters: tuple[Parameter, ...] = ()
    request: type[Model] | None = None
    example: Mapping[str, Any] | None = None
    request_types: tuple[str, ...] = JSON_TYPES
    response: Schema | None = None
    response_example: Mapping[str, Any] | None = None
    response_description: str = "The operation succeeded."
    status: int = 200
    media_type: str = "application/json"
    alternative_media_type: str = ""
    response_headers: tuple[str, ...] = ()
    same_body: Mapping[int, str] = field(default_factory=dict)
    errors: tuple[int, ...] = ()
    links: tuple[str, ...] = ()
    security: tuple[str, ...] = ()
    if_match: Literal["required", "optional"] | None = None
    cacheable: bool = False
    idempotent: bool = False
    creates: bool = False


OPERATIONS: dict[str, Operation] = {}
"""Every operation by the name of its view, which is its OpenAPI `operationId`.

`endpoint` fills it while `app` is imported.
"""
