"""The parameters of an operation: path, headers and query."""

import re
from typing import Any

from chalicelib.entrypoints.operation import Operation
from chalicelib.entrypoints.schemas import UUID

PATH_PARAMETER = re.compile(r"{(\w+)}")
IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": (
        "Makes the request safe to repeat: a request with the same key gets the same response. "
        "1 to 255 visible ASCII characters."
    ),
    "schema": {
        "type": "string",
        "minLength": 1,
        "maxLength": 255,
        "pattern": r"^[\x21\x23-\x7e]+$",
    },
}
ETAGS_SCHEMA = {"type": "string", "pattern": r'^(\*|(W/)?"[!#-~]*"(, *(W/)?"[!#-~]*")*)$'}


def parameters(path: str, operation: Operation) -> list[dict[str, Any]]:
    """Return the parameters of the operation at `path`."""
    described = {parameter.name: parameter for parameter in operation.parameters}
    result = []
    for name in PATH_PARAMETER.findall(path):
        parameter = described.pop(name, None)
        schema = parameter.schema if parameter else UUID
        text = parameter.description if parameter else "The id of the resource."
        result.append(
            {"name": name, "in": "path", "required": True, "description": text, "schema": schema}
        )
    if operation.idempotent:
        result.append(IDEMPOTENCY_KEY)
    if operation.cacheable:
        result.append(IF_NONE_MATCH)
    if operation.if_match:
        result.append(_if_match(required=operation.if_match == "required"))
    result += [
        {
            "name": parameter.name,
            "in": parameter.location,
            "description": parameter.description,
            "schema": parameter.schema,
        }
        for parameter in described.values()
    ]
    return result


def _if_match(*, required: bool) -> dict[str, Any]:
    return {
        "name": "If-Match",
        "in": "header",
        "required": required,
        "description": (
            "The ETag of the version that was read, or a list of them, or `*` for any version."
            " Compared strongly."
        ),
        "schema": ETAGS_SCHEMA,
    }


IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "description": "The ETags of versions that the caller has: the response is then a 304.",
    "schema": ETAGS_SCHEMA,
}
