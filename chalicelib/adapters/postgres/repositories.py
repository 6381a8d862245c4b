"""The CRM's repositories on PostgreSQL.

Row level security binds them to the tenant, and each statement also names the tenant.
"""

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.exc import DBAPIError

from chalicelib.adapters.postgres.constraints import translate
from chalicelib.adapters.postgres.tables import TABLES
from chalicelib.crm.entities import EntityType, Filter
from chalicelib.crm.model import Entity
from chalicelib.shared.paging import Query

E = TypeVar("E", bound=Entity)

TENANT_PARAMETER = "of_tenant"
ID_PARAMETER = "of_id"


class PostgresRepository(Generic[E]):
    """The entities of one kind, of one tenant, within one transaction."""

    def __init__(
        self, connection: Callable[[], Connection], kind: EntityType[E], tenant_id: UUID
    ) -> None:
        """Work through what `connection` returns: the connection of the open transaction."""
        self._connection = connection
        self._kind = kind
        self._table = TABLES[kind.name]
        self._tenant_id = tenant_id
        self._columns = [self._table.c[name] for name in kind.model.model_fields]

    def add(self, entity: E) -> None:
        """Insert `entity`; raises `Conflict` and `Unprocessable`."""
        self._run(insert(self._table), self._row(entity))

    def get(self, entity_id: UUID, *, lock: bool = False) -> E | None:
        """Return the entity or None; with `lock`, hold it until the transaction ends."""
        entities = self._read(self._select().where(self._table.c.id == entity_id), lock=lock)
        return entities[0] if entities else None

    def save(self, entity: E) -> None:
        """Write the next version; raises `Conflict` and `Unprocessable`."""
        statement = update(self._table).where(
            self._table.c.tenant_id == bindparam(TENANT_PARAMETER),
            self._table.c.id == bindparam(ID_PARAMETER),
        )
        identity = {TENANT_PARAMETER: self._tenant_id, ID_PARAMETER: entity.id}
        self._run(statement, {**self._row(entity), **identity})

    def remove(self, entity_id: UUID) -> None:
        """Delete the entity; raises `Conflict` if others refer to it."""
        statement = delete(self._table).where(
            self._table.c.tenant_id == self._tenant_id, self._table.c.id == entity_id
        )
        self._run(statement)

    def find(self, query: Query) -> list[E]:
        """Return up to `query.limit + 1` entities, by keyset."""
        statement = self._select().where(*self._conditions(query)).limit(query.limit + 1)
        columns = (self._table.c.created_at, self._table.c.id)
        position = tuple_(*columns)
        if query.after:
            end = tuple_(query.after.created_at, query.after.id)
            statement = statement.where(position < end if query.descending else position > end)
        order = [column.desc() if query.descending else column.asc() for column in columns]
        return self._read(statement.order_by(*order))

    def referring(self, field: str, entity_id: UUID, *, limit: int) -> list[E]:
        """Return and lock up to `limit` entities whose `field` is `entity_id`."""
        statement = (
            self._select()
            .where(self._table.c[field] == entity_id)
            .order_by(self._table.c.id)
            .limit(limit)
        )
        return self._read(statement, lock=True)

    def _select(self) -> Select[Any]:
        return select(*self._columns).where(self._table.c.tenant_id == self._tenant_id)

    def _conditions(self, query: Query) -> list[ColumnElement[bool]]:
        filters = {filter_.field: filter_ for filter_ in self._kind.filters}
        conditions = [
            self._matches(filters[field], value) for field, value in query.filters.items()
        ]
        if query.search:
            matches = [
                self._table.c[name].icontains(query.search, autoescape=True)
                for name in self._kind.searched
            ]
            conditions.append(or_(*matches))
        return conditions

    def _matches(self, filter_: Filter, value: str) -> ColumnElement[bool]:
        column = self._table.c[filter_.field]
        if filter_.ignore_case:
            return func.lower(column) == func.lower(value)
        if self._kind.value_type(filter_.field) is UUID:
            return column == UUID(value)
        return column == value

    def _row(self, entity: E) -> dict[str, Any]:
        return {name: getattr(entity, name) for name in self._kind.model.model_fields}

    def _read(self, statement: Select[Any], *, lock: bool = False) -> list[E]:
        rows = self._run(statement.with_for_update() if lock else statement)
        return [self._kind.model(**row) for row in rows.mappings()]

    def _run(self, statement: Any, values: Mapping[str, Any] | None = None) -> Any:
        """Run a statement. Values passed beside it let SQLAlchemy reuse the compiled statement."""
        try:
            return self._connection().execute(statement, values)
        except DBAPIError as problem:
            raise translate(problem) from problem
