"""Queries of lists.

Pages are keyset pages over `(created_at, id)`: a page costs the same however deep it is,
and rows that are added or deleted meanwhile neither repeat nor hide others.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Position:
    """The last row of a page, in the order of the list."""

    created_at: datetime
    id: UUID


@dataclass(frozen=True, slots=True)
class Query:
    """What to list.

    Attributes:
        limit: how many rows a page has at most.
        descending: newest first.
        search: text that one of the searched fields contains, in upper or lower case.
        filters: the value of each filtered field, as text.
        after: where the last page ended.
    """

    limit: int = 50
    descending: bool = False
    search: str | None = None
    filters: Mapping[str, str] = field(default_factory=dict)
    after: Position | None = None
