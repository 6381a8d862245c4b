"""The base of everything that is read from or written as JSON, and the field types that the product shares.

Keys are camelCase on the wire and snake_case in code. Unknown keys are refused, values are
never coerced (`"1"` is no number), and text that PostgreSQL cannot hold (a NUL character)
is refused here, by name.
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
    WithJsonSchema,
)
from pydantic import ValidationError as PydanticError
from pydantic.alias_generators import to_camel

from chalicelib.shared.errors import FieldError, Invalid

M = TypeVar("M", bound="Model")

RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)")
SHOWN = re.compile(r"[^\s\u0000-\u001f\u0085]")
NO_NUL = r"^[^\u0000]*$"
NO_NUL_NOR_BLANK = rf"^[^\u0000]*{SHOWN.pattern}[^\u0000]*$"
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
    if not blank and not SHOWN.search(text):
        raise ValueError("must not be empty")
    return text.strip()


def _rfc3339(value: Any) -> Any:
    if isinstance(value, str) and RFC3339.fullmatch(value):
        return datetime.fromisoformat(
            value.upper()
        )  # an impossible date is a ValueError of its own
    if isinstance(value, datetime):
        return value
    raise ValueError("must be an RFC 3339 time such as 2030-01-31T09:00:00Z")


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _within_reach(moment: datetime) -> datetime:
    if not EARLIEST <= moment < LATEST:
        raise ValueError("must be from 1900 to 2199")
    return moment.astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Text(GroupedMetadata):
    """Marks a text of at most `max_length` characters, without NUL; white space at its ends is taken away.

    Attributes:
        max_length: counted with the white space.
        blank: it may be empty.
        pattern: what it must look like; leaves out NUL itself.
    """

    max_length: int
    blank: bool = False
    pattern: str | None = None

    def __iter__(self) -> Iterator[Any]:
        """Yield what Pydantic is to check, in order, and the schema that says the same."""
        yield StringConstraints(max_length=self.max_length, pattern=self.pattern, strict=True)
        yield AfterValidator(partial(_stripped, blank=self.blank))
        described = self.pattern or (NO_NUL if self.blank else NO_NUL_NOR_BLANK)
        least = {} if self.blank else {"minLength": 1}
        yield WithJsonSchema(
            {"type": "string", **least, "maxLength": self.max_length, "pattern": described}
        )


Moment = Annotated[
    AwareDatetime,
    BeforeValidator(_rfc3339),
    AfterValidator(_within_reach),
    Field(json_schema_extra={"pattern": YEARS}),
]
"""A point in time, with an offset on the wire, in UTC here."""

WHOLE = BeforeValidator(_whole)
"""Lets `12.0` be an integer, as JSON Schema does."""


def field_errors(problem: PydanticError) -> list[FieldError]:
    """Say what is wrong with each field, in words for the caller; never repeats the input."""
    return [
        FieldError(
            field=".".join(str(part) for part in one["loc"]) or "(body)",
            message=one["msg"].removeprefix("Value error, "),
        )
        for one in problem.errors(include_url=False, include_context=False, include_input=False)
    ]


def parse(model: type[M], body: bytes) -> M:
    """Read `body`, JSON, as a `model`.

    Raises:
        errors.Invalid: not JSON, or not such a model; names every wrong field.
    """
    try:
        return model.model_validate_json(body, strict=True)
    except PydanticError as problem:
        errors = field_errors(problem)
        if any(
            one["type"] == "json_invalid"
            for one in problem.errors(include_url=False, include_input=False)
        ):
            raise Invalid(
                "The body is not JSON: " + errors[0].message,
                code="invalid-json",
                errors=errors,
            ) from None
        names = ", ".join(error.field for error in errors)
        raise Invalid(
            f"Not acceptable: {names}. See errors.", code="validation-failed", errors=errors
        ) from None
