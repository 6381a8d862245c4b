"""The base of everything that is read from or written as JSON, and the field types that the product shares.

Keys are camelCase on the wire and snake_case in code. Unknown keys are refused, values are never coerced
(`"1"` is no number), and text that PostgreSQL cannot hold (a NUL character) is refused here, by name.
"""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, StringConstraints
from pydantic import ValidationError as PydanticError
from pydantic.alias_generators import to_camel

from chalicelib.errors import FieldError, Invalid

M = TypeVar("M", bound="Model")

RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)")
EARLIEST, LATEST = datetime(1900, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


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


def _no_nul(text: str) -> str:
    if "\x00" in text:
        raise ValueError("must not contain a NUL character")
    return text


def _rfc3339(value: Any) -> Any:
    if isinstance(value, str) and RFC3339.fullmatch(value):
        return datetime.fromisoformat(value.upper())  # an impossible date is a ValueError of its own
    if isinstance(value, datetime):
        return value
    raise ValueError("must be an RFC 3339 time such as 2030-01-31T09:00:00Z")


def _within_reach(moment: datetime) -> datetime:
    if not EARLIEST <= moment < LATEST:
        raise ValueError(f"must be from {EARLIEST.year} to {LATEST.year - 1}")
    return moment.astimezone(UTC)


def text(max_length: int, *, min_length: int = 1, pattern: str | None = None) -> StringConstraints:
    """Constrain a text to `min_length` to `max_length` characters, stripped, optionally of a `pattern`."""
    return StringConstraints(
        min_length=min_length, max_length=max_length, pattern=pattern, strip_whitespace=True, strict=True
    )


NO_NUL = AfterValidator(_no_nul)
"""Refuses a NUL character, which PostgreSQL cannot hold."""

Moment = Annotated[AwareDatetime, BeforeValidator(_rfc3339), AfterValidator(_within_reach)]
"""A point in time, with an offset on the wire, in UTC here."""


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
        if any(one["type"] == "json_invalid" for one in problem.errors(include_url=False, include_input=False)):
            raise Invalid("The body is not JSON: " + errors[0].message, code="invalid-json", errors=errors) from None
        names = ", ".join(error.field for error in errors)
        raise Invalid(f"Not acceptable: {names}. See errors.", code="validation-failed", errors=errors) from None
