"""Errors about input in words for callers: no pattern, no name of the code, and little input.

The number of errors is bounded, as is each field's name: a caller may send 100,000 unknown keys.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from chalicelib.shared.errors import FieldError
from chalicelib.shared.text import shortened

BODY: Final = "(body)"
"""The field of an error about the body as a whole."""
MAX_ERRORS: Final = 50
"""How many errors an answer lists."""
MAX_NAMES: Final = 10
"""How many fields the detail of a problem names."""
MAX_NAME_LENGTH: Final = 40
"""Characters of a name that a caller made up, such as an unknown key."""

MESSAGES: Final[Mapping[str, str]] = {
    "bool_type": "must be true or false",
    "dict_type": "must be an object",
    "enum": "must be {expected}",
    "extra_forbidden": "is not a field of this resource",
    "finite_number": "must be a finite number",
    "float_type": "must be a number",
    "greater_than_equal": "must be at least {ge:.16g}",
    "int_from_float": "must be an integer",
    "int_parsing_size": "is too large",
    "int_type": "must be an integer",
    "json_invalid": "is not valid JSON: {error}",
    "less_than_equal": "must be at most {le:.16g}",
    "list_type": "must be an array",
    "literal_error": "must be {expected}",
    "missing": "is required",
    "model_attributes_type": "must be an object",
    "model_type": "must be an object",
    "string_too_long": "must have at most {max_length} characters",
    "string_too_short": "must have at least {min_length} characters",
    "string_type": "must be a text",
    "string_unicode": "must be Unicode text, without halves of surrogate pairs",
    "uuid_parsing": "must be a UUID",
    "uuid_type": "must be a UUID",
    "value_error": "{error}",
}
"""Messages by Pydantic's error type, filled with the error's context."""
OTHERWISE: Final = "is not valid"
"""The message of an error type that `MESSAGES` does not have."""

EXPECTED: Final = re.compile(r"'([^']*)'")
"""A value among those that Pydantic expects, of an enum or a `Literal`."""


def describe(problem: ValidationError) -> Sequence[ErrorDetails]:
    """Return the errors of `problem` without the input, which may be secret."""
    return problem.errors(include_url=False, include_input=False)


def field_errors(problem: ValidationError) -> list[FieldError]:
    """Return what is wrong with each field, of up to `MAX_ERRORS` fields."""
    return [
        FieldError(
            field=".".join(shown(str(step)) for step in error["loc"]) or BODY,
            message=_message(error),
        )
        for error in describe(problem)[:MAX_ERRORS]
    ]


def shown(name: str) -> str:
    """Return a name that a caller made up, shortened for an error."""
    return shortened(name, MAX_NAME_LENGTH)


def summary(noun: str, errors: Sequence[FieldError], count: int) -> str:
    """Return the detail of a problem that names the fields of `errors`.

    Args:
        noun: what a field is, such as `parameter`.
        errors: those that the answer lists.
        count: how many there are in all.
    """
    names = ", ".join(error.field for error in errors[:MAX_NAMES])
    if count == 1:
        return f"The {noun} {names} is not valid. See errors."
    if count > MAX_NAMES:
        names = f"{names} and {count - MAX_NAMES} more"
    listed = "" if count == len(errors) else f", which lists the first {len(errors)}"
    return f"The {noun}s {names} are not valid. See errors{listed}."


def _message(error: ErrorDetails) -> str:
    context = dict(error.get("ctx", {}))
    if "expected" in context:
        values = EXPECTED.findall(str(context["expected"]))
        context["expected"] = ("one of: " if len(values) > 1 else "") + ", ".join(values)
    return MESSAGES.get(error["type"], OTHERWISE).format(**context)
