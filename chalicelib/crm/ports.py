"""What the business needs of the outside: somewhere to keep things, in transactions that also hold events."""

from types import TracebackType
from typing import Protocol, TypeVar
from uuid import UUID

from chalicelib.crm.events import Event
from chalicelib.crm.model import Account, Contact, Entity, Job
from chalicelib.shared.paging import Query

E = TypeVar("E", bound=Entity)


class Repository(Protocol[E]):
    """The things of one kind, of one tenant."""

    def add(self, entity: E) -> None:
        """Insert `entity`.

        Raises:
            errors.Conflict: its email is taken.
            errors.Unprocessable: it refers to something that does not exist.
        """
        ...

    def get(self, entity_id: UUID, *, lock: bool = False) -> E | None:
        """Return the thing, or None; with `lock`, nobody else changes it before this transaction ends."""
        ...

    def save(self, entity: E) -> None:
        """Write the next version of a thing that this transaction has locked; raises as `add` does."""
        ...

    def remove(self, entity_id: UUID) -> None:
        """Delete a thing that this transaction has locked.

        Raises:
            errors.Conflict: others refer to it.
        """
        ...

    def find(self, query: Query) -> list[E]:
        """Return up to `query.limit + 1` things in order; the one too many tells that there is a next page."""
        ...

    def referring(self, field: str, entity_id: UUID, *, limit: int) -> list[E]:
        """Return and lock up to `limit` things whose `field` is `entity_id`, in order of id."""
        ...


class UnitOfWork(Protocol):
    """One transaction for one tenant: what is stored and what is told of it become true together."""

    @property
    def tenant_id(self) -> UUID:
        """Whose rows these are."""
        ...

    @property
    def accounts(self) -> Repository[Account]:
        """The tenant's accounts."""
        ...

    @property
    def contacts(self) -> Repository[Contact]:
        """The tenant's contacts."""
        ...

    @property
    def jobs(self) -> Repository[Job]:
        """The tenant's jobs."""
        ...

    def record(self, event: Event) -> None:
        """Keep `event` to be written to the outbox at commit."""
        ...

    def commit(self, result: Entity | None = None) -> None:
        """Make rows and events durable, all or none; `result` is what the transaction made, for who asked."""
        ...

    def __enter__(self) -> "UnitOfWork":
        """Begin."""
        ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Roll back what was not committed."""
        ...
