"""Lists: what to look for, in which order, and where the last page ended.

Pages are keyset pages over `(created_at, id)`: a page costs the same however deep it is, and rows that
come or go elsewhere neither repeat nor hide others. A cursor is signed and bound to the tenant, the kind
and the whole query, so that one from elsewhere, or made by hand, is refused.
"""

import hashlib
import hmac
import json
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from chalicelib.errors import FieldError, Invalid

MAX_CURSOR_LENGTH = 512


@dataclass(frozen=True, slots=True)
class Position:
    """The last row of a page."""

    created_at: datetime
    id: UUID


@dataclass(frozen=True, slots=True)
class Query:
    """What to list: at most `limit` rows that match every filter and hold `search` somewhere."""

    limit: int = 50
    descending: bool = False
    search: str | None = None
    filters: Mapping[str, str] = field(default_factory=dict)
    after: Position | None = None


class Cursors:
    """Writes and reads cursors with one `secret`."""

    def __init__(self, secret: str) -> None:
        """Sign with `secret`; functions that share it read each other's cursors."""
        self._secret = secret.encode()

    def write(self, position: Position, *, tenant_id: UUID, kind: str, query: Query) -> str:
        """Return the cursor that continues `query` after `position`."""
        place = json.dumps([position.created_at.isoformat(), position.id.hex]).encode()
        return urlsafe_b64encode(self._signature(place, tenant_id, kind, query) + place).decode().rstrip("=")

    def read(self, cursor: str, *, tenant_id: UUID, kind: str, query: Query) -> Position:
        """Return where `cursor` says the last page of `query` ended.

        Raises:
            errors.Invalid: not a cursor of this tenant, kind and query.
        """
        try:
            if len(cursor) > MAX_CURSOR_LENGTH:
                raise ValueError
            raw = b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
            signature, place = raw[:16], raw[16:]
            if not hmac.compare_digest(signature, self._signature(place, tenant_id, kind, query)):
                raise ValueError
            created_at, hexadecimal = json.loads(place)
            return Position(datetime.fromisoformat(created_at), UUID(hexadecimal))
        except ValueError:
            reason = "not a cursor of this list: start again without one, and keep the other parameters as they were"
            raise Invalid(f"cursor is {reason}.", code="bad-cursor", errors=[FieldError("cursor", reason)]) from None

    def _signature(self, place: bytes, tenant_id: UUID, kind: str, query: Query) -> bytes:
        scope = json.dumps([tenant_id.hex, kind, query.descending, query.search, sorted(query.filters.items())])
        return hmac.new(self._secret, scope.encode() + b"\n" + place, hashlib.sha256).digest()[:16]
