"""Signed cursors: where the last page of a list ended.

A cursor is bound to the tenant, the kind of entity and the whole query, so that a cursor of
another list, or a forged one, is refused.
"""

import json
from datetime import datetime
from uuid import UUID

from chalicelib.security.signing import seal, unseal
from chalicelib.shared.errors import FieldError, Invalid
from chalicelib.shared.paging import Position, Query

MAX_CURSOR_LENGTH = 512


class Cursors:
    """Writes and reads cursors with shared secrets."""

    def __init__(self, *secrets: str) -> None:
        """Sign with the first of the `secrets`, and accept all of them.

        Functions that share a secret read each other's cursors.
        """
        self._secrets = secrets

    def write(self, position: Position, *, tenant_id: UUID, kind: str, query: Query) -> str:
        """Return the cursor that continues `query` after `position`."""
        body = json.dumps([position.created_at.isoformat(), position.id.hex]).encode()
        return seal(body, _purpose(tenant_id, kind, query), self._secrets)

    def read(self, cursor: str, *, tenant_id: UUID, kind: str, query: Query) -> Position:
        """Return where the last page of `query` ended.

        Raises:
            errors.Invalid: it is not a cursor of this tenant, kind and query.
        """
        purpose = _purpose(tenant_id, kind, query)
        try:
            body = unseal(cursor, purpose, self._secrets, max_length=MAX_CURSOR_LENGTH)
            created_at, hexadecimal_id = json.loads(body)
            return Position(datetime.fromisoformat(created_at), UUID(hexadecimal_id))
        except ValueError:
            raise _bad_cursor() from None


def _purpose(tenant_id: UUID, kind: str, query: Query) -> str:
    filters = sorted(query.filters.items())
    scope = [tenant_id.hex, kind, query.descending, query.search, filters]
    return "cursor " + json.dumps(scope)


def _bad_cursor() -> Invalid:
    reason = (
        "is not valid for this list. Start again without a cursor, and keep the other parameters"
    )
    return Invalid(f"cursor {reason}.", code="bad-cursor", errors=[FieldError("cursor", reason)])
