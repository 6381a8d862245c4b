"""What can be done with the business. Each is one transaction, and each change records its event."""

from typing import TypeVar
from uuid import UUID

from chalicelib.crm import events
from chalicelib.crm.commands import (
    ChangeAccount,
    ChangeContact,
    ChangeJob,
    CreateAccount,
    CreateContact,
    CreateJob,
    MoveJob,
    Patch,
)
from chalicelib.crm.model import Account, Contact, Job
from chalicelib.crm.ports import Repository, UnitOfWork
from chalicelib.shared.clock import Clock
from chalicelib.shared.errors import Conflict, NotFound, PreconditionFailed
from chalicelib.shared.ids import uuid7
from chalicelib.shared.paging import Query

E = TypeVar("E", Account, Contact, Job)

MAX_DETACHED = 1_000
"""Most things that one delete may detach, so that its transaction stays short."""


def create_account(command: CreateAccount, uow: UnitOfWork, clock: Clock) -> Account:
    """Open an account."""
    now = clock.now()
    account = Account(
        id=uuid7(),
        tenant_id=uow.tenant_id,
        version=1,
        created_at=now,
        updated_at=now,
        **command.values(),
    )
    return _add(uow, uow.accounts, account)


def create_contact(command: CreateContact, uow: UnitOfWork, clock: Clock) -> Contact:
    """Add a contact. Raises `Conflict` where the email is taken, `Unprocessable` where the account is unknown."""
    now = clock.now()
    contact = Contact(
        id=uuid7(),
        tenant_id=uow.tenant_id,
        version=1,
        created_at=now,
        updated_at=now,
        **command.values(),
    )
    return _add(uow, uow.contacts, contact)


def create_job(command: CreateJob, uow: UnitOfWork, clock: Clock) -> Job:
    """Add a job. Raises `Unprocessable` where the account or the contact is unknown."""
    now = clock.now()
    job = Job(
        id=uuid7(),
        tenant_id=uow.tenant_id,
        version=1,
        created_at=now,
        updated_at=now,
        **command.values(),
    )
    return _add(uow, uow.jobs, job)


def change_account(
    account_id: UUID,
    patch: ChangeAccount,
    expected: int | None,
    uow: UnitOfWork,
    clock: Clock,
) -> Account:
    """Change an account whose version is `expected` (None: any). Raises `NotFound`, `PreconditionFailed`."""
    return _change(uow, uow.accounts, account_id, patch, expected, clock)


def change_contact(
    contact_id: UUID,
    patch: ChangeContact,
    expected: int | None,
    uow: UnitOfWork,
    clock: Clock,
) -> Contact:
    """Change a contact; raises as `change_account` and `create_contact` do."""
    return _change(uow, uow.contacts, contact_id, patch, expected, clock)


def change_job(
    job_id: UUID, patch: ChangeJob, expected: int | None, uow: UnitOfWork, clock: Clock
) -> Job:
    """Change a job, its status apart; raises as `change_account` and `create_job` do."""
    return _change(uow, uow.jobs, job_id, patch, expected, clock)


def move_job(
    job_id: UUID,
    command: MoveJob,
    expected: int | None,
    moved_by: str,
    uow: UnitOfWork,
    clock: Clock,
) -> Job:
    """Move a job to another status. Raises `NotFound`, `PreconditionFailed`, `Conflict` for an illegal move."""
    with uow:
        before = _locked(uow.jobs, job_id, expected)
        after = before.moved(command.status, clock.now())
        uow.jobs.save(after)
        uow.record(events.status_changed(before, after, moved_by))
        uow.commit(after)
    return after


def delete_account(account_id: UUID, expected: int | None, uow: UnitOfWork, clock: Clock) -> None:
    """Delete an account and detach its contacts. Raises `Conflict` where it has jobs."""
    with uow:
        account = _locked(uow.accounts, account_id, expected)
        if uow.jobs.referring("account_id", account_id, limit=1):
            raise Conflict(
                "This account still has jobs. Delete them or move them to another account first.",
                code="account-has-jobs",
            )
        _detach(uow, uow.contacts, "account_id", account_id, clock)
        uow.accounts.remove(account_id)
        uow.record(events.deleted(account, clock.now()))
        uow.commit()


def delete_contact(contact_id: UUID, expected: int | None, uow: UnitOfWork, clock: Clock) -> None:
    """Delete a contact and detach the jobs that name it."""
    with uow:
        contact = _locked(uow.contacts, contact_id, expected)
        _detach(uow, uow.jobs, "contact_id", contact_id, clock)
        uow.contacts.remove(contact_id)
        uow.record(events.deleted(contact, clock.now()))
        uow.commit()


def delete_job(job_id: UUID, expected: int | None, uow: UnitOfWork, clock: Clock) -> None:
    """Delete a job."""
    with uow:
        job = _locked(uow.jobs, job_id, expected)
        uow.jobs.remove(job_id)
        uow.record(events.deleted(job, clock.now()))
        uow.commit()


def read(uow: UnitOfWork, things: Repository[E], entity_id: UUID) -> E:
    """Return one thing. Raises `NotFound` where there is none, or it is another tenant's."""
    with uow:
        entity = things.get(entity_id)
    if entity is None:
        raise _no_such(entity_id)
    return entity


def find(uow: UnitOfWork, things: Repository[E], query: Query) -> list[E]:
    """Return a page of things, and one more where another page follows."""
    with uow:
        return things.find(query)


def _add(uow: UnitOfWork, things: Repository[E], entity: E) -> E:
    with uow:
        things.add(entity)
        uow.record(events.created(entity))
        uow.commit(entity)
    return entity


def _change(
    uow: UnitOfWork,
    things: Repository[E],
    entity_id: UUID,
    patch: Patch,
    expected: int | None,
    clock: Clock,
) -> E:
    with uow:
        before = _locked(things, entity_id, expected)
        values = {
            name: value for name, value in patch.values().items() if getattr(before, name) != value
        }
        if not values:
            uow.commit(before)  # nothing but the answer, for whoever repeats the request
            return before
        after = before.changed(clock.now(), **values)
        things.save(after)
        uow.record(events.updated(before, after))
        uow.commit(after)
    return after


def _locked(things: Repository[E], entity_id: UUID, expected: int | None) -> E:
    entity = things.get(entity_id, lock=True)
    if entity is None:
        raise _no_such(entity_id)
    if expected is not None and expected != entity.version:
        raise PreconditionFailed(
            f"The current version is {entity.version}, not {expected}. "
            "Read it again and repeat the change.",
            headers={"ETag": f'"{entity.version}"'},
        )
    return entity


def _detach(
    uow: UnitOfWork, things: Repository[E], field: str, entity_id: UUID, clock: Clock
) -> None:
    """Clear `field` of everything that refers to `entity_id`: a change nobody is told of would be a lost event."""
    referring = things.referring(field, entity_id, limit=MAX_DETACHED + 1)
    if len(referring) > MAX_DETACHED:
        raise Conflict(
            f"More than {MAX_DETACHED} items refer to this one. Change or delete some of them first.",
            code="too-many-references",
        )
    for before in referring:
        after = before.changed(clock.now(), **{field: None})
        things.save(after)
        uow.record(events.updated(before, after))


def _no_such(entity_id: UUID) -> NotFound:
    return NotFound(f"{entity_id} was not found.")
