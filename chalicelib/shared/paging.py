"""Lists: what to look for, in which order, and where the last page ended.

Pages are keyset pages over `(created_at, id)`: a page costs the same however deep it is,
and rows that come or go elsewhere neither repeat nor hide others. A cursor is signed and
bound to the tenant, the kind and the whole query, so that one from elsewhere, or made by
hand, is refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID


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
