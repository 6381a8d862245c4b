"""The CRM's repositories on PostgreSQL. Row level security binds them to the tenant, and each statement says so too."""

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar
from uuid import UUID

import pg8000.dbapi
from sqlalchemy import (
    Connection,
    Select,
    Table,
    and_,
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

from chalicelib.adapters.postgres.driver import (
    constraint,
    is_temporary,
    sqlstate,
    unavailable,
)
from chalicelib.crm.model import Account, Contact, Entity, Job
from chalicelib.shared.errors import AetherLinkError, Conflict, FieldError, Unprocessable
from chalicelib.shared.paging import Query

E = TypeVar("E", bound=Entity)

SEARCHED: dict[type[Entity], tuple[str, ...]] = {
    Account: ("name", "industry", "website"),
    Contact: ("name", "email", "title"),
    Job: ("title", "description"),
}
"""The columns that a search looks into."""

OF_TENANT = "of_tenant"
OF_ID = "of_id"
TAKEN = {"contact_email_key": FieldError("email", "is already used by another contact")}
REFERS = {
    "contact_account_fkey": FieldError("accountId", "is not the id of an account"),
    "job_account_fkey": FieldError("accountId", "is not the id of an account"),
    "job_contact_fkey": FieldError("contactId", "is not the id of a contact"),
}


class PostgresRepository(Generic[E]):
    """The things of one kind, of one tenant, within one transaction."""

    def __init__(
        self,
        connection: Callable[[], Connection],
        kind: type[E],
        table: Table,
        tenant_id: UUID,
    ) -> None:
        """Work on `table` through what `connection` returns: the one of the open transaction."""
        self._connection = connection
        self._kind = kind
        self._table = table
        self._tenant_id = tenant_id
        self._columns = [table.c[name] for name in kind.model_fields]

    def add(self, entity: E) -> None:
        """Insert `entity`; raises `Conflict` and `Unprocessable`."""
        self._run(insert(self._table), self._row(entity))

    def get(self, entity_id: UUID, *, lock: bool = False) -> E | None:
        """Return the thing or None; with `lock`, hold it until the transaction ends."""
        found = self._read(self._select().where(self._table.c.id == entity_id), lock=lock)
        return found[0] if found else None

    def save(self, entity: E) -> None:
        """Write the next version."""
        named = {OF_TENANT: self._tenant_id, OF_ID: entity.id}
        at = (
            self._table.c.tenant_id == bindparam(OF_TENANT),
            self._table.c.id == bindparam(OF_ID),
        )
        self._run(update(self._table).where(*at), {**self._row(entity), **named})

    def remove(self, entity_id: UUID) -> None:
        """Delete the thing; raises `Conflict` where others refer to it."""
        self._run(delete(self._table).where(*self._is(entity_id)))

    def find(self, query: Query) -> list[E]:
        """Return up to `query.limit + 1` things, by keyset."""
        place = tuple_(self._table.c.created_at, self._table.c.id)
        statement = self._select().where(*self._matching(query)).limit(query.limit + 1)
        if query.after:
            end = tuple_(query.after.created_at, query.after.id)
            statement = statement.where(place < end if query.descending else place > end)
        columns = (self._table.c.created_at, self._table.c.id)
        statement = statement.order_by(
            *(column.desc() if query.descending else column for column in columns)
        )
        return self._read(statement)

    def referring(self, field: str, entity_id: UUID, *, limit: int) -> list[E]:
        """Return and lock up to `limit` things whose `field` is `entity_id`."""
        statement = (
            self._select()
            .where(self._table.c[field] == entity_id)
            .order_by(self._table.c.id)
            .limit(limit)
        )
        return self._read(statement, lock=True)

    def _select(self) -> Select[Any]:
        return select(*self._columns).where(self._table.c.tenant_id == self._tenant_id)

    def _is(self, entity_id: UUID) -> tuple[Any, Any]:
        return self._table.c.tenant_id == self._tenant_id, self._table.c.id == entity_id

    def _matching(self, query: Query) -> list[Any]:
        conditions: list[Any] = []
        for name, value in query.filters.items():
            column = self._table.c[name]
            if name == "email":
                conditions.append(func.lower(column) == value.lower())
            else:
                conditions.append(column == (UUID(value) if name.endswith("_id") else value))
        if query.search:
            wanted = [
                self._table.c[name].icontains(query.search, autoescape=True)
                for name in SEARCHED[self._kind]
            ]
            conditions.append(or_(*wanted))
        return [and_(*conditions)] if conditions else []

    def _row(self, entity: E) -> dict[str, Any]:
        return {name: getattr(entity, name) for name in self._kind.model_fields}

    def _read(self, statement: Select[Any], *, lock: bool = False) -> list[E]:
        rows = self._run(statement.with_for_update() if lock else statement)
        return [self._kind(**row) for row in rows.mappings()]

    def _run(self, statement: Any, values: Mapping[str, Any] | None = None) -> Any:
        """Run a statement; `values` apart from it leave SQLAlchemy less to make each time."""
        try:
            return self._connection().execute(statement, values)
        except DBAPIError as problem:
            raise translated(problem) from problem


def translated(problem: DBAPIError) -> AetherLinkError | DBAPIError:
    """Return what the caller should be told of a database error, or the error itself where it is our own fault."""
    cause = problem.orig
    if cause is None or is_temporary(cause):
        return unavailable(cause or problem)
    name = constraint(cause)
    if name in TAKEN:
        return Conflict(
            f"{TAKEN[name].field} {TAKEN[name].message}.",
            code="already-taken",
            errors=[TAKEN[name]],
        )
    if (
        name in REFERS
        and isinstance(cause, pg8000.dbapi.DatabaseError)
        and sqlstate(cause) == "23503"
    ):
        if "still referenced" in str(cause):
            return Conflict(
                "Other items still refer to this one. Delete or change them first.",
                code="still-referenced",
            )
        field = REFERS[name]
        return Unprocessable(
            f"{field.field} {field.message}.", code="unknown-reference", errors=[field]
        )
    return problem
