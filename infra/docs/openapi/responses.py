"""The responses of an operation: success, with its headers and links, and problem documents."""

from collections.abc import Mapping
from typing import Any

from chalicelib.entrypoints.operation import Operation
from chalicelib.entrypoints.schemas import STRING
from infra.docs.openapi.schemas import resolved

ERROR_DESCRIPTIONS = {
    400: "The request is not valid. `errors` names each field.",
    401: "Missing or invalid credentials.",
    403: "The caller is not allowed to do this.",
    404: "Not found, or it belongs to another tenant.",
    409: "The current state does not allow this.",
    410: "The link has expired.",
    412: "`If-Match` or `If-None-Match` excludes the current version.",
    413: "The request body is too large.",
    415: "The media type of the request body is not supported, or its charset is not UTF-8.",
    422: "The request is well formed but breaks a rule.",
    428: "`If-Match` is required.",
    429: "Too many requests. Try again after `Retry-After` seconds.",
    502: "Alertmanager cannot be reached.",
    503: "A dependency is down. Try again later.",
}
HEADER_DESCRIPTIONS = {
    "ETag": "The version, for `If-Match`.",
    "Idempotent-Replayed": "`true` if this response was given to an earlier request.",
    "Link": "The next page of a CSV response.",
    "Location": "The address of the new resource.",
    "X-Next-Cursor": "The cursor of the next page of a CSV response.",
    "X-Request-Id": "The id of this request in the log.",
}
PROBLEM_CONTENT = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}


def responses(operation: Operation, operations: Mapping[str, Operation]) -> dict[str, Any]:
    """Return the responses of an operation by their status."""
    success = _success(operation, operations)
    problems = {str(status): _problem(status) for status in sorted(set(operation.errors))}
    same_body = {
        str(status): {**success, "description": description}
        for status, description in operation.same_body.items()
    }
    unchanged = {"304": _unchanged()} if operation.cacheable else {}
    return {str(operation.status): success, **unchanged, **problems, **same_body}


def _success(operation: Operation, operations: Mapping[str, Operation]) -> dict[str, Any]:
    replayed = ("Idempotent-Replayed",) if operation.idempotent else ()
    names = ("X-Request-Id", *replayed, *operation.response_headers)
    response: dict[str, Any] = {
        "description": operation.response_description,
        "headers": {name: _header(name) for name in names},
    }
    if operation.links:
        response["links"] = {name: _link(name, operations[name]) for name in operation.links}
    if operation.response is not None:
        media_type: dict[str, Any] = {"schema": resolved(operation.response)}
        if operation.response_example is not None:
            media_type["example"] = operation.response_example
        content = {operation.media_type: media_type}
        if operation.alternative_media_type:
            content[operation.alternative_media_type] = {"schema": STRING}
        response["content"] = content
    return response


def _unchanged() -> dict[str, Any]:
    return {
        "description": "The caller has this version already, by `If-None-Match`.",
        "headers": {name: _header(name) for name in ("ETag", "X-Request-Id")},
    }


def _problem(status: int) -> dict[str, Any]:
    return {
        "description": ERROR_DESCRIPTIONS[status],
        "headers": {"X-Request-Id": _header("X-Request-Id")},
        "content": PROBLEM_CONTENT,
    }


def _header(name: str) -> dict[str, Any]:
    return {"description": HEADER_DESCRIPTIONS[name], "schema": STRING}


def _link(name: str, operation: Operation) -> dict[str, Any]:
    """Return the link that passes a response's id, and its ETag, to another operation."""
    parameters = {"id": "$response.body#/id"}
    if operation.if_match:
        parameters["If-Match"] = "$response.header.ETag"
    return {"operationId": name, "parameters": parameters}
