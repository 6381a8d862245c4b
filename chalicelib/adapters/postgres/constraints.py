"""What a violated constraint of a CRM table means to the caller."""

from collections.abc import Mapping

import pg8000.dbapi
from sqlalchemy.exc import DBAPIError

from chalicelib.adapters.postgres.driver import (
    constraint,
    is_temporary,
    sqlstate,
    unavailable,
)
from chalicelib.crm.entities import ENTITIES
from chalicelib.shared.errors import AetherLinkError, Conflict, FieldError, Unprocessable

FOREIGN_KEY_VIOLATION = "23503"

UNIQUE: Mapping[str, FieldError] = {
    f"{kind.name}_{field}_key": FieldError(
        kind.wire_name(field), f"is already used by another {kind.name}"
    )
    for kind in ENTITIES
    for field in kind.unique
}
REFERENCES: Mapping[str, FieldError] = {
    f"{kind.name}_{target}_fkey": FieldError(
        kind.wire_name(field), f"is not the id of an existing {target}"
    )
    for kind in ENTITIES
    for field, target in kind.references.items()
}
"""The errors by the names of the constraints, as the migrations name them."""


def translate(problem: DBAPIError) -> AetherLinkError | DBAPIError:
    """Return the caller's error for a database error, or `problem` itself if it is our fault."""
    cause = problem.orig
    if cause is None or is_temporary(cause):
        return unavailable(cause or problem)
    name = constraint(cause)
    if name in UNIQUE:
        error = UNIQUE[name]
        return Conflict(_detail(error), code="already-taken", errors=[error])
    if (
        name in REFERENCES
        and isinstance(cause, pg8000.dbapi.DatabaseError)
        and sqlstate(cause) == FOREIGN_KEY_VIOLATION
    ):
        if "still referenced" in str(cause):
            return Conflict(
                "Other items still refer to this one. Delete or change them first.",
                code="still-referenced",
            )
        error = REFERENCES[name]
        return Unprocessable(_detail(error), code="unknown-reference", errors=[error])
    return problem


def _detail(error: FieldError) -> str:
    return f"{error.field} {error.message}."
