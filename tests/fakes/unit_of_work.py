"""The CRM's unit of work, in memory."""

from collections import defaultdict
from copy import deepcopy
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Generic, TypeVar
from uuid import UUID

from chalicelib.crm.entities import ENTITIES, EntityType, Filter, references_to
from chalicelib.crm.events import Event
from chalicelib.crm.model import Entity
from chalicelib.shared.errors import Conflict, FieldError, Unprocessable
from chalicelib.shared.paging import Query

E = TypeVar("E", bound=Entity)

BY_NAME = {kind.name: kind for kind in ENTITIES}


def fold(text: str) -> str:
    """Return `text` in lower case as PostgreSQL's `lower()` does: one character for each.

    Python makes two of `İ`, and gives a sigma at the end of a word another form.
    """
    return "".join(character.lower()[0] for character in text)


@dataclass
class Memory:
    """What units of work share: entities by kind and id, and the committed events."""

    rows: dict[str, dict[UUID, Any]] = field(default_factory=lambda: defaultdict(dict))
    events: list[Event] = field(default_factory=list)


class FakeRepository(Generic[E]):
    """A repository of whatever transaction of `uow` is open when it is used."""

    def __init__(self, uow: "FakeUnitOfWork", kind: EntityType[E]) -> None:
        self._uow = uow
        self._kind = kind

    def add(self, entity: E) -> None:
        self._check_references(entity)
        self._check_unique(entity)
        self._uow.rows[self._kind.name][entity.id] = entity

    def get(self, entity_id: UUID, *, lock: bool = False) -> E | None:
        return self._own(self._kind).get(entity_id)

    def save(self, entity: E) -> None:
        self.add(entity)

    def remove(self, entity_id: UUID) -> None:
        for other, name in references_to(self._kind):
            rows = self._uow.rows[other.name].values()
            if any(getattr(row, name) == entity_id for row in rows):
                raise Conflict("still referenced", code="still-referenced")
        del self._uow.rows[self._kind.name][entity_id]

    def find(self, query: Query) -> list[E]:
        by_field = {filter_.field: filter_ for filter_ in self._kind.filters}
        filters = [(by_field[field], value) for field, value in query.filters.items()]
        rows = [
            row
            for row in self._own(self._kind).values()
            if _passes(row, filters) and self._holds(row, query.search)
        ]
        rows.sort(key=lambda row: (row.created_at, row.id), reverse=query.descending)
        if query.after:
            end = (query.after.created_at, query.after.id)
            rows = [row for row in rows if _is_past(row, end, descending=query.descending)]
        return rows[: query.limit + 1]

    def referring(self, field: str, entity_id: UUID, *, limit: int) -> list[E]:
        rows = [row for row in self._own(self._kind).values() if getattr(row, field) == entity_id]
        return sorted(rows, key=lambda row: row.id)[:limit]

    def _own(self, kind: EntityType[Any]) -> dict[UUID, Any]:
        """Return the tenant's entities of `kind` by their ids."""
        return {
            entity_id: row
            for entity_id, row in self._uow.rows[kind.name].items()
            if row.tenant_id == self._uow.tenant_id
        }

    def _holds(self, row: E, search: str | None) -> bool:
        if search is None:
            return True
        texts = [getattr(row, name) or "" for name in self._kind.searched]
        return any(fold(search) in fold(text) for text in texts)

    def _check_references(self, entity: E) -> None:
        for name, target in self._kind.references.items():
            value = getattr(entity, name)
            if value is not None and value not in self._own(BY_NAME[target]):
                error = FieldError(
                    self._kind.wire_name(name), f"is not the id of an existing {target}"
                )
                raise Unprocessable("unknown", code="unknown-reference", errors=[error])

    def _check_unique(self, entity: E) -> None:
        others = [row for row in self._own(self._kind).values() if row.id != entity.id]
        for name in self._kind.unique:
            value = getattr(entity, name)
            taken = {fold(getattr(row, name)) for row in others if getattr(row, name)}
            if value and fold(value) in taken:
                error = FieldError(
                    self._kind.wire_name(name), f"is already used by another {self._kind.name}"
                )
                raise Conflict("taken", code="already-taken", errors=[error])


class FakeUnitOfWork:
    """A transaction over `Memory`; what is not committed is lost."""

    def __init__(self, memory: Memory, tenant_id: UUID) -> None:
        self._memory = memory
        self._tenant_id = tenant_id
        self._recorded: list[Event] = []
        self.rows = memory.rows

    @property
    def tenant_id(self) -> UUID:
        return self._tenant_id

    def repository(self, kind: EntityType[E]) -> FakeRepository[E]:
        return FakeRepository(self, kind)

    def record(self, event: Event) -> None:
        self._recorded.append(event)

    def commit(self, result: Entity | None = None) -> None:
        self._memory.rows = self.rows
        self._memory.events += self._recorded
        self._recorded = []

    def __enter__(self) -> "FakeUnitOfWork":
        self.rows = deepcopy(self._memory.rows)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._recorded = []


def _is_past(row: Entity, end: tuple[Any, UUID], *, descending: bool) -> bool:
    position = (row.created_at, row.id)
    return position < end if descending else position > end


def _passes(row: Entity, filters: list[tuple[Filter, str]]) -> bool:
    for filter_, value in filters:
        stored = str(getattr(row, filter_.field) or "")
        equal = stored == value
        if filter_.ignore_case:
            equal = fold(stored) == fold(value)
        if not equal:
            return False
    return True
