"""Errors about query parameters."""

from collections.abc import Collection, Mapping, Sequence

from chalicelib.shared.errors import FieldError, Invalid


def unknown_parameters(query: Mapping[str, str], known: Collection[str]) -> list[FieldError]:
    """Return an error for each parameter of `query` that an endpoint does not have."""
    return [FieldError(name, "is not a known parameter") for name in query if name not in known]


def invalid_parameters(errors: Sequence[FieldError]) -> Invalid:
    """Return the problem that names every invalid parameter."""
    names = ", ".join(error.field for error in errors)
    subject = f"parameter {names} is" if len(errors) == 1 else f"parameters {names} are"
    return Invalid(f"The {subject} not valid. See errors.", code="bad-parameter", errors=errors)
