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
IF_MATCH_SCHEMA = {"type": "string", "pattern": r'^("\d{1,9}"|\*)$'}


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
        "description": "The ETag of the version that was read, or `*` for any version.",
        "schema": IF_MATCH_SCHEMA,
    }
