"""What the business needs from outside: repositories, in transactions that also hold events."""

from types import TracebackType
from typing import Protocol, TypeVar
from uuid import UUID

from chalicelib.crm.entities import EntityType
from chalicelib.crm.events import Event
from chalicelib.crm.model import Entity
from chalicelib.shared.paging import Query

E = TypeVar("E", bound=Entity)


class Repository(Protocol[E]):
    """The entities of one kind, of one tenant."""

    def add(self, entity: E) -> None:
        """Insert `entity`.

        Raises:
            errors.Conflict: a unique field has a value that another entity has.
            errors.Unprocessable: it refers to an entity that does not exist.
        """
        ...

    def get(self, entity_id: UUID, *, lock: bool = False) -> E | None:
        """Return the entity, or None.

        With `lock`, no other transaction can change it before this one ends.
        """
        ...

    def save(self, entity: E) -> None:
        """Write the next version of an entity that this transaction has locked.

        Raises:
            errors.Conflict: a unique field has a value that another entity has.
            errors.Unprocessable: it refers to an entity that does not exist.
        """
        ...

    def remove(self, entity_id: UUID) -> None:
        """Delete an entity that this transaction has locked.

        Raises:
            errors.Conflict: other entities refer to it.
        """
        ...

    def find(self, query: Query) -> list[E]:
        """Return up to `query.limit + 1` entities, in order.

        The one past the limit shows that another page follows.
        """
        ...

    def referring(self, field: str, entity_id: UUID, *, limit: int) -> list[E]:
        """Return and lock up to `limit` entities whose `field` is `entity_id`, in order of id."""
        ...


class UnitOfWork(Protocol):
    """One transaction for one tenant: changes and their events become durable together."""

    @property
    def tenant_id(self) -> UUID:
        """The tenant whose entities these are."""
        ...

    def repository(self, kind: EntityType[E]) -> Repository[E]:
        """Return the tenant's entities of `kind`."""
        ...

    def record(self, event: Event) -> None:
        """Keep `event`, to be written to the outbox at commit."""
        ...

    def commit(self, result: Entity | None = None) -> None:
        """Make changes and events durable, all or none.

        `result` is what the transaction returns; the recorded answer is made from it.
        """
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
