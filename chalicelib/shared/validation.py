"""Pydantic's validation errors in words for callers: no pattern, no class name, no input."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from chalicelib.shared.errors import FieldError

BODY: Final = "(body)"
"""The field of an error about the body as a whole."""

MESSAGES: Final[Mapping[str, str]] = {
    "bool_type": "must be true or false",
    "dict_type": "must be an object",
    "enum": "must be {expected}",
    "extra_forbidden": "is not a known field",
    "finite_number": "must be a finite number",
    "float_type": "must be a number",
    "greater_than_equal": "must be at least {ge}",
    "int_from_float": "must be an integer",
    "int_parsing_size": "is too large",
    "int_type": "must be an integer",
    "json_invalid": "is not valid JSON: {error}",
    "less_than_equal": "must be at most {le}",
    "list_type": "must be an array",
    "literal_error": "must be {expected}",
    "missing": "is required",
    "model_type": "must be an object",
    "string_pattern_mismatch": "does not have the expected format",
    "string_too_long": "must have at most {max_length} characters",
    "string_too_short": "must have at least {min_length} characters",
    "string_type": "must be a string",
    "uuid_parsing": "must be a UUID",
    "uuid_type": "must be a UUID",
    "value_error": "{error}",
}
"""Messages by Pydantic's error type, filled with the error's context."""

ENUM_MEMBER: Final = re.compile(r"<[\w.]+: ('[^']*')>")
"""How Pydantic shows a member of an enum in a `Literal`."""


def describe(problem: ValidationError) -> Sequence[ErrorDetails]:
    """Return the errors of `problem` without the input, which may be secret."""
    return problem.errors(include_url=False, include_input=False)


def field_errors(problem: ValidationError) -> list[FieldError]:
    """Return what is wrong with each field."""
    return [
        FieldError(
            field=".".join(str(step) for step in error["loc"]) or BODY,
            message=_message(error),
        )
        for error in describe(problem)
    ]


def _message(error: ErrorDetails) -> str:
    template = MESSAGES.get(error["type"])
    if template is None:
        return error["msg"]
    return ENUM_MEMBER.sub(r"\1", template.format(**error.get("ctx", {})))
