"""The base of every value that is read or written as JSON, and the field types they share.

Keys are camelCase on the wire and snake_case in code. Unknown keys are refused, values are
never coerced (`"1"` is not a number), and text that PostgreSQL cannot store (a NUL
character) is refused here, with the name of the field.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any, TypeVar

from annotated_types import GroupedMetadata
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
)
from pydantic import ValidationError as PydanticError
from pydantic.alias_generators import to_camel

from chalicelib.shared.errors import FieldError, Invalid
from chalicelib.shared.validation import BODY, describe, field_errors

M = TypeVar("M", bound="Model")

RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)")
VISIBLE = re.compile(r"[^\s\u0000-\u001f\u0085]")
NO_NUL = r"^[^\u0000]*$"
NO_NUL_NOR_BLANK = rf"^[^\u0000]*{VISIBLE.pattern}[^\u0000]*$"
YEARS = r"^(19|20|21)\d\d-"
EARLIEST = datetime(1899, 12, 31, tzinfo=UTC)
LATEST = datetime(2200, 1, 2, tzinfo=UTC)
"""The years 1900 to 2199 at every offset from UTC."""


class Model(BaseModel):
    """An immutable value with a JSON form."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        populate_by_name=True,
        json_schema_serialization_defaults_required=True,
    )

    def to_json(self) -> bytes:
        """Return the JSON form, camelCase, UTF-8."""
        return self.model_dump_json(by_alias=True).encode()


def _stripped(text: str, *, blank: bool) -> str:
    if "\x00" in text:
        raise ValueError("must not contain a NUL character")
    if not blank and not VISIBLE.search(text):
        raise ValueError("must not be empty")
    return text.strip()


def _rfc3339(value: Any) -> Any:
    if isinstance(value, str) and RFC3339.fullmatch(value):
        # An impossible date raises a ValueError of its own.
        return datetime.fromisoformat(value.upper())
    if isinstance(value, datetime):
        return value
    raise ValueError("must be an RFC 3339 time such as 2030-01-31T09:00:00Z")


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _within_years(moment: datetime) -> datetime:
    if not EARLIEST <= moment < LATEST:
        raise ValueError("must be from 1900 to 2199")
    return moment.astimezone(UTC)


def _with_reason(value: Any, validate: ValidatorFunctionWrapHandler, *, reason: str) -> Any:
    """Validate `value`; where it does not match the pattern, say `reason` instead."""
    try:
        return validate(value)
    except PydanticError as problem:
        if any(error["type"] == "string_pattern_mismatch" for error in describe(problem)):
            raise ValueError(reason) from None
        raise


@dataclass(frozen=True, slots=True)
class Text(GroupedMetadata):
    """Marks a text without NUL characters; white space at its ends is removed.

    Attributes:
        max_length: in characters, white space included.
        blank: the text may be empty.
        pattern: what the text must look like. It must exclude NUL itself.
        reason: the error message where the text does not match the pattern.
    """

    max_length: int
    blank: bool = False
    pattern: str | None = None
    reason: str = "does not have the expected format"

    def __iter__(self) -> Iterator[Any]:
        """Yield the validators, in order, and the JSON Schema that states the same."""
        yield StringConstraints(max_length=self.max_length, pattern=self.pattern, strict=True)
        if self.pattern:
            yield WrapValidator(partial(_with_reason, reason=self.reason))
        yield AfterValidator(partial(_stripped, blank=self.blank))
        pattern = self.pattern or (NO_NUL if self.blank else NO_NUL_NOR_BLANK)
        minimum = {} if self.blank else {"minLength": 1}
        yield WithJsonSchema(
            {"type": "string", **minimum, "maxLength": self.max_length, "pattern": pattern}
        )


Moment = Annotated[
    AwareDatetime,
    BeforeValidator(_rfc3339),
    AfterValidator(_within_years),
    Field(json_schema_extra={"pattern": YEARS}),
]
"""A point in time, with an offset on the wire, in UTC in code."""

WHOLE = BeforeValidator(_whole)
"""Accepts `12.0` as an integer, as JSON Schema does."""


def parse(model: type[M], body: bytes) -> M:
    """Return the `model` that `body` holds as JSON.

    Raises:
        errors.Invalid: it is not JSON, or not valid for the model; names every invalid field.
    """
    try:
        return model.model_validate_json(body, strict=True)
    except PydanticError as problem:
        raise _invalid(problem) from None


def _invalid(problem: PydanticError) -> Invalid:
    errors = field_errors(problem)
    if any(error["type"] == "json_invalid" for error in describe(problem)):
        detail = f"The body {errors[0].message}."
        return Invalid(detail, code="invalid-json", errors=errors)
    return Invalid(_summary(errors), code="validation-failed", errors=errors)


def _summary(errors: list[FieldError]) -> str:
    names = ", ".join(error.field for error in errors)
    if len(errors) == 1:
        subject = "body is" if names == BODY else f"field {names} is"
    else:
        subject = f"fields {names} are"
    return f"The {subject} not valid. See errors."
