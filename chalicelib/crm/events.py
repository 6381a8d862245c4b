"""What happened, in the past tense. Every change of the business is told by exactly one of these.

An event's JSON form is the value of its Kafka record: the fields that every event has, the
id of the aggregate, and the aggregate's state after the change.
"""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from pydantic import Field

from chalicelib.crm.model import Account, Contact, Job, JobStatus
from chalicelib.shared.ids import uuid7
from chalicelib.shared.schema import Model


class Event(Model):
    """What every event has. `version` is the aggregate's version that the change made."""

    aggregate: ClassVar[str]
    schema_version: ClassVar[int] = 1

    event_id: UUID = Field(default_factory=uuid7)
    tenant_id: UUID
    occurred_at: datetime
    version: int

    @property
    def type(self) -> str:
        """Return the event's type, e.g. `JobCreated`."""
        return type(self).__name__

    @property
    def stream_key(self) -> str:
        """Return the stream whose order the event belongs to, e.g. `job:0197...`."""
        return f"{self.aggregate}:{getattr(self, self.aggregate + '_id')}"


class _AccountEvent(Event):
    aggregate = "account"
    account_id: UUID


class _AccountState(_AccountEvent):
    name: str
    industry: str | None
    website: str | None
    phone: str | None


class AccountCreated(_AccountState):
    """An account was opened."""


class AccountUpdated(_AccountState):
    """An account was changed; `changed` names the fields, as on the wire."""

    changed: list[str]


class AccountDeleted(_AccountEvent):
    """An account was deleted."""


class _ContactEvent(Event):
    aggregate = "contact"
    contact_id: UUID


class _ContactState(_ContactEvent):
    account_id: UUID | None
    name: str
    email: str | None
    phone: str | None
    title: str | None


class ContactCreated(_ContactState):
    """A contact was added."""


class ContactUpdated(_ContactState):
    """A contact was changed; `changed` names the fields, as on the wire."""

    changed: list[str]


class ContactDeleted(_ContactEvent):
    """A contact was deleted."""


class _JobEvent(Event):
    aggregate = "job"
    job_id: UUID


class _JobState(_JobEvent):
    account_id: UUID
    contact_id: UUID | None
    title: str
    description: str | None
    status: JobStatus
    scheduled_for: datetime | None
    amount_cents: int | None
    currency: str


class JobCreated(_JobState):
    """A job was added."""


class JobUpdated(_JobState):
    """A job was changed, its status apart; `changed` names the fields, as on the wire."""

    changed: list[str]


class JobStatusChanged(_JobEvent):
    """A job moved from one status to another; `changedBy` is the subject of who moved it."""

    old_status: JobStatus
    new_status: JobStatus
    changed_by: str


class JobDeleted(_JobEvent):
    """A job was deleted."""


TYPES: tuple[type[Event], ...] = (
    AccountCreated,
    AccountUpdated,
    AccountDeleted,
    ContactCreated,
    ContactUpdated,
    ContactDeleted,
    JobCreated,
    JobUpdated,
    JobStatusChanged,
    JobDeleted,
)
"""Every event of the CRM."""

CREATED: dict[type[Account | Contact | Job], type[Event]] = {
    Account: AccountCreated,
    Contact: ContactCreated,
    Job: JobCreated,
}
UPDATED: dict[type[Account | Contact | Job], type[Event]] = {
    Account: AccountUpdated,
    Contact: ContactUpdated,
    Job: JobUpdated,
}
DELETED: dict[type[Account | Contact | Job], type[Event]] = {
    Account: AccountDeleted,
    Contact: ContactDeleted,
    Job: JobDeleted,
}


def _about(kind: type[Event], entity: Account | Contact | Job, **extra: object) -> Event:
    """Return an event of `kind` that carries what of `entity` it has fields for."""
    state = {
        name: getattr(entity, name)
        for name in kind.model_fields
        if name in type(entity).model_fields
    }
    return kind(
        **state,
        **{f"{kind.aggregate}_id": entity.id},
        occurred_at=entity.updated_at,
        **extra,
    )


def created(entity: Account | Contact | Job) -> Event:
    """Return the event that tells of a new `entity`."""
    return _about(CREATED[type(entity)], entity)


def updated(before: Account | Contact | Job, after: Account | Contact | Job) -> Event:
    """Return the event that tells how `before` became `after`."""
    fields = type(after).model_fields
    changed = [
        str(fields[name].alias)
        for name in fields
        if name not in ("version", "updated_at") and getattr(before, name) != getattr(after, name)
    ]
    return _about(UPDATED[type(after)], after, changed=changed)


def deleted(entity: Account | Contact | Job, now: datetime) -> Event:
    """Return the event that tells that `entity` is gone; its version is one past the last."""
    return _about(DELETED[type(entity)], entity.changed(now))


def status_changed(before: Job, after: Job, changed_by: str) -> JobStatusChanged:
    """Return the event that tells of a job's move."""
    return JobStatusChanged(
        tenant_id=after.tenant_id,
        occurred_at=after.updated_at,
        version=after.version,
        job_id=after.id,
        old_status=before.status,
        new_status=after.status,
        changed_by=changed_by,
    )
