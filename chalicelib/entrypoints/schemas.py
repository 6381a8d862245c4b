"""Building blocks of the JSON Schemas that operations state for answers without a model."""

from collections.abc import Mapping
from typing import Any

from chalicelib.shared.schema import NO_NUL

STRING: Mapping[str, Any] = {"type": "string"}
INTEGER: Mapping[str, Any] = {"type": "integer"}
NUMBER: Mapping[str, Any] = {"type": "number"}
BOOLEAN: Mapping[str, Any] = {"type": "boolean"}
UUID: Mapping[str, Any] = {"type": "string", "format": "uuid"}
OPTIONAL_STRING: Mapping[str, Any] = {"type": ["string", "null"]}
OPTIONAL_INTEGER: Mapping[str, Any] = {"type": ["integer", "null"]}
ANY_OBJECT: Mapping[str, Any] = {"type": "object", "additionalProperties": True}
STRING_MAP: Mapping[str, Any] = {"type": "object", "additionalProperties": STRING}


def object_schema(
    required: Mapping[str, Any], optional: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return the schema of an object with these properties."""
    return {
        "type": "object",
        "required": list(required),
        "properties": {**required, **(optional or {})},
    }


def array_of(items: Any) -> dict[str, Any]:
    """Return the schema of an array whose items are a schema or a model."""
    return {"type": "array", "items": items}


def page_of(items: Any) -> dict[str, Any]:
    """Return the schema of one page of a list: the items, and the cursor of the next page."""
    return object_schema({"items": array_of(items), "nextCursor": OPTIONAL_STRING})


def enum_of(values: Any) -> dict[str, Any]:
    """Return the schema of a string that is one of `values`."""
    return {"type": "string", "enum": list(values)}


def text_of(max_length: int, *, min_length: int = 0) -> dict[str, Any]:
    """Return the schema of a text without NUL characters, with its length in characters."""
    least = {"minLength": min_length} if min_length else {}
    return {"type": "string", **least, "maxLength": max_length, "pattern": NO_NUL}


def count_up_to(maximum: int, *, default: int) -> dict[str, Any]:
    """Return the schema of an integer from 1 to `maximum`."""
    return {"type": "integer", "minimum": 1, "maximum": maximum, "default": default}
