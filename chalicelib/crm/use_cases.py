"""What the business can do. Each is one transaction, and each change records its event."""

from typing import Any, TypeVar
from uuid import UUID

from chalicelib.crm import changes
from chalicelib.crm.commands import Command, MoveJob, Patch
from chalicelib.crm.entities import JOB, EntityType, references_to
from chalicelib.crm.events import JobStatusChanged
from chalicelib.crm.model import Entity, Job
from chalicelib.crm.ports import Repository, UnitOfWork
from chalicelib.shared.clock import Clock
from chalicelib.shared.errors import Conflict, NotFound
from chalicelib.shared.ids import uuid7
from chalicelib.shared.paging import Query
from chalicelib.shared.preconditions import Precondition, stale_version

E = TypeVar("E", bound=Entity)

MAX_DETACHED = 1_000
"""How many references one deletion may clear, so that its transaction stays short."""


def create(kind: EntityType[E], command: Command, uow: UnitOfWork, clock: Clock) -> E:
    """Create an entity of `kind`.

    Raises:
        errors.Conflict: a unique field has a value that another entity has.
        errors.Unprocessable: it refers to an entity that does not exist.
    """
    now = clock.now()
    entity = kind.model(
        id=uuid7(),
        tenant_id=uow.tenant_id,
        version=1,
        created_at=now,
        updated_at=now,
        **command.values(),
    )
    with uow:
        uow.repository(kind).add(entity)
        uow.record(changes.created(entity))
        uow.commit(entity)
    return entity


def read(kind: EntityType[E], entity_id: UUID, uow: UnitOfWork) -> E:
    """Return one entity.

    Raises:
        errors.NotFound: it does not exist, or belongs to another tenant.
    """
    with uow:
        entity = uow.repository(kind).get(entity_id)
    if entity is None:
        raise _not_found(kind, entity_id)
    return entity


def find(kind: EntityType[E], query: Query, uow: UnitOfWork) -> list[E]:
    """Return a page of entities, and one more if another page follows."""
    with uow:
        return uow.repository(kind).find(query)


def change(
    kind: EntityType[E],
    entity_id: UUID,
    patch: Patch,
    precondition: Precondition,
    uow: UnitOfWork,
    clock: Clock,
) -> E:
    """Change an entity whose version meets `precondition`.

    Raises:
        errors.NotFound: it does not exist.
        errors.PreconditionFailed: its version does not meet `precondition`.
        errors.Conflict: a unique field has a value that another entity has.
        errors.Unprocessable: it refers to an entity that does not exist.
    """
    with uow:
        repository = uow.repository(kind)
        before = _locked(kind, repository, entity_id, precondition)
        values = {
            name: value for name, value in patch.values().items() if getattr(before, name) != value
        }
        if not values:
            uow.commit(before)  # there is no change, but a repeated request needs the answer
            return before
        after = before.changed(clock.now(), **values)
        repository.save(after)
        uow.record(changes.updated(before, after))
        uow.commit(after)
    return after


def move_job(
    job_id: UUID,
    command: MoveJob,
    precondition: Precondition,
    moved_by: str,
    uow: UnitOfWork,
    clock: Clock,
) -> Job:
    """Move a job whose version meets `precondition` to another status.

    Raises:
        errors.NotFound: it does not exist.
        errors.PreconditionFailed: its version does not meet `precondition`.
        errors.Conflict: the move is illegal.
    """
    with uow:
        jobs = uow.repository(JOB)
        before = _locked(JOB, jobs, job_id, precondition)
        after = before.moved(command.status, clock.now())
        jobs.save(after)
        uow.record(JobStatusChanged.of(before, after, moved_by))
        uow.commit(after)
    return after


def delete(
    kind: EntityType[Any],
    entity_id: UUID,
    precondition: Precondition,
    uow: UnitOfWork,
    clock: Clock,
) -> None:
    """Delete an entity whose version meets `precondition`, and clear the optional references to it.

    Raises:
        errors.NotFound: it does not exist.
        errors.PreconditionFailed: its version does not meet `precondition`.
        errors.Conflict: an entity with a required reference to it exists, or too many
            references would have to be cleared.
    """
    with uow:
        repository = uow.repository(kind)
        entity = _locked(kind, repository, entity_id, precondition)
        references = list(references_to(kind))
        for other, field in references:
            if not other.is_optional(field):
                _refuse_if_referred_to(kind, entity_id, uow, other, field)
        for other, field in references:
            if other.is_optional(field):
                _detach(kind, entity_id, uow, other, field, clock)
        repository.remove(entity_id)
        uow.record(changes.deleted(entity, clock.now()))
        uow.commit()


def _locked(
    kind: EntityType[E], repository: Repository[E], entity_id: UUID, precondition: Precondition
) -> E:
    entity = repository.get(entity_id, lock=True)
    if entity is None:
        raise _not_found(kind, entity_id)
    if not precondition.allows(entity.version):
        raise stale_version(entity.version)
    return entity


def _refuse_if_referred_to(
    kind: EntityType[Any], entity_id: UUID, uow: UnitOfWork, other: EntityType[Any], field: str
) -> None:
    if uow.repository(other).referring(field, entity_id, limit=1):
        raise Conflict(
            f"This {kind.name} still has {other.collection}."
            f" Delete them or move them to another {kind.name} first.",
            code=f"{kind.name}-has-{other.collection}",
        )


def _detach(
    kind: EntityType[Any],
    entity_id: UUID,
    uow: UnitOfWork,
    other: EntityType[Any],
    field: str,
    clock: Clock,
) -> None:
    """Clear `field` of everything that refers to `entity_id`, with an event for each change."""
    repository = uow.repository(other)
    referring = repository.referring(field, entity_id, limit=MAX_DETACHED + 1)
    if len(referring) > MAX_DETACHED:
        raise Conflict(
            f"More than {MAX_DETACHED} {other.collection} refer to this {kind.name}."
            " Change or delete some of them first.",
            code="too-many-references",
        )
    for before in referring:
        after = before.changed(clock.now(), **{field: None})
        repository.save(after)
        uow.record(changes.updated(before, after))


def _not_found(kind: EntityType[Any], entity_id: UUID) -> NotFound:
    return NotFound(f"The {kind.name} {entity_id} was not found.")
