"""The base of every value that is read or written as JSON, and the field types they share.

Keys are camelCase on the wire and snake_case in code. Unknown keys are refused, values are
never coerced (`"1"` is not a number), and text is normalised or refused here, with the name of
the field.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
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

from chalicelib.shared import json_text
from chalicelib.shared.errors import FieldError, Invalid
from chalicelib.shared.text import (
    HIDDEN_CLASS,
    LAYOUT,
    WHITE_SPACE_CLASS,
    invisible,
    name_of,
    normalise,
)
from chalicelib.shared.validation import BODY, MESSAGES, describe, field_errors, summary
from chalicelib.shared.wire_names import names_in_code

M = TypeVar("M", bound="Model")

RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
NO_NUL = r"^[^\u0000]*$"
NO_NUL_NOR_BLANK = rf"^[^\u0000]*[^\u0000{WHITE_SPACE_CLASS}][^\u0000]*$"
SPACES = f"[{WHITE_SPACE_CLASS}]*"
LINE_CHARACTERS = frozenset(name_of(character) for character in LAYOUT)
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


def _rfc3339(value: Any) -> Any:
    if isinstance(value, datetime):
        return value
    if isinstance(value, str) and RFC3339.fullmatch(value):
        with suppress(ValueError):  # a date or an offset that does not exist
            return datetime.fromisoformat(value.upper())
    raise ValueError("must be an RFC 3339 time such as 2030-01-31T09:00:00Z")


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _within_years(moment: datetime) -> datetime:
    if not EARLIEST <= moment < LATEST:
        raise ValueError("must be from 1900 to 2199")
    return moment.astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Text(GroupedMetadata):
    """Marks a text that people type: it is normalised, and has only characters that can be seen.

    White space at its ends is removed, and Unicode's composed form (NFC) is kept. The JSON Schema
    states the same, except for what no pattern can say: invisible characters beyond U+FFFF,
    joiners and variation selectors that are out of place, and the length after normalising.

    Attributes:
        max_length: in characters, white space included, as sent and after normalising.
        blank: the text may be empty.
        multiline: tabs and line breaks are allowed.
        identifier: it is compared as a whole, so that not even joiners are allowed.
        exact: it comes from a machine, and is kept as it is; only NUL is refused.
        pattern: what the text must look like, for Python and JSON Schema alike.
        reason: the error message where the text does not match the pattern.
    """

    max_length: int
    blank: bool = False
    multiline: bool = False
    identifier: bool = False
    exact: bool = False
    pattern: str | None = None
    reason: str = "does not have the expected format"

    def __iter__(self) -> Iterator[Any]:
        """Yield the validators, in order, and the JSON Schema that states the same."""
        yield StringConstraints(max_length=self.max_length, strict=True)
        yield AfterValidator(partial(_typed, rules=self))
        minimum = {} if self.blank else {"minLength": 1}
        pattern = self.pattern or self._visible_pattern()
        yield WithJsonSchema(
            {"type": "string", **minimum, "maxLength": self.max_length, "pattern": pattern}
        )

    def _visible_pattern(self) -> str:
        if self.exact:
            return NO_NUL
        layout = "" if self.multiline else r"\t\n\r"
        allowed = f"[^{HIDDEN_CLASS}{layout}]"
        visible = f"[^{HIDDEN_CLASS}{WHITE_SPACE_CLASS}]"
        text = f"{visible}({allowed}*{visible})?{SPACES}"
        return f"^{SPACES}({text})?$" if self.blank else f"^{SPACES}{text}$"


def _typed(text: str, *, rules: Text) -> str:
    """Return `text`, normalised, if it keeps the `rules`; raise ValueError otherwise."""
    if "\x00" in text:
        raise ValueError("must not contain a NUL character")
    if rules.exact:
        return text
    typed = normalise(text)
    if not typed and not rules.blank:
        raise ValueError("must not be empty")
    hidden = invisible(typed, multiline=rules.multiline, identifier=rules.identifier)
    if hidden in LINE_CHARACTERS:
        raise ValueError("must be one line, without tabs")
    if hidden:
        raise ValueError(f"must not contain the invisible character {hidden}")
    if len(typed) > rules.max_length:
        raise ValueError(f"must have at most {rules.max_length} characters in the form NFC")
    if rules.pattern and not all(re.fullmatch(rules.pattern, form) for form in (text, typed)):
        raise ValueError(rules.reason)
    return typed


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
    value = read(body)
    undeclared = [
        FieldError(".".join(path), MESSAGES["extra_forbidden"])
        for path in names_in_code(model, value)
    ]
    if undeclared:
        detail = summary("field", undeclared, len(undeclared))
        raise Invalid(detail, code="validation-failed", errors=undeclared)
    try:
        return model.model_validate_json(body, strict=True, by_alias=True, by_name=False)
    except PydanticError as problem:
        raise _invalid(problem) from None


def read(body: bytes) -> Any:
    """Return the JSON value that `body` holds, as `json_text` reads it.

    Raises:
        errors.Invalid: the body is not JSON.
    """
    try:
        return json_text.load(body)
    except json_text.BadJson as problem:
        message = str(problem)
        errors = [FieldError(BODY, message)]
        raise Invalid(f"The body {message}.", code="invalid-json", errors=errors) from None


def _invalid(problem: PydanticError) -> Invalid:
    errors = field_errors(problem)
    if any(error["type"] == "json_invalid" for error in describe(problem)):
        detail = f"The body {errors[0].message}."
        return Invalid(detail, code="invalid-json", errors=errors)
    if errors[0].field == BODY:
        detail = "The body is not valid. See errors."
    else:
        detail = summary("field", errors, problem.error_count())
    return Invalid(detail, code="validation-failed", errors=errors)
