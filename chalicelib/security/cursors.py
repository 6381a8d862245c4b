"""Lists: what to look for, in which order, and where the last page ended.

Pages are keyset pages over `(created_at, id)`: a page costs the same however deep it is,
and rows that come or go elsewhere neither repeat nor hide others. A cursor is signed and
bound to the tenant, the kind and the whole query, so that one from elsewhere, or made by
hand, is refused.
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
        """Sign with the first of the `secrets`, read all; functions that share one read each other's cursors."""
        self._secrets = secrets

    def write(self, position: Position, *, tenant_id: UUID, kind: str, query: Query) -> str:
        """Return the cursor that continues `query` after `position`."""
        place = json.dumps([position.created_at.isoformat(), position.id.hex]).encode()
        return seal(place, _purpose(tenant_id, kind, query), self._secrets)

    def read(self, cursor: str, *, tenant_id: UUID, kind: str, query: Query) -> Position:
        """Return where `cursor` says the last page of `query` ended.

        Raises:
            errors.Invalid: not a cursor of this tenant, kind and query.
        """
        try:
            place = unseal(
                cursor,
                _purpose(tenant_id, kind, query),
                self._secrets,
                longest=MAX_CURSOR_LENGTH,
            )
            created_at, hexadecimal = json.loads(place)
            return Position(datetime.fromisoformat(created_at), UUID(hexadecimal))
        except ValueError:
            reason = "is not valid for this list. Start again without a cursor, and keep the other parameters"
            raise Invalid(
                f"cursor {reason}.",
                code="bad-cursor",
                errors=[FieldError("cursor", reason)],
            ) from None


def _purpose(tenant_id: UUID, kind: str, query: Query) -> str:
    scope = [
        tenant_id.hex,
        kind,
        query.descending,
        query.search,
        sorted(query.filters.items()),
    ]
    return "cursor " + json.dumps(scope)
