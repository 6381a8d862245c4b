"""Errors about query parameters."""

from collections.abc import Collection, Mapping, Sequence

from chalicelib.shared.errors import FieldError, Invalid
from chalicelib.shared.validation import MAX_ERRORS, shown, summary


def unknown_parameters(query: Mapping[str, str], known: Collection[str]) -> list[FieldError]:
    """Return an error for each parameter of `query` that an endpoint does not have."""
    return [
        FieldError(shown(name), "is not a known parameter") for name in query if name not in known
    ]


def invalid_parameters(errors: Sequence[FieldError]) -> Invalid:
    """Return the problem that names the invalid parameters."""
    listed = errors[:MAX_ERRORS]
    detail = summary("parameter", listed, len(errors))
    return Invalid(detail, code="bad-parameter", errors=listed)
