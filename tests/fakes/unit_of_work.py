"""One fake for each port. They pass the same contract suites as the real adapters."""

from collections import defaultdict
from copy import deepcopy
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, ClassVar, Generic, TypeVar
from uuid import UUID

from chalicelib.crm.events import Event
from chalicelib.crm.model import Account, Contact, Entity, Job
from chalicelib.shared.errors import Conflict, FieldError, Unprocessable
from chalicelib.shared.paging import Query

E = TypeVar("E", bound=Entity)


@dataclass
class Memory:
    """What in-memory units of work share: rows by kind and id, and the events that were committed."""

    rows: dict[type[Entity], dict[UUID, Any]] = field(default_factory=lambda: defaultdict(dict))
    events: list[Event] = field(default_factory=list)


class FakeRepository(Generic[E]):
    searched: ClassVar = {
        Account: ("name", "industry", "website"),
        Contact: ("name", "email", "title"),
        Job: ("title", "description"),
    }

    def __init__(self, memory: Memory, kind: type[E], tenant_id: UUID) -> None:
        self._memory = memory
        self._kind = kind
        self._tenant_id = tenant_id

    @property
    def _rows(self) -> dict[UUID, E]:
        return {
            i: row
            for i, row in self._memory.rows[self._kind].items()
            if row.tenant_id == self._tenant_id
        }

    def add(self, entity: E) -> None:
        self._check(entity)
        self._memory.rows[self._kind][entity.id] = entity

    def get(self, entity_id: UUID, *, lock: bool = False) -> E | None:
        return self._rows.get(entity_id)

    def save(self, entity: E) -> None:
        self._check(entity)
        self._memory.rows[self._kind][entity.id] = entity

    def remove(self, entity_id: UUID) -> None:
        for kind, name in (
            (Contact, "account_id"),
            (Job, "account_id"),
            (Job, "contact_id"),
        ):
            refers = self._kind is (Account if name == "account_id" else Contact)
            if refers and any(
                getattr(row, name) == entity_id for row in self._memory.rows[kind].values()
            ):
                raise Conflict("referred to", code="still-referenced")
        del self._memory.rows[self._kind][entity_id]

    def find(self, query: Query) -> list[E]:
        def wanted(row: E) -> bool:
            for name, value in query.filters.items():
                found = str(getattr(row, name) or "")
                if (found.lower() != value.lower()) if name == "email" else (found != value):
                    return False
            texts = [getattr(row, name) or "" for name in self.searched[self._kind]]
            return query.search is None or any(
                query.search.lower() in text.lower() for text in texts
            )

        rows = sorted(filter(wanted, self._rows.values()), key=lambda row: (row.created_at, row.id))
        if query.descending:
            rows.reverse()
        if query.after:
            end = (query.after.created_at, query.after.id)
            rows = [
                r
                for r in rows
                if ((r.created_at, r.id) < end if query.descending else (r.created_at, r.id) > end)
            ]
        return rows[: query.limit + 1]

    def referring(self, field: str, entity_id: UUID, *, limit: int) -> list[E]:
        rows = [row for row in self._rows.values() if getattr(row, field) == entity_id]
        return sorted(rows, key=lambda row: row.id)[:limit]

    def _check(self, entity: E) -> None:
        known = {
            kind: {i for i, r in rows.items() if r.tenant_id == self._tenant_id}
            for kind, rows in self._memory.rows.items()
        }
        for name, kind, wire in (
            ("account_id", Account, "accountId"),
            ("contact_id", Contact, "contactId"),
        ):
            value = getattr(entity, name, None)
            if value is not None and value not in known.get(kind, ()):
                raise Unprocessable(
                    "unknown",
                    code="unknown-reference",
                    errors=[FieldError(wire, "names nothing")],
                )
        email = getattr(entity, "email", None)
        others = [getattr(row, "email", None) for row in self._rows.values() if row.id != entity.id]
        if email and email.lower() in [other.lower() for other in others if other]:
            raise Conflict(
                "taken",
                code="already-taken",
                errors=[FieldError("email", "is already used by another contact")],
            )


class FakeUnitOfWork:
    """A transaction over `Memory`: what is not committed is gone."""

    def __init__(self, memory: Memory, tenant_id: UUID) -> None:
        self._memory = memory
        self._tenant_id = tenant_id
        self._work = memory
        self._recorded: list[Event] = []

    @property
    def tenant_id(self) -> UUID:
        return self._tenant_id

    @property
    def accounts(self) -> Any:
        return _Late(self, Account)

    @property
    def contacts(self) -> Any:
        return _Late(self, Contact)

    @property
    def jobs(self) -> Any:
        return _Late(self, Job)

    def record(self, event: Event) -> None:
        self._recorded.append(event)

    def commit(self, result: Entity | None = None) -> None:
        self._memory.rows = self._work.rows
        self._memory.events += self._recorded
        self._recorded = []

    def __enter__(self) -> "FakeUnitOfWork":
        self._work = Memory(rows=deepcopy(self._memory.rows))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._recorded = []


class _Late:
    """A repository of whatever transaction is open when it is used."""

    def __init__(self, uow: FakeUnitOfWork, kind: type[Any]) -> None:
        self._uow = uow
        self._kind = kind

    def __getattr__(self, name: str) -> Any:
        return getattr(FakeRepository(self._uow._work, self._kind, self._uow.tenant_id), name)
